//! The demo server's disk: a real ext4 file system, made by `mke2fs` from a real directory of this machine, whose log grows
//! and whose data file changes through `debugfs`, block by block as a file system does it. No server runs on it; that is
//! what `--image` is for.

use super::super::failure::Failure;
use crate::clock::{Clock, SystemClock};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Directories with real files that most machines have. The first of a good size is taken.
const ORIGINS: [&str; 7] = [
    "/usr/share/doc",
    "/usr/share/perl",
    "/usr/lib/python3",
    "/usr/include",
    "/usr/share",
    "/usr/bin",
    "/etc",
];
const LEAST: u64 = 8 << 20;
const MOST: u64 = 300 << 20;
/// What each change adds to the log and to the data.
const LOG_LINES: u64 = 400;
const DATA: usize = 1 << 20;

/// The demo server's disk.
#[derive(Debug, Clone)]
pub(super) struct DemoDisk {
    image: PathBuf,
    /// The files as they are to be, outside the image.
    staging: PathBuf,
    origin: PathBuf,
    turn: u64,
}

impl DemoDisk {
    /// Makes it in `room`, or takes the one that is there.
    pub(super) fn make(room: &Path) -> Result<Self, Failure> {
        let (origin, bytes) = origin()?;
        Self::make_from(room, Path::new(origin), bytes)
    }

    fn make_from(room: &Path, origin: &Path, bytes: u64) -> Result<Self, Failure> {
        let (image, staging) = (room.join("demo.raw"), room.join("demo-files"));
        fs::create_dir_all(&staging).map_err(|error| cannot(&staging, &error))?;
        let mut disk = Self { image, staging, origin: origin.to_owned(), turn: 0 };
        if !disk.image.exists() {
            let file = File::create(&disk.image).map_err(|error| cannot(&disk.image, &error))?;
            // Room for the file system's own tables and for what is still to come.
            file.set_len((bytes + bytes / 2 + (192 << 20)).next_multiple_of(1 << 20))
                .map_err(|error| cannot(&disk.image, &error))?;
            let mut command = command("mke2fs");
            command.args(["-q", "-F", "-t", "ext4", "-L", "demo", "-d"]).arg(origin).arg(&disk.image);
            succeeded("mke2fs", command.output())?;
            // Once only: debugfs makes a directory that exists a second time, and damages the file system.
            disk.debugfs("mkdir /srv\nmkdir /srv/shop\n")?;
        }
        disk.change()?;
        Ok(disk)
    }

    pub(super) fn path(&self) -> &Path {
        &self.image
    }

    /// Where its files are from.
    pub(super) fn origin(&self) -> String {
        format!("ext4 with the files of {}", self.origin.display())
    }

    /// Lets the server work for a moment: its log grows and its data file is written anew.
    pub(super) fn change(&mut self) -> Result<(), Failure> {
        self.turn += 1;
        let now = SystemClock.now().to_rfc3339();
        let (log, data) = (self.staging.join("shop.log"), self.staging.join("orders.db"));
        let grown = fs::read_to_string(&log).unwrap_or_default() + &log_lines(&now, self.turn);
        fs::write(&log, grown).map_err(|error| cannot(&log, &error))?;
        fs::write(&data, orders(self.turn)).map_err(|error| cannot(&data, &error))?;
        self.debugfs(&format!(
            "rm /srv/shop/shop.log\nwrite {} /srv/shop/shop.log\nrm /srv/shop/orders.db\nwrite {} /srv/shop/orders.db\n",
            log.display(),
            data.display()
        ))
    }

    fn debugfs(&self, lines: &str) -> Result<(), Failure> {
        let script = self.staging.join("changes");
        fs::write(&script, lines).map_err(|error| cannot(&script, &error))?;
        let done = command("debugfs").arg("-w").arg("-f").arg(&script).arg(&self.image).output();
        succeeded("debugfs", done)
    }

    /// Whether the file system in `image` is sound; none when it cannot be checked here.
    pub(super) fn is_sound(image: &Path) -> Option<bool> {
        let checked = command("e2fsck").arg("-fn").arg(image).output().ok()?;
        Some(checked.status.success())
    }
}

/// These programs lie in places that a plain user's path may not name.
fn command(program: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).stdin(Stdio::null());
    command
}

