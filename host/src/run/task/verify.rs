//! Checking a vault, and saying what a damage touches.

use super::{Tasks, Trouble, bytes, watched};
use crate::{
    capability::context::RunContext,
    model::{alert::Severity, name::VaultName, run::LogLevel},
    store::NewAlert,
    vaults::damage_in_words,
};
use holdfast_vault::{Control, VerifyReport, VerifyRequest};
use std::collections::BTreeSet;

const SOURCE: &str = "appliance";

impl Tasks {
    pub(super) async fn verify(
        &self,
        name: &VaultName,
        read_data: bool,
        context: &RunContext,
    ) -> Result<String, Trouble> {
        let vault = self.vaults.open(name).await?;
        let control = Control::new();
        // Points that are made meanwhile are not part of what was read.
        let before: Vec<String> =
            vault.points().await?.points.iter().map(|point| point.id.to_string()).collect();
        let request = VerifyRequest { read_data };
        let report = watched(context, &control, "", vault.verify(request, &control)).await?;
        for line in damage_in_words(name, &report) {
            context.sink.log(LogLevel::Error, line);
        }
        if read_data {
            let hit: BTreeSet<String> = hit_points(&report);
            let good: Vec<String> = before.into_iter().filter(|point| !hit.contains(point)).collect();
            self.vaults.mark_verified(name, &good).await?;
        }
        self.tell(name, read_data, &report).await?;
        match report.is_clean() {
            true => Ok(clean(&report, read_data)),
            false => Err(Trouble::Failed(damaged(&report))),
        }
    }

    /// Damage is an alert until all data was read and found right.
    async fn tell(&self, name: &VaultName, read_data: bool, report: &VerifyReport) -> Result<(), Trouble> {
        let key = format!("vault-damaged/{name}");
        let now = self.clock.now();
        let told = if !report.is_clean() {
            let alert = NewAlert {
                source: SOURCE.to_owned(),
                key,
                severity: Severity::Critical,
                title: format!("The vault {name} is damaged"),
                detail: damaged(report),
                server: None,
            };
            self.store.alerts.raise(alert, now).await.map(|_| ())
        } else if read_data {
            self.store.alerts.resolve(SOURCE, &key, now).await.map(|_| ())
        } else {
            Ok(())
        };
        Ok(told?)
    }
}

fn hit_points(report: &VerifyReport) -> BTreeSet<String> {
    report.damages.iter().flat_map(|damage| &damage.hits).map(|hit| hit.point.to_string()).collect()
}

fn clean(report: &VerifyReport, read_data: bool) -> String {
    let depth = match read_data {
        true => format!("every byte was read ({})", bytes(report.bytes_read)),
        false => "the structure is whole; no data was read".to_owned(),
    };
    format!("{} recovery points in {} objects are intact; {depth}", report.points, report.objects)
}

fn damaged(report: &VerifyReport) -> String {
    let points = hit_points(report).len();
    let servers: BTreeSet<&str> =
        report.damages.iter().flat_map(|damage| &damage.hits).map(|hit| hit.server.as_str()).collect();
    let touched = match points {
        0 => "no recovery point needs them".to_owned(),
        _ => format!(
            "{points} recovery points of {} cannot be restored whole",
            servers.into_iter().collect::<Vec<_>>().join(", ")
        ),
    };
    let objects = match report.damages.len() {
        1 => "1 object is".to_owned(),
        many => format!("{many} objects are"),
    };
    format!(
        "{objects} damaged or missing ({}); {touched}; nothing damaged is ever returned by a restore; back those servers up again, and see the log for each object",
        named(report)
    )
}

/// The first damaged objects by name; the log has them all.
fn named(report: &VerifyReport) -> String {
    const FIRST: usize = 3;
    let mut names: Vec<&str> =
        report.damages.iter().take(FIRST).map(|damage| damage.object.as_str()).collect();
    if report.damages.len() > FIRST {
        names.push("…");
    }
    names.join(", ")
}
