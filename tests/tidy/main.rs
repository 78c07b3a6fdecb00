//! The rules of the house, held over the repository as it is. Each rule is also tried on a small bad sample, in its
//! own file, so that it is known to be able to fail.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests and what they stand on may stop at the first surprise"
)]

mod arrows;
mod contract;
mod places;
mod size;
mod tokens;
mod tree;
mod words;

use tree::{Finding, Source};

fn holds(rule: fn(&[Source]) -> Vec<Finding>) {
    let sources = tree::read();
    // A rule that looks at nothing finds nothing.
    assert!(sources.iter().any(|s| s.path == "host/src/lib.rs"), "the repository was not found");
    let findings: Vec<String> = rule(&sources).iter().map(Finding::to_string).collect();
    assert!(findings.is_empty(), "{} places break this rule:\n\n{}\n", findings.len(), findings.join("\n"));
}

#[test]
fn rooms_use_only_what_stands_to_their_right() {
    holds(arrows::check);
}

#[test]
fn crates_beside_the_appliance_know_nothing_of_it() {
    holds(places::strangers);
}

#[test]
fn sled_is_named_in_one_file() {
    holds(places::sled);
}

#[test]
fn the_system_clock_is_read_in_one_file() {
    holds(places::clock);
}

#[test]
fn processes_are_started_in_named_files_only() {
    holds(places::processes);
}

#[test]
fn files_and_functions_stay_small() {
    holds(size::check);
}

#[test]
fn every_file_begins_with_its_design_note() {
    holds(words::module_docs);
}

#[test]
fn nothing_is_named_like_a_drawer() {
    holds(words::names);
}

#[test]
fn no_text_is_unfinished_or_of_one_machine() {
    holds(words::text);
}

#[test]
fn every_wit_interface_has_its_capability() {
    holds(contract::capabilities);
}

#[test]
fn the_contract_has_no_disk_bytes_and_no_paths() {
    holds(contract::bytes_and_paths);
}

#[test]
fn a_bundled_plugin_uses_the_sdk_and_nothing_private() {
    holds(places::bundled_plugins);
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    holds(contract::invariants);
}
