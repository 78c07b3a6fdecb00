//! Things that have one place: sled, the system's clock, starting other programs, and what the crates beside the
//! appliance may depend on.

use crate::{
    tokens::{self, Token},
    tree::{Finding, Source},
};

/// Where other programs may be started, and why there.
const START_PROGRAMS: &[(&str, &str)] = &[
    ("host/src/machine", "disks in foreign formats are read through a private qemu-nbd"),
    (
        "host/src/cli/trial/disk",
        "the demo's disk gets a real file system from mke2fs and changes through debugfs",
    ),
    ("host/src/plugin/compile", "a component is compiled in a child process, where it can be bounded"),
];

const CLOCK: &str = "host/src/clock.rs";

/// What a crate beside the appliance must not know, by its manifest.
const STRANGERS: &[(&str, &[&str])] = &[
    (
        "vault/Cargo.toml",
        &["holdfast", "holdfast-nbd", "holdfast-plugin-sdk", "wasmtime", "axum", "hyper", "sled", "cron"],
    ),
    (
        "nbd/Cargo.toml",
        &["holdfast", "holdfast-vault", "holdfast-plugin-sdk", "wasmtime", "axum", "hyper", "sled", "cron"],
    ),
];

/// sled is replaced or survives in one file: nothing else may lean on it.
pub(crate) fn sled(sources: &[Source]) -> Vec<Finding> {
    let mut owner: Option<&str> = None;
    let mut findings = Vec::new();
    for source in sources.iter().filter(|s| s.is_product()) {
        let tokens = tokens::product(&source.text);
        let Some(named) = tokens.iter().find(|t| t.ident() == Some("sled")) else { continue };
        if source.path.starts_with("host/src/store/") && owner.is_none_or(|path| path == source.path) {
            owner = Some(&source.path);
            continue;
        }
        findings.push(Finding {
            path: source.path.clone(),
            line: named.line,
            broken: "names sled outside the one file in host/src/store that may".to_owned(),
            remedy: "use the store's typed tables; add one if none fits",
        });
    }
    findings
}

/// A second reader of the time is a thing that no test can move by hand.
pub(crate) fn clock(sources: &[Source]) -> Vec<Finding> {
    let reads = |tokens: &[Token], at: usize| {
        matches!(
            tokens.get(at).and_then(Token::ident),
            Some("SystemTime" | "Utc" | "Local" | "OffsetDateTime")
        ) && tokens::is_path_separator(tokens, at + 1)
            && tokens.get(at + 3).and_then(Token::ident).is_some_and(|name| name.starts_with("now"))
    };
    outside(sources, &[CLOCK], reads, |_| Finding {
        path: String::new(),
        line: 0,
        broken: "reads the system's clock".to_owned(),
        remedy: "take the time, or a `Clock`, as a parameter; host/src/clock.rs alone reads it",
    })
}

pub(crate) fn processes(sources: &[Source]) -> Vec<Finding> {
    let starts = |tokens: &[Token], at: usize| {
        tokens.get(at).and_then(Token::ident) == Some("process")
            && tokens::is_path_separator(tokens, at + 1)
            && tokens::paths(tokens, at + 3)
                .iter()
                .any(|(path, _)| path.first().is_some_and(|name| name == "Command"))
    };
    let places: Vec<&str> = START_PROGRAMS.iter().map(|(place, _)| *place).collect();
    outside(sources, &places, starts, |_| Finding {
        path: String::new(),
        line: 0,
        broken: "starts other programs".to_owned(),
        remedy: "do it in one of the places that START_PROGRAMS in tests/tidy/places.rs lists with their reasons",
    })
}

/// Crates that must stay usable without the appliance name none of its parts.
pub(crate) fn strangers(sources: &[Source]) -> Vec<Finding> {
    let manifests = STRANGERS.iter().filter_map(|(manifest, unknown)| {
        let source = sources.iter().find(|s| s.path == *manifest)?;
        Some((source, unknown))
    });
    manifests
        .flat_map(|(source, unknown)| {
            refused(
                source,
                |name| unknown.contains(&name),
                "this crate knows nothing of that; let the appliance bring the two together",
            )
        })
        .collect()
}

/// A bundled plugin is an example of one that a reseller writes: it has nothing that they have not.
pub(crate) fn bundled_plugins(sources: &[Source]) -> Vec<Finding> {
    let manifests = sources.iter().filter(|s| {
        let place = s.path.strip_prefix("plugins/").and_then(|rest| rest.strip_suffix("/Cargo.toml"));
        place.is_some_and(|name| name != "sdk")
    });
    manifests
        .flat_map(|source| {
            refused(
                source,
                |name| name.starts_with("holdfast") && name != "holdfast-plugin-sdk",
                "use the SDK and the contract only; what is missing there, every author misses",
            )
        })
        .collect()
}

