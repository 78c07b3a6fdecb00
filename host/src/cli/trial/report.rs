//! What `holdfast try --once` prints.

use super::super::show::{Column, Table, size};
use serde::Serialize;

/// One step and what it cost. Sizes in bytes.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    pub(super) step: String,
    /// Size of the disk, or what the step covered.
    pub(super) disk: u64,
    pub(super) read: Option<u64>,
    pub(super) changed: Option<u64>,
    pub(super) stored: Option<u64>,
    pub(super) seconds: f64,
    pub(super) good: bool,
    pub(super) result: String,
}

/// All steps.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// What was protected.
    pub(super) server: String,
    pub(super) steps: Vec<Step>,
    /// Whether all of it went as it must.
    pub(super) good: bool,
}

impl Report {
    pub(super) fn text(&self) -> String {
        let mut table = Table::new(&[
            Column::Left("STEP"),
            Column::Right("DISK"),
            Column::Right("READ"),
            Column::Right("CHANGED"),
            Column::Right("STORED"),
            Column::Right("TIME"),
            Column::Right("SPEED"),
            Column::Left("RESULT"),
        ]);
        let bytes = |bytes: Option<u64>| bytes.map_or("-".to_owned(), size::human);
        for step in &self.steps {
            table.row([
                step.step.clone(),
                size::human(step.disk),
                bytes(step.read),
                bytes(step.changed),
                bytes(step.stored),
                format!("{:.2} s", step.seconds),
                size::rate(step.disk, step.seconds),
                step.result.clone(),
            ]);
        }
        let verdict = match self.good {
            true => "All of it came back, byte for byte.",
            false => "NOT ALL OF IT CAME BACK. See the results above.",
        };
        format!("{}\n{verdict}\n", table.text(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_what_the_second_point_saved() {
        let point = |step: &str, read, changed, stored, seconds| Step {
            step: step.into(),
            disk: 512 << 20,
            read: Some(read),
            changed: Some(changed),
            stored: Some(stored),
            seconds,
            good: true,
            result: "4f6d1c8a2b3e".into(),
        };
        let restore = Step {
            step: "restore of point 2".into(),
            disk: 512 << 20,
            read: None,
            changed: None,
            stored: None,
            seconds: 0.75,
            good: true,
            result: "identical, file system sound".into(),
        };
        let steps = vec![
            point("recovery point 1", 200 << 20, 190 << 20, 70 << 20, 2.5),
            point("recovery point 2", 201 << 20, 1 << 20, 600 << 10, 0.8),
            restore,
        ];
        let report = Report { server: "demo".into(), steps, good: true };
        insta::assert_snapshot!(report.text());
    }
}