fn succeeded(program: &str, outcome: std::io::Result<Output>) -> Result<(), Failure> {
    match outcome {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().last().unwrap_or("it said nothing");
            Err(Failure::failed(format!(
                "{program} failed on the demo's disk ({said}); nothing else is affected: try again, or use --image"
            )))
        }
        Err(error) => Err(Failure::failed(format!(
            "{program} could not be started ({error}), and the demo's disk needs it; nothing else is affected: install the package e2fsprogs, or use --image"
        ))),
    }
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!(
        "the demo's disk could not be written ({}: {error}); nothing else is affected: free some space, or name another place with --data",
        path.display()
    ))
}

/// A directory of this machine with a good size, and its size.
fn origin() -> Result<(&'static str, u64), Failure> {
    ORIGINS
        .into_iter()
        .filter_map(|origin| Some((origin, size_of(Path::new(origin), MOST)?)))
        .find(|(_, bytes)| *bytes >= LEAST)
        .ok_or_else(|| {
            Failure::failed("this machine has no directory that would make a good demo; nothing was started: use --image PATH")
        })
}

/// The bytes of all files below, each rounded up to a block; none when there are more than `most`, or one may not be read.
fn size_of(directory: &Path, most: u64) -> Option<u64> {
    let mut bytes = 0;
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).ok()? {
            let entry = entry.ok()?;
            let metadata = entry.metadata().ok()?;
            if metadata.is_dir() {
                pending.push(entry.path());
            } else if metadata.is_file() {
                File::open(entry.path()).ok()?;
                bytes += metadata.len().next_multiple_of(4096);
            }
            if bytes > most {
                return None;
            }
        }
    }
    Some(bytes)
}

fn log_lines(now: &str, turn: u64) -> String {
    (0..LOG_LINES)
        .map(|line| {
            let number = turn * LOG_LINES + line;
            let client = number.wrapping_mul(2_654_435_761) % 250 + 1;
            format!(
                "{now} shop[714]: order {number} from 192.168.20.{client} accepted, {} items\n",
                number % 9 + 1
            )
        })
        .collect()
}

/// A file of records, of which every turn rewrites some: half of them numbers, half of them text.
fn orders(turn: u64) -> Vec<u8> {
    let mut bytes = vec![0; DATA];
    for (at, record) in bytes.chunks_mut(8192).enumerate() {
        let at = at as u64;
        // A record was written last in the newest turn that touches it.
        let written = turn.saturating_sub((turn + at) % 4);
        let (numbers, text) = record.split_at_mut(4096);
        blake3::Hasher::new()
            .update(&at.to_le_bytes())
            .update(&written.to_le_bytes())
            .finalize_xof()
            .fill(numbers);
        let line = format!("order {at} revision {written} paid shipped ");
        text.iter_mut().zip(line.bytes().cycle()).for_each(|(to, from)| *to = from);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_rewrites_some_of_the_orders_and_leaves_the_rest() {
        let (before, after) = (orders(8), orders(9));
        let changed = before.chunks(8192).zip(after.chunks(8192)).filter(|(a, b)| a != b).count();
        assert_eq!(changed, DATA / 8192 / 4);
    }

    #[test]
    fn the_demos_file_system_changes_and_stays_sound_also_when_it_is_taken_again() {
        let directory = tempfile::tempdir().unwrap();
        let (room, origin) = (directory.path().join("room"), directory.path().join("origin"));
        fs::create_dir_all(&origin).unwrap();
        fs::write(origin.join("readme"), "a real file").unwrap();
        let mut disk = DemoDisk::make_from(&room, &origin, 4096).unwrap();
        let before = fs::read(disk.path()).unwrap();
        for _ in 0..3 {
            disk.change().unwrap();
        }
        assert!(before != fs::read(disk.path()).unwrap(), "three turns changed nothing");
        assert_eq!(DemoDisk::is_sound(disk.path()), Some(true));
        let mut again = DemoDisk::make_from(&room, &origin, 4096).unwrap();
        again.change().unwrap();
        assert_eq!(DemoDisk::is_sound(disk.path()), Some(true), "taking the disk that is there damaged it");
        let said =
            command("debugfs").args(["-R", "cat /srv/shop/shop.log"]).arg(disk.path()).output().unwrap();
        let log = String::from_utf8(said.stdout).unwrap();
        assert_eq!(log.lines().count() as u64, 6 * LOG_LINES, "the log did not grow");
    }

    #[test]
    fn a_directory_that_is_too_large_is_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("file"), vec![0; 5000]).unwrap();
        assert_eq!(size_of(directory.path(), MOST), Some(8192));
        assert_eq!(size_of(directory.path(), 4096), None);
        assert_eq!(size_of(&directory.path().join("nothing"), MOST), None);
    }
}