/// The dependencies (not those of tests) in a manifest that `is_refused`.
fn refused(source: &Source, is_refused: impl Fn(&str) -> bool, remedy: &'static str) -> Vec<Finding> {
    let mut section = "";
    let mut findings = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        if let Some(name) = line.trim().strip_prefix('[') {
            section = name;
        }
        let dependency = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if section.contains("dependencies]") && !section.starts_with("dev-") && is_refused(dependency) {
            findings.push(Finding {
                path: source.path.clone(),
                line: number + 1,
                broken: format!("depends on `{dependency}`"),
                remedy,
            });
        }
    }
    findings
}

/// Each first line of a file outside `places` where `is_it` holds.
fn outside(
    sources: &[Source],
    places: &[&str],
    is_it: impl Fn(&[Token], usize) -> bool,
    finding: impl Fn(&Source) -> Finding,
) -> Vec<Finding> {
    let shipped = sources.iter().filter(|s| s.is_product() && !places.iter().any(|p| is_within(&s.path, p)));
    shipped
        .flat_map(|source| {
            let tokens = tokens::product(&source.text);
            let lines: Vec<usize> = (0..tokens.len())
                .filter(|at| is_it(&tokens, *at))
                .filter_map(|at| tokens.get(at).map(|t| t.line))
                .collect();
            lines
                .into_iter()
                .map(|line| Finding { path: source.path.clone(), line, ..finding(source) })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// `place` is a file, a directory, or either without saying which.
fn is_within(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest == ".rs")
}

#[cfg(test)]
mod samples {
    use super::*;

    #[test]
    fn a_second_file_that_names_sled_is_found() {
        let tree = Source::new("host/src/store/tree.rs", "fn open() { sled::open(\"x\"); }");
        let doc = Source::new("host/src/store/mod.rs", "//! Over sled.\n// sled::open");
        let second = Source::new("host/src/store/zeal.rs", "use sled::Db;");
        let other = Source::new("host/src/run/mod.rs", "use sled::Db;");
        assert_eq!(sled(&[doc, tree]).len(), 0);
        let tree = Source::new("host/src/store/tree.rs", "use sled::Db;");
        assert_eq!(sled(&[tree, second]).len(), 1);
        assert_eq!(sled(&[other]).len(), 1);
    }

    #[test]
    fn a_second_reader_of_the_clock_is_found() {
        let text = "fn f() {\n let a = std::time::SystemTime::now(); }\n fn g() { chrono::Utc::now(); }";
        let found = clock(&[Source::new("host/src/run/mod.rs", text), Source::new(CLOCK, text)]);
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [2, 3]);
        let fine = "#[cfg(test)] mod tests { fn f() { Utc::now(); } } fn f(c: &dyn Clock) { c.now(); Instant::now(); }";
        assert_eq!(clock(&[Source::new("host/src/run/mod.rs", fine)]).len(), 0);
    }

    #[test]
    fn a_program_started_elsewhere_is_found() {
        for text in [
            "use std::process::Command;",
            "use std::process::{self, Command};",
            "use tokio::{fs, process::{Child, Command}};",
            "fn f() { tokio::process::Command::new(\"sh\"); }",
        ] {
            assert_eq!(processes(&[Source::new("host/src/run/mod.rs", text)]).len(), 1, "{text}");
            assert_eq!(processes(&[Source::new("host/src/plugin/compile.rs", text)]).len(), 0, "{text}");
            assert_eq!(
                processes(&[Source::new("host/src/machine/image/qemu_nbd.rs", text)]).len(),
                0,
                "{text}"
            );
        }
        assert_eq!(processes(&[Source::new("host/src/run/mod.rs", "use std::process::ExitCode;")]).len(), 0);
    }

    #[test]
    fn a_crate_that_learns_of_the_appliance_is_found() {
        let text = "[package]\nname = \"v\"\n[dependencies]\naxum.workspace = true\n[dev-dependencies]\nhyper = \"1\"\n";
        assert_eq!(strangers(&[Source::new("vault/Cargo.toml", text)]).len(), 1);
        let plugin = "[dependencies]\nholdfast-plugin-sdk.workspace = true\nholdfast-vault = \"0\"\n";
        assert_eq!(bundled_plugins(&[Source::new("plugins/backup/Cargo.toml", plugin)]).len(), 1);
        assert_eq!(bundled_plugins(&[Source::new("plugins/sdk/Cargo.toml", plugin)]).len(), 0);
    }
}
