//! Real images, made and served by QEMU's own tools, read and written through this room.

mod damage;
mod exporting;
mod hostile;
mod reading;
mod vaulted;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use holdfast_vault::DiskReader;

use super::OpenDiskError;
use crate::model::server::{DiskFormat, DiskLocation};

const MIB: u64 = 1024 * 1024;

/// Content that does not compress and has no zero blocks.
fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    let mut bytes = vec![0; length];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

/// A sparse raw disk of 24 MiB: some data at the start, in the middle, and in the last sectors.
fn raw_disk(folder: &Path) -> (PathBuf, Vec<u8>) {
    let path = folder.join("disk.raw");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(24 * MIB).unwrap();
    file.write_all_at(&noise(100_000, 1), 0).unwrap();
    file.write_all_at(&noise(2_000_000, 2), 9 * MIB + 512).unwrap();
    file.write_all_at(&noise(1024, 3), 24 * MIB - 1024).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    (path, bytes)
}

/// Runs a program these tests cannot do without; absent, it fails the test by the name of its package.
fn run(program: &str, package: &str, arguments: &[&str]) {
    let output = match Command::new(program).args(arguments).output() {
        Ok(output) => output,
        Err(error) => panic!("this test needs {program} ({error}): apt-get install {package}"),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

fn qemu_img(arguments: &[&str]) {
    run("qemu-img", "qemu-utils", arguments);
}

fn convert(raw: &Path, format: &str, options: &[&str], to: &Path) {
    let mut arguments = vec!["convert", "-f", "raw", "-O", format];
    arguments.extend_from_slice(options);
    arguments.extend_from_slice(&[raw.to_str().unwrap(), to.to_str().unwrap()]);
    qemu_img(&arguments);
}

fn at(path: &Path, format: DiskFormat) -> DiskLocation {
    DiskLocation::File { path: path.to_owned(), format }
}

fn open(path: &Path, format: DiskFormat) -> Result<Box<dyn DiskReader>, OpenDiskError> {
    super::open(&at(path, format))
}

fn refused(path: &Path, format: DiskFormat) -> OpenDiskError {
    match open(path, format) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => error,
    }
}

fn read_all(disk: &dyn DiskReader) -> Vec<u8> {
    let mut bytes = vec![0xee; usize::try_from(disk.size().unwrap()).unwrap()];
    disk.read_at(0, &mut bytes).unwrap();
    bytes
}

/// Another program that has an image open for writing, the way a running machine has.
struct Writer {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Writer {
    fn start(image: &Path, format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let mut command = Command::new("qemu-nbd");
        command.args(["--persistent", "--format", format, "--socket"]).arg(&socket).arg(image);
        let mut child = command.spawn().expect("this test needs qemu-nbd: apt-get install qemu-utils");
        // The socket is there before the image is open; an answer comes after.
        let uri = holdfast_nbd::NbdUri::unix(&socket, "");
        wait_until(|| {
            let client = holdfast_nbd::NbdClient::connect(&uri, holdfast_nbd::ClientOptions::default());
            client.is_ok() || child.try_wait().unwrap().is_some()
        });
        Self { child, _folder: folder }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The qemu-nbd processes that read an image for us.
fn readers(image: &Path) -> Vec<rustix::process::Pid> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let reads = |id: &i32| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("--read-only") && line.contains(image.to_str().unwrap())
    };
    ids.filter(reads).filter_map(rustix::process::Pid::from_raw).collect()
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "what was waited for did not happen");
        std::thread::yield_now();
    }
}
