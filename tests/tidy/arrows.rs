//! Which room of `host/src` may use which. The table is the drawing in ARCHITECTURE.md, row by row.

use crate::{
    tokens::{self, Token},
    tree::{Finding, Source},
};
use std::collections::BTreeSet;

/// Engines: they reach the world and know nothing of plugins.
const ENGINES: &[&str] = &["machine", "probe", "site", "notify", "vaults"];

/// Leaves: every other room may use them, they use none.
const LEAVES: &[&str] = &["model", "clock"];

/// A room and what it may use besides itself and the leaves; `ENGINES` stands for each of them. A use with a
/// colon is narrower than the room.
const MAY_USE: &[(&str, &[&str])] = &[
    ("schedule", &["run", "store"]),
    ("run", &["plugin", "capability", "ENGINES", "store"]),
    ("plugin", &["capability", "ENGINES", "store"]),
    ("capability", &["ENGINES", "store"]),
    ("machine", &["store"]),
    ("probe", &["store"]),
    ("site", &["store"]),
    ("notify", &["store"]),
    ("vaults", &["store"]),
    ("store", &[]),
    ("admin", &["store"]),
    // A client of the API; `serve` and `try` start an appliance, and nothing but that. An author's tools are pure
    // functions over a package, and without an appliance a disk is written and compared by the same code as with one.
    ("cli", &["admin::api", "appliance", "machine::image", "plugin::keys", "plugin::package"]),
    ("model", &[]),
    ("clock", &[]),
];

/// The composition root, the crate's root and the program: they alone know every room.
const KNOW_EVERY_ROOM: &[&str] = &["appliance", "lib", "main"];

const REMEDY: &str = "hand the thing in from `appliance` (a trait or a value), or move the code to the room it belongs to; \
                      the rooms and their order are in ARCHITECTURE.md";

pub(crate) fn check(sources: &[Source]) -> Vec<Finding> {
    let rooms: BTreeSet<&str> = sources.iter().filter_map(|s| room(&s.path)).collect();
    sources.iter().filter(|s| s.is_product()).flat_map(|source| check_file(source, &rooms)).collect()
}

fn check_file(source: &Source, rooms: &BTreeSet<&str>) -> Vec<Finding> {
    let Some(from) = room(&source.path) else { return Vec::new() };
    if KNOW_EVERY_ROOM.contains(&from) {
        return Vec::new();
    }
    let finding = |line, broken| Finding { path: source.path.clone(), line, broken, remedy: REMEDY };
    let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| *name == from) else {
        return vec![finding(
            1,
            format!("the room `{from}` has no place in the order of tests/tidy/arrows.rs"),
        )];
    };
    uses(source)
        .into_iter()
        .filter(|(path, _)| {
            let to = path.first().map_or("", String::as_str);
            rooms.contains(to) && to != from && !is_allowed(from, may_use, path)
        })
        .map(|(path, line)| finding(line, format!("`{from}` uses `{}`", path.join("::"))))
        .collect()
}

fn is_allowed(from: &str, may_use: &[&str], path: &[String]) -> bool {
    let to = path.first().map_or("", String::as_str);
    if LEAVES.contains(&to) {
        return !LEAVES.contains(&from);
    }
    may_use.iter().any(|allowed| {
        let names: Vec<&str> = allowed.split("::").collect();
        (*allowed == "ENGINES" && ENGINES.contains(&to))
            || (names.len() <= path.len() && names.iter().zip(path).all(|(name, used)| name == used))
    })
}

/// The room a file is in: the first name under `host/src`.
fn room(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("host/src/")?;
    let first = inside.split('/').next()?;
    if inside.contains('/') { Some(first) } else { first.strip_suffix(".rs") }
}

/// Every path from the crate's root that the file names, whether by `crate::` or by enough `super::`.
fn uses(source: &Source) -> Vec<(Vec<String>, usize)> {
    let tokens = tokens::product(&source.text);
    let depth = module_depth(&source.path);
    (0..tokens.len()).flat_map(|at| uses_at(&tokens, at, depth)).collect()
}

fn uses_at(tokens: &[Token], at: usize, depth: usize) -> Vec<(Vec<String>, usize)> {
    let Some(token) = tokens.get(at) else { return Vec::new() };
    match token.ident() {
        Some("crate") if tokens::is_path_separator(tokens, at + 1) => tokens::paths(tokens, at + 3),
        // The first of a chain; the others are counted with it.
        Some("super") if at < 3 || tokens.get(at - 3).and_then(Token::ident) != Some("super") => {
            let mut end = at;
            let mut steps = 0;
            while tokens.get(end).and_then(Token::ident) == Some("super")
                && tokens::is_path_separator(tokens, end + 1)
            {
                steps += 1;
                end += 3;
            }
            if steps == depth + token.inline_modules { tokens::paths(tokens, end) } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// How many modules lie between a file and the crate's root.
fn module_depth(path: &str) -> usize {
    let inside = path.strip_prefix("host/src/").unwrap_or(path);
    inside.split('/').filter(|name| *name != "mod.rs").count()
}

#[cfg(test)]
mod samples {
    use super::*;

    fn broken(path: &str, text: &str) -> Vec<String> {
        let mut sources = vec![Source::new(path, text)];
        for (room, _) in MAY_USE {
            sources.push(Source::new(&format!("host/src/{room}/mod.rs"), ""));
        }
        sources.push(Source::new("host/src/appliance.rs", ""));
        check(&sources).into_iter().map(|f| f.broken).collect()
    }

    #[test]
    fn an_arrow_to_the_left_is_found_however_it_is_written() {
        for text in [
            "use crate::run::Request;",
            "use crate::{model::name::JobName, run::{self, Request}};",
            "fn f() { let x = crate::run::now(); }",
            "fn f() { tokio::select! { _ = crate::run::now() => {} } }",
            "use super::super::run::Request;",
            "mod inner { use super::super::super::run::Request; }",
        ] {
            assert!(!broken("host/src/machine/image.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn arrows_to_the_right_and_to_the_leaves_are_fine() {
        let text = "use crate::{machine::Disk, model::name::JobName, clock::Clock, store::Store}; use super::grant; \
                    // crate::run\n const A: &str = \"crate::run\";\n #[cfg(test)] mod tests { use crate::run; }";
        assert_eq!(broken("host/src/capability/servers.rs", text), Vec::<String>::new());
        assert_eq!(broken("host/src/appliance.rs", "use crate::{run, admin, cli};"), Vec::<String>::new());
    }

    #[test]
    fn leaves_and_the_store_use_no_room() {
        assert_eq!(broken("host/src/model/run.rs", "use crate::store::Store;").len(), 1);
        assert_eq!(broken("host/src/clock.rs", "use crate::model::run;").len(), 1);
        assert_eq!(broken("host/src/store/runs.rs", "use crate::{model::run, machine::Disk};").len(), 1);
    }

    #[test]
    fn the_command_line_sees_of_the_admin_room_only_the_api() {
        assert_eq!(
            broken("host/src/cli/points.rs", "use crate::admin::api::points::Body;"),
            Vec::<String>::new()
        );
        assert_eq!(
            broken("host/src/cli/points.rs", "use crate::admin::{api::Body, auth::Session};"),
            ["`cli` uses `admin::auth::Session`"]
        );
        assert_eq!(broken("host/src/cli/points.rs", "use crate::store::Store;").len(), 1);
    }

    #[test]
    fn a_room_that_nobody_gave_a_place_is_found() {
        assert_eq!(broken("host/src/attic/mod.rs", "").len(), 1);
    }
}
