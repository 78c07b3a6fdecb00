//! Files that are there whole or not at all.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

/// Writes a file aside, flushes it, renames it into place and flushes its directory. Mode 0600.
pub(super) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let aside = path.with_extension("part");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    let mut buffered = BufWriter::new(file);
    let written =
        write(&mut buffered).and_then(|()| buffered.flush()).and_then(|()| buffered.get_ref().sync_all());
    if let Err(source) = written {
        let _left_behind = fs::remove_file(&aside);
        return Err(source);
    }
    fs::rename(&aside, path)?;
    sync_parent(path)
}

/// Flushes the directory a path is in, so that a rename in it is durable.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Makes a directory that only its owner can read, where there is none.
pub(super) fn make_private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}
