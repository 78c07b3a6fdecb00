//! What a reader meets: module docs, names, and text that has no business in a repository.

use crate::{
    tokens::{self, Token},
    tree::{self, Finding, Source},
};
use std::path::Path;

/// Names that say nothing, so that anything ends up behind them.
const DRAWERS: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"];

/// Put together here, so that this file is no finding of its own.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];

pub(crate) fn module_docs(sources: &[Source]) -> Vec<Finding> {
    let undocumented = sources.iter().filter(|s| {
        let mut lines = s.text.lines().map(str::trim);
        // An empty file, or one line that makes a crate out of nothing, has no design to note.
        s.is_rust()
            && s.text.lines().count() > 1
            && !lines.by_ref().take_while(|l| is_before_items(l)).any(|l| l.starts_with("//!"))
    });
    undocumented
        .map(|source| Finding {
            path: source.path.clone(),
            line: 1,
            broken: "has no module documentation".to_owned(),
            remedy: "begin it with `//!`: what it is, what flows in and out, what it refuses to know",
        })
        .collect()
}

fn is_before_items(line: &str) -> bool {
    line.is_empty() || line.starts_with("//") || line.starts_with("#![")
}

pub(crate) fn names(sources: &[Source]) -> Vec<Finding> {
    let remedy = "name it for what it holds";
    let mut findings = Vec::new();
    for source in sources {
        let finding = |line, broken| Finding { path: source.path.clone(), line, broken, remedy };
        for part in Path::new(&source.path).iter().map(|part| part.to_string_lossy()) {
            let stem = part.split('.').next().unwrap_or_default();
            if is_drawer(stem) {
                findings.push(finding(1, format!("`{part}` is the name of a drawer")));
            }
        }
        if source.is_rust() {
            let tokens = tokens::all(&source.text);
            let defined = tokens.windows(2).filter_map(|pair| match pair {
                [keyword, name] if is_definition(keyword) => Some((name.line, name.ident()?)),
                _ => None,
            });
            findings.extend(
                defined
                    .filter(|(_, name)| is_drawer(name))
                    .map(|(line, name)| finding(line, format!("`{name}` is the name of a drawer"))),
            );
        }
    }
    findings
}

fn is_definition(keyword: &Token) -> bool {
    matches!(keyword.ident(), Some("mod" | "struct" | "enum" | "trait" | "type"))
}

/// `utils`, `string_utils`, `StringUtils`.
fn is_drawer(name: &str) -> bool {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase().map(|l| if l == '-' { '_' } else { l }));
    }
    snake.split('_').any(|word| DRAWERS.contains(&word))
}

/// Notes to oneself, and paths of the machine that the text was written on.
pub(crate) fn text(sources: &[Source]) -> Vec<Finding> {
    let home = std::env::var("HOME").unwrap_or_default();
    let machine = machine_paths(tree::root(), Path::new(&home));
    sources.iter().flat_map(|source| text_of(source, &machine)).collect()
}

fn text_of(source: &Source, machine: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        let mut finding = |broken, remedy| {
            findings.push(Finding { path: source.path.clone(), line: number + 1, broken, remedy });
        };
        if let Some(word) =
            UNFINISHED.iter().find(|word| line.split(|c: char| !c.is_alphanumeric()).any(|w| w == **word))
        {
            finding(format!("says {word}"), "do it now, or say as a limitation what is not there and why");
        }
        if let Some(path) = machine.iter().find(|path| names_path(line, path)) {
            finding(
                format!("names `{path}`, a path of the machine it was written on"),
                "say it relative to the repository, or take it from the environment",
            );
        }
    }
    findings
}

/// Where this checkout and its user live, as far as that is not a place every machine has.
fn machine_paths(root: &Path, home: &Path) -> Vec<String> {
    const EVERYWHERE: &[&str] =
        &["usr", "var", "tmp", "home", "root", "opt", "srv", "mnt", "etc", "src", "media"];
    let mut paths = vec![root.display().to_string()];
    if home.components().count() > 1 {
        paths.push(format!("{}/", home.display()));
    }
    let first = root.iter().nth(1).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !first.is_empty() && !EVERYWHERE.contains(&first.as_str()) {
        paths.push(format!("/{first}/"));
    }
    paths
}

/// Whether the line has the path as one from the root, and not as the end of a longer one.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|s| s.chars().next_back());
        before.is_none_or(|c| {
            !c.is_alphanumeric() && !matches!(c, '/' | '.' | '_' | '-' | '$' | '}' | ')' | '*' | '"')
        }) || (before == Some('"') && line.get(..at).is_some_and(|s| s.matches('"').count() % 2 == 1))
    })
}

#[cfg(test)]
mod samples {
    use super::*;

    #[test]
    fn a_file_without_module_documentation_is_found() {
        assert_eq!(module_docs(&[Source::new("a.rs", "use x;\n//! late\n")]).len(), 1);
        assert_eq!(module_docs(&[Source::new("a.rs", "/// of the item\nfn a() {}")]).len(), 1);
        assert_eq!(
            module_docs(&[Source::new("a.rs", "// licence\n#![allow(x)]\n\n//! Doc.\nuse x;")]).len(),
            0
        );
    }

    #[test]
    fn drawers_are_found_among_files_and_definitions() {
        for path in
            ["host/src/utils.rs", "host/src/disk_helpers/mod.rs", "vault/src/common/x.rs", "docs/misc.md"]
        {
            assert_eq!(names(&[Source::new(path, "")]).len(), 1, "{path}");
        }
        let text = "struct DiskManager; mod helpers { } fn manager() {} struct Utility; // utils";
        assert_eq!(names(&[Source::new("host/src/disk.rs", text)]).len(), 2);
    }

    #[test]
    fn unfinished_text_is_found() {
        let note = format!("fn a() {{}} // {}: later", UNFINISHED[0]);
        assert_eq!(text_of(&Source::new("a.rs", &note), &[]).len(), 1);
        assert_eq!(text_of(&Source::new("a.rs", "// a mastodon"), &[]).len(), 0);
    }

    #[test]
    fn paths_of_the_machine_are_found() {
        let machine = machine_paths(Path::new("/build7/holdfast"), Path::new("/home/anna"));
        let found = |line: &str| text_of(&Source::new("a.sh", line), &machine).len();
        assert_eq!(found("cd /build7/out"), 1);
        assert_eq!(found("x = \"/home/anna/x\""), 1);
        assert_eq!(found("see /home/holdfast, $x/build7/a and docs/build7/b"), 0);
        let standard = machine_paths(Path::new("/src/holdfast"), Path::new("/"));
        assert_eq!(standard, ["/src/holdfast"]);
    }
}
