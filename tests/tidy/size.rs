//! How long a file and a function may be. What does not fit has more than one role.

use crate::{
    tokens::{self, Kind, Token},
    tree::{Finding, Source},
};
use std::collections::BTreeSet;

const FILE: usize = 500;
const MAIN: usize = 80;
const FUNCTION: usize = 70;

pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let rust = || sources.iter().filter(|s| s.is_rust());
    rust().filter_map(file).chain(rust().flat_map(functions)).collect()
}

fn file(source: &Source) -> Option<Finding> {
    let lines = source.text.lines().count();
    let limit = if source.path.ends_with("src/main.rs") { MAIN } else { FILE };
    (lines > limit).then(|| Finding {
        path: source.path.clone(),
        line: limit + 1,
        broken: format!("{lines} lines; at most {limit}"),
        remedy: "split the file by role, one question each",
    })
}

fn functions(source: &Source) -> Vec<Finding> {
    let tokens = tokens::all(&source.text);
    let named = (0..tokens.len()).filter_map(|at| {
        let name = tokens.get(at + 1)?.ident()?;
        (tokens.get(at)?.ident()? == "fn").then_some((at, name))
    });
    named
        .filter_map(|(at, name)| {
            let lines = body_lines(&tokens, at + 2)?;
            (lines > FUNCTION).then(|| Finding {
                path: source.path.clone(),
                line: tokens.get(at).map_or(0, |t| t.line),
                broken: format!("`{name}` has {lines} lines of code; at most {FUNCTION}"),
                remedy: "give a part of it a name of its own, or make the repeated part data",
            })
        })
        .collect()
}

/// Lines with code on them between the braces of the function whose signature goes on at `at`; comments and
/// blank lines are free, as they are to clippy.
fn body_lines(tokens: &[Token], at: usize) -> Option<usize> {
    let rest = tokens.get(at..)?;
    let mut depth = 0usize;
    let open = rest.iter().position(|token| {
        let is_body = depth == 0 && matches!(token.kind, Kind::Open('{') | Kind::Punct(';'));
        match token.kind {
            Kind::Open(_) => depth += 1,
            Kind::Close(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_body
    })?;
    let body = rest.get(open..).filter(|body| body.first().is_some_and(|t| t.kind == Kind::Open('{')))?;
    let mut depth = 0usize;
    let close = body.iter().position(|token| {
        match token.kind {
            Kind::Open(_) => depth += 1,
            Kind::Close(_) => depth -= 1,
            _ => {}
        }
        depth == 0
    })?;
    let lines: BTreeSet<usize> = body.get(1..close)?.iter().flat_map(|t| t.line..=t.last_line).collect();
    Some(lines.len())
}

#[cfg(test)]
mod samples {
    use super::*;

    fn function(lines: usize) -> Source {
        let body: String = (0..lines).map(|n| format!("    let a{n} = [{n}; 2];\n\n    // why\n")).collect();
        Source::new(
            "host/src/run/mod.rs",
            &format!("fn f<T>(a: [u8; 2]) -> u8\nwhere T: Fn()\n{{\n{body}}}\n"),
        )
    }

    #[test]
    fn a_long_function_is_found_and_one_at_the_limit_is_not() {
        assert_eq!(check(&[function(FUNCTION)]).len(), 0);
        let found = check(&[function(FUNCTION + 1)]);
        assert_eq!(found.len(), 1);
        assert!(found[0].broken.contains("`f` has 71 lines"), "{}", found[0]);
    }

    #[test]
    fn a_long_file_is_found() {
        let long = "//! x\n".repeat(FILE + 1);
        assert_eq!(check(&[Source::new("vault/src/a.rs", &long)]).len(), 1);
        assert_eq!(check(&[Source::new("host/src/main.rs", &"// x\n".repeat(MAIN + 1))]).len(), 1);
        assert_eq!(check(&[Source::new("docs/a.md", &long)]).len(), 0);
    }
}
