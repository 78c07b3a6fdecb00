//! The real Debian server image, built once by `tests/guests/debian` and kept in the cache.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The repository's root.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent")
}

/// Two days in the life of one server's disk.
pub struct DebianServer {
    /// Raw disk, first day.
    pub day1: PathBuf,
    /// The same disk a day later: packages changed, rows changed, logs grown.
    pub day2: PathBuf,
}

/// Builds the image if it is not in the cache.
pub fn debian() -> DebianServer {
    let build = repository().join("tests/guests/debian/build");
    let output = Command::new(&build).output().unwrap_or_else(|e| panic!("{}: {e}", build.display()));
    assert!(
        output.status.success(),
        "the Debian image was not built:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let directory = PathBuf::from(String::from_utf8(output.stdout).unwrap().lines().last().unwrap().trim());
    DebianServer { day1: directory.join("day1.raw"), day2: directory.join("day2.raw") }
}

/// Runs `e2fsck -fn` and PostgreSQL on an image and compares the rows with those recorded when it was built.
pub fn check(image: &Path, day: &str) -> String {
    let script = repository().join("tests/guests/debian/check-image");
    let output = Command::new(&script).arg(image).arg(day).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{} {day}:\n{said}", image.display());
    said
}

/// Whether two files hold the same bytes, by `cmp`.
pub fn same_bytes(a: &Path, b: &Path) -> bool {
    Command::new("cmp").arg("-s").arg(a).arg(b).status().unwrap().success()
}
