//! The repository's files, and what a rule says about one of them.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::Command,
};

/// One text file, by its path from the repository's root.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Code that is only compiled for tests, as far as a path can tell. What `#[cfg(test)]` hides within a file
    /// the tokens know.
    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.contains("/benches/")
            || self.path.ends_with("/tests.rs")
    }

    /// Product code of a crate: what ships.
    pub(crate) fn is_product(&self) -> bool {
        self.is_rust() && self.path.contains("src/") && !self.is_test()
    }
}

/// A place that breaks a rule, and the way out.
pub(crate) struct Finding {
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) broken: String,
    pub(crate) remedy: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n    {}", self.path, self.line, self.broken, self.remedy)
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent")
}

/// Every text file that git tracks, as it is on disk now: a note beside the code is its writer's own until it is
/// added. Without git (an unpacked archive), every file there is.
pub(crate) fn read() -> Vec<Source> {
    let mut paths = listed_by_git().unwrap_or_else(|| walked(root()));
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            // Not text, or deleted and not yet committed: no rule is about it.
            let text = std::fs::read_to_string(root().join(&path)).ok()?;
            Some(Source { path, text })
        })
        .collect()
}

fn listed_by_git() -> Option<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let names = String::from_utf8(output.stdout).ok()?;
    Some(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn walked(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| {
            let path: PathBuf = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if matches!(name.as_str(), "target" | ".git" | ".cache") { Vec::new() } else { walked(&path) }
            } else {
                let relative = path.strip_prefix(root()).unwrap_or(&path);
                vec![relative.to_string_lossy().into_owned()]
            }
        })
        .collect()
}
