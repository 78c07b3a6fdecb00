//! One sentence, or a few, for the person who reads the history.

use crate::choose::Chosen;
use holdfast_plugin_sdk::{Failure, Outcome};

/// What became of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerResult {
    pub(crate) server: String,
    pub(crate) made: Result<Made, String>,
}

/// A recovery point that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) changed: u64,
    pub(crate) stored: u64,
    /// What went wrong afterwards, or should be looked at.
    pub(crate) remarks: Vec<String>,
}

/// The run's outcome.
pub(crate) fn outcome(vault: &str, results: &[ServerResult], missing: &[String]) -> Result<Outcome, Failure> {
    let made: Vec<(&str, &Made)> =
        results.iter().filter_map(|r| Some((r.server.as_str(), r.made.as_ref().ok()?))).collect();
    let failed: Vec<(&str, &str)> =
        results.iter().filter_map(|r| Some((r.server.as_str(), r.made.as_ref().err()?.as_str()))).collect();
    let wanted = results.len() + missing.len();
    let mut said = vec![headline(vault, &made, wanted)];
    said.extend(
        failed.iter().map(|(server, reason)| format!("{server}: no recovery point was made: {reason}.")),
    );
    said.extend(missing.iter().map(|server| {
        format!(
            "{server}: this plugin sees no server of that name; correct the job, or grant it that server."
        )
    }));
    for (server, made) in &made {
        said.extend(made.remarks.iter().map(|remark| format!("{server}: {remark}.")));
    }
    let whole = said.len() == 1;
    let text = said.join("\n");
    match (made.is_empty(), whole) {
        (true, _) => Err(Failure::Failed(text)),
        (false, true) => Ok(Outcome::Succeeded(text)),
        (false, false) => Ok(Outcome::Degraded(text)),
    }
}

fn headline(vault: &str, made: &[(&str, &Made)], wanted: usize) -> String {
    let sizes: Vec<String> = made
        .iter()
        .map(|(server, made)| {
            format!("{server} ({} changed, {} stored)", size(made.changed), size(made.stored))
        })
        .collect();
    match (made.len(), wanted) {
        (0, 1) => "The server has no new recovery point.".to_owned(),
        (0, wanted) => format!("None of {wanted} servers has a new recovery point."),
        (1, 1) => format!("A new recovery point is in vault {vault}: {}.", sizes.join(", ")),
        (some, wanted) if some == wanted => {
            format!("All {some} servers have a new recovery point in vault {vault}: {}.", sizes.join(", "))
        }
        (some, wanted) => format!(
            "{some} of {wanted} servers have a new recovery point in vault {vault}: {}.",
            sizes.join(", ")
        ),
    }
}

/// What a dry run would do.
pub(crate) fn would_do(chosen: &Chosen, vault: &str) -> String {
    let names: Vec<&str> = chosen.servers.iter().map(|server| server.name.as_str()).collect();
    let mut text = format!("Would make a recovery point of {} in vault {vault}.", names.join(", "));
    if !chosen.missing.is_empty() {
        text.push_str(&format!(" Sees no server named {}.", chosen.missing.join(", ")));
    }
    text
}

/// Bytes as people say them.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = UNITS.iter();
    let mut name = unit.next().copied().unwrap_or_default();
    while value >= 1023.95 {
        let Some(next) = unit.next() else { break };
        value /= 1024.0;
        name = next;
    }
    format!("{value:.1} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn made(server: &str, remarks: &[&str]) -> ServerResult {
        let remarks = remarks.iter().map(|remark| (*remark).to_owned()).collect();
        ServerResult { server: server.into(), made: Ok(Made { changed: 3 << 20, stored: 1 << 20, remarks }) }
    }

    fn failed(server: &str) -> ServerResult {
        ServerResult { server: server.into(), made: Err("the disk is missing".into()) }
    }

    #[test]
    fn all_well_is_one_sentence() {
        let Ok(Outcome::Succeeded(text)) = outcome("nas", &[made("db1", &[])], &[]) else {
            panic!("not succeeded")
        };
        assert_eq!(text, "A new recovery point is in vault nas: db1 (3.0 MiB changed, 1.0 MiB stored).");
    }

    #[test]
    fn one_of_three_failing_is_degraded_and_names_it() {
        let results = [made("a", &[]), failed("b"), made("c", &[])];
        let Ok(Outcome::Degraded(text)) = outcome("nas", &results, &[]) else { panic!("not degraded") };
        assert!(text.starts_with("2 of 3 servers have a new recovery point in vault nas: a ("), "{text}");
        assert!(text.contains("b: no recovery point was made: the disk is missing."), "{text}");
    }

    #[test]
    fn all_failing_is_a_failure() {
        assert!(matches!(outcome("nas", &[failed("a"), failed("b")], &[]), Err(Failure::Failed(_))));
    }

    #[test]
    fn a_remark_makes_it_degraded() {
        let result = outcome("nas", &[made("a", &["looks attacked"])], &[]);
        assert!(matches!(result, Ok(Outcome::Degraded(text)) if text.ends_with("a: looks attacked.")));
    }

    #[test]
    fn a_named_server_that_is_not_there_is_said() {
        let result = outcome("nas", &[made("a", &[])], &["gone".into()]);
        assert!(
            matches!(result, Ok(Outcome::Degraded(text)) if text.contains("1 of 2") && text.contains("gone"))
        );
    }

    #[test]
    fn sizes_read_as_people_say_them() {
        let said: Vec<String> = [0, 1023, 1024, 1 << 20, (1 << 30) - 1, u64::MAX].map(size).into();
        assert_eq!(said, ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1.0 GiB", "16384.0 PiB"]);
    }

    proptest! {
        #[test]
        fn every_server_is_mentioned(good in prop::collection::vec("[a-m]{3}", 0..4), bad in prop::collection::vec("[n-z]{3}", 0..4)) {
            prop_assume!(!good.is_empty() || !bad.is_empty());
            let results: Vec<_> = good.iter().map(|s| made(s, &[])).chain(bad.iter().map(|s| failed(s))).collect();
            let (Ok(Outcome::Succeeded(text) | Outcome::Degraded(text)) | Err(Failure::Failed(text))) = outcome("nas", &results, &[]) else {
                return Err(TestCaseError::fail("another end"));
            };
            for server in good.iter().chain(&bad) {
                prop_assert!(text.contains(server.as_str()));
            }
        }
    }
}
