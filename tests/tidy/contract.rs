//! The contract in `wit/` against the rooms that serve it, and ARCHITECTURE.md against the tests it names.

use crate::{
    tokens::{self, Token},
    tree::{Finding, Source},
};
use std::collections::BTreeSet;

/// Where bytes may cross the contract, and whose they are.
const BYTES: &[(&str, &str)] = &[("wit/state/", "a plugin's own small data, under a quota")];

/// Names under which a piece of the box itself would be handed out.
const PLACES: &[&str] = &["path", "file", "directory", "descriptor", "fd", "device"];

const ARCHITECTURE: &str = "ARCHITECTURE.md";
const INVARIANT: &str = "**Architecture Invariant:**";

/// One interface, one capability file: what can be granted can be found.
pub(crate) fn capabilities(sources: &[Source]) -> Vec<Finding> {
    // A contract that nothing links yet is served by nobody.
    if !sources.iter().any(|s| s.path.starts_with("host/src/plugin/")) {
        return Vec::new();
    }
    let wit = || sources.iter().filter(|s| s.path.starts_with("wit/") && s.path.ends_with(".wit"));
    let exported: BTreeSet<&str> =
        wit().flat_map(|s| declared(&s.text, "export")).map(|(name, _)| name).collect();
    let mut findings = Vec::new();
    for source in wit() {
        for (name, line) in declared(&source.text, "interface") {
            // What the plugin exports, the host calls; nobody grants it.
            if exported.contains(name) {
                continue;
            }
            let file = format!("host/src/capability/{}", name.replace('-', "_"));
            let served = [format!("{file}.rs"), format!("{file}/mod.rs")];
            if !sources.iter().any(|s| served.contains(&s.path)) {
                findings.push(Finding {
                    path: source.path.clone(),
                    line,
                    broken: format!("the interface `{name}` has no {file}.rs"),
                    remedy: "serve it in a file of its own name: grant, audit, engine, error",
                });
            }
        }
    }
    findings
}

/// Plugins decide, the host moves bytes: a plugin is given handles and never a disk's content or where it lies.
pub(crate) fn bytes_and_paths(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|s| s.path.starts_with("wit/") && s.path.ends_with(".wit")) {
        for (number, line) in source.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let bytes =
                code.contains("list<u8>") && !BYTES.iter().any(|(place, _)| source.path.starts_with(place));
            let place = code
                .split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | ':'))
                .filter_map(|word| word.strip_suffix(':'))
                .any(|name| name.split('-').any(|part| PLACES.contains(&part)));
            if bytes || place {
                findings.push(Finding {
                    path: source.path.clone(),
                    line: number + 1,
                    broken: format!("hands a plugin {}", if bytes { "bytes" } else { "a place on the box" }),
                    remedy: "give a name or a handle; the host moves the bytes (BYTES in tests/tidy/contract.rs has the exceptions)",
                });
            }
        }
    }
    findings
}

/// The names that follow `keyword` at the start of a line, with their lines.
fn declared<'a>(text: &'a str, keyword: &'a str) -> impl Iterator<Item = (&'a str, usize)> {
    text.lines().enumerate().filter_map(move |(number, line)| {
        let rest = line.trim_start().strip_prefix(keyword)?.strip_prefix(' ')?;
        let name = rest.split(|c: char| !c.is_alphanumeric() && c != '-').next()?;
        Some((name, number + 1))
    })
}

/// An invariant that no test holds is a wish.
pub(crate) fn invariants(sources: &[Source]) -> Vec<Finding> {
    let Some(page) = sources.iter().find(|s| s.path == ARCHITECTURE) else { return Vec::new() };
    let tests: BTreeSet<String> =
        sources.iter().filter(|s| s.is_rust()).flat_map(|s| test_names(&s.text)).collect();
    let lines: Vec<&str> = page.text.lines().collect();
    let mut findings = Vec::new();
    for (number, _) in lines.iter().enumerate().filter(|(_, line)| line.contains(INVARIANT)) {
        let paragraph: Vec<&str> =
            lines.iter().skip(number).take_while(|line| !line.trim().is_empty()).copied().collect();
        let paragraph = paragraph.join("\n");
        let named = paragraph.split_once("Test").map_or("", |(_, after)| after);
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        let broken = if named.is_empty() {
            "this invariant names no test".to_owned()
        } else if let Some(missing) = named.iter().find(|name| !tests.contains(**name)) {
            format!("there is no test called `{missing}`")
        } else {
            continue;
        };
        findings.push(Finding {
            path: page.path.clone(),
            line: number + 1,
            broken,
            remedy: "end the invariant with \"Test: `name_of_the_test`.\"; write the test if there is none",
        });
    }
    findings
}

/// Functions under an attribute that ends in `test`, such as `#[test]` and `#[tokio::test]`, and those that
/// proptest makes into tests.
fn test_names(text: &str) -> Vec<String> {
    let tokens = tokens::all(text);
    let mut names = Vec::new();
    let mut marked = false;
    for (at, token) in tokens.iter().enumerate() {
        match token.ident() {
            Some("test") if tokens.get(at + 1).is_some_and(|t| !t.is_punct(':')) => marked = true,
            Some("fn") if marked => {
                names.extend(tokens.get(at + 1).and_then(Token::ident).map(str::to_owned));
                marked = false;
            }
            _ => {}
        }
    }
    names
}

#[cfg(test)]
mod samples {
    use super::*;

    #[test]
    fn an_interface_without_a_capability_is_found() {
        let wit = Source::new(
            "wit/vaults/vaults.wit",
            "package a:b;\ninterface vaults {\n}\ninterface recovery-points {\n}\ninterface jobs {\n}\nworld p {\n  export jobs;\n}\n",
        );
        let served = Source::new("host/src/capability/recovery_points.rs", "");
        let room = Source::new("host/src/plugin/mod.rs", "");
        let found = capabilities(&[wit, served, room]);
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn bytes_and_places_in_the_contract_are_found() {
        let wit = "/// path: no\nread: func(offset: u64) -> list<u8>;\nopen: func(disk-path: string);\nname: func() -> string;\n";
        assert_eq!(bytes_and_paths(&[Source::new("wit/servers/servers.wit", wit)]).len(), 2);
        assert_eq!(bytes_and_paths(&[Source::new("wit/state/state.wit", wit)]).len(), 1);
    }

    #[test]
    fn an_invariant_without_a_test_is_found() {
        let test = Source::new("tests/a.rs", "#[test]\n#[allow(x)]\nfn it_holds() {}\nfn not_a_test() {}");
        let page = "**Architecture Invariant:** a. Test:\n`it_holds`.\n\n\
                    **Architecture Invariant:** b.\n\n\
                    **Architecture Invariant:** `c`. Test: `not_a_test`.\n\nTest: `it_holds`\n";
        let found = invariants(&[test, Source::new(ARCHITECTURE, page)]);
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [4, 6]);
    }
}
