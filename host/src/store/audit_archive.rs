//! The oldest part of the audit log, moved out of the database into compressed files, `DATA/audit/FIRST-LAST.jsonl.zst`:
//! one record a line, as they were, so that the chain can be checked across them and with other tools.

use super::{
    Audit, StoreError,
    audit::{BASE, BrokenChain, HEAD, Link, follow},
    file, key,
};
use crate::model::audit::AuditRecord;
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

/// Records that stay in the database.
pub(super) const KEPT: u64 = 20_000;
/// Records that are worth a file of their own.
pub(super) const WORTH: u64 = 5_000;
/// Compression level: written once, read almost never.
const LEVEL: i32 = 9;

impl Audit {
    /// Moves old records into an archive, if there are many, and says where. The archive is on disk before they go.
    pub async fn archive(&self) -> Result<Option<PathBuf>, StoreError> {
        self.archive_beyond(KEPT, WORTH).await
    }

    pub(super) async fn archive_beyond(&self, kept: u64, worth: u64) -> Result<Option<PathBuf>, StoreError> {
        let base = self.links.get(&BASE.to_owned())?.unwrap_or_else(Link::origin);
        let head = self.links.get(&HEAD.to_owned())?.unwrap_or_else(Link::origin);
        let last = head.sequence.saturating_sub(kept);
        if last < base.sequence.saturating_add(worth) {
            return Ok(None);
        }
        let directory = self.directory();
        let path =
            directory.join(format!("{}-{}.jsonl.zst", key::number(base.sequence + 1), key::number(last)));
        let (this, target) = (self.clone(), path.clone());
        let link = tokio::task::spawn_blocking(move || this.write_archive(&base, last, &target))
            .await
            .map_err(|source| StoreError::read("audit", source))??;
        let this = self.clone();
        self.table
            .engine
            .commit(move |transaction| {
                for (place, record) in this.table.list_in(transaction, "")? {
                    if record.sequence <= link.sequence {
                        this.table.remove_in(transaction, &place);
                    }
                }
                this.links.put_in(transaction, &BASE.to_owned(), &link)
            })
            .await?;
        Ok(Some(path))
    }

    /// Writes the records after `base` through number `last`, which must be a whole chain, and gives its end.
    fn write_archive(&self, base: &Link, last: u64, path: &Path) -> Result<Link, StoreError> {
        let mut records = self.table.list()?;
        records.retain(|record| record.sequence <= last);
        let end = follow(base.clone(), &records).map_err(|broken| StoreError::read("audit", broken))?;
        let write = |out: &mut dyn Write| -> io::Result<()> {
            let mut out = zstd::Encoder::new(out, LEVEL)?;
            for record in &records {
                serde_json::to_writer(&mut out, record)?;
                out.write_all(b"\n")?;
            }
            out.finish().map(|_| ())
        };
        file::make_private_directory(&self.directory())
            .and_then(|()| file::write_whole(path, |out| write(out)))
            .map_err(|source| StoreError::Export { path: path.to_owned(), reason: source.to_string() })?;
        Ok(end)
    }

    /// Checks the archives from the first there is, and gives the end of their chain and the number of records. They
    /// must lead up to `base`; without any archive the chain begins at `base`, as after an import on a new box.
    pub(super) fn verify_archives(&self, base: &Link) -> Result<Result<u64, BrokenChain>, StoreError> {
        let mut at: Option<Link> = None;
        let mut count = 0;
        for path in archives(&self.directory()) {
            let records = read_archive(&path).map_err(|source| StoreError::read("audit", source))?;
            let Some(first) = records.first() else { continue };
            let from = at.take().unwrap_or_else(|| Link {
                sequence: first.sequence.saturating_sub(1),
                hash: first.previous.clone(),
            });
            match follow(from, &records) {
                Ok(end) => at = Some(end),
                Err(broken) => return Ok(Err(broken)),
            }
            count += records.len() as u64;
        }
        Ok(match at {
            Some(end) if end != *base => Err(BrokenChain::Changed { sequence: end.sequence }),
            _ => Ok(count),
        })
    }

    fn directory(&self) -> PathBuf {
        self.table.engine.data.join("audit")
    }
}

fn archives(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(".jsonl.zst"))
        .collect();
    found.sort();
    found
}

fn read_archive(path: &Path) -> io::Result<Vec<AuditRecord>> {
    let lines = BufReader::new(zstd::Decoder::new(File::open(path)?)?).lines();
    lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}
