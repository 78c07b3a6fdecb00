//! A private `qemu-nbd --read-only` for one image: started, watched, and gone with its disk.
//!
//! It listens on a socket in a folder only we may enter. Three things make sure that it does not outlive us: dropping
//! [`QemuNbd`] kills it, the kernel kills it when the thread that started it ends, and it ends by itself when its last
//! client has gone. That thread does nothing but keep what the program says, for exactly as long as the program lives.
//!
//! While it runs, it holds QEMU's locks on the image: a machine that is started meanwhile is told that the image is in use.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Once, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use holdfast_nbd::{ClientOptions, ConnectExport, NbdClient, NbdUri};
use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;

use super::super::program::{Programs, QEMU_NBD, first_words, readable};
use super::error::OpenDiskError;

/// An image on a slow share may take its time; a user waiting for an answer has limits.
const READY: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);
const LAST_BREATH: Duration = Duration::from_secs(2);
const CONNECTIONS: usize = 4;
const FOLDER_PREFIX: &str = "holdfast-disk-";

/// The thread that listens to the program, or what it heard once the program has ended.
#[derive(Debug)]
enum Keeper {
    Listening(JoinHandle<Vec<u8>>),
    Heard(Vec<u8>),
}

#[derive(Debug)]
pub(super) struct QemuNbd {
    child: Mutex<Child>,
    keeper: Mutex<Keeper>,
    image: PathBuf,
    folder: TempDir,
}

impl QemuNbd {
    /// Starts the program on exactly the files `node` describes.
    pub(super) fn start(programs: &Programs, image: &Path, node: &Value) -> Result<Self, OpenDiskError> {
        let failed = |source| OpenDiskError::StartQemuNbd { path: image.to_owned(), source };
        let folder = private_folder().map_err(failed)?;
        let arguments = [
            "--read-only".to_owned(),
            format!("--shared={CONNECTIONS}"),
            format!("--socket={}", socket(&folder).display()),
            format!("json:{node}"),
        ];
        let command = programs
            .command(QEMU_NBD, arguments)
            .map_err(|source| OpenDiskError::MissingProgram { path: image.to_owned(), source })?;
        let (child, keeper) = spawn_kept(command).map_err(failed)?;
        tracing::debug!(image = %image.display(), pid = child.id(), "started qemu-nbd");
        Ok(Self {
            child: Mutex::new(child),
            keeper: Mutex::new(Keeper::Listening(keeper)),
            image: image.to_owned(),
            folder,
        })
    }

    /// Connects as soon as the program listens.
    pub(super) fn connect(&self) -> Result<NbdClient, OpenDiskError> {
        let uri = NbdUri::unix(socket(&self.folder), "");
        let deadline = Instant::now() + READY;
        loop {
            let options = ClientOptions { max_connections: CONNECTIONS, ..ClientOptions::default() };
            match NbdClient::connect(&uri, options) {
                Ok(client) => return Ok(client),
                Err(ConnectExport::Connect { .. }) => {}
                Err(other) => return Err(self.refused(&self.ended().unwrap_or_else(|| other.to_string()))),
            }
            if let Some(said) = self.ended() {
                return Err(self.refused(&said));
            }
            if Instant::now() > deadline {
                return Err(OpenDiskError::QemuNbdSilent {
                    path: self.image.clone(),
                    seconds: READY.as_secs(),
                });
            }
            std::thread::sleep(POLL);
        }
    }

    /// What the program said, once it has ended by itself.
    pub(super) fn ended(&self) -> Option<String> {
        self.child.lock().try_wait().ok().flatten()?;
        Some(readable(&self.keeper.lock().hear_out()))
    }

    /// The same, for when its connection broke: the kernel closes a dying program's sockets before we can wait for it.
    pub(super) fn ended_just_now(&self) -> Option<String> {
        let deadline = Instant::now() + LAST_BREATH;
        loop {
            let said = self.ended();
            if said.is_some() || Instant::now() > deadline {
                return said;
            }
            std::thread::sleep(POLL);
        }
    }

    /// The first file or block device the program has open that is not among `allowed` (device and inode numbers).
    pub(super) fn opened_beyond(&self, allowed: &[(u64, u64)]) -> io::Result<Option<PathBuf>> {
        let pid = self.child.lock().id();
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
            let entry = entry?;
            // A descriptor may be closed between the listing and the look.
            let Ok(metadata) = entry.path().metadata() else { continue };
            let kind = metadata.file_type();
            let is_block_device = std::os::unix::fs::FileTypeExt::is_block_device(&kind);
            if !kind.is_file() && !is_block_device {
                continue;
            }
            let identity = (metadata.dev(), metadata.ino());
            if !allowed.contains(&identity) && !is_inherited(&entry.file_name(), identity) {
                return Ok(Some(std::fs::read_link(entry.path()).unwrap_or_else(|_| entry.path())));
            }
        }
        Ok(None)
    }

    fn refused(&self, said: &str) -> OpenDiskError {
        let path = self.image.clone();
        // QEMU repeats the whole description of the image before it says what is wrong.
        let message = said.rsplit_once("}': ").map_or(said, |(_, message)| message);
        if message.contains(" lock") {
            let holder = "another program, which has locked it".to_owned();
            return OpenDiskError::InUse { path, holder };
        }
        let message = if message.is_empty() { "it gave no reason" } else { message };
        OpenDiskError::QemuNbdRefused { path, message: message.to_owned() }
    }
}

impl Drop for QemuNbd {
    fn drop(&mut self) {
        let child = self.child.get_mut();
        // Both fail only if it has ended already.
        let _ = child.kill();
        let _ = child.wait();
        self.keeper.get_mut().hear_out();
    }
}

impl Keeper {
    /// Waits for the last words of a program that has ended.
    fn hear_out(&mut self) -> Vec<u8> {
        let said = match std::mem::replace(self, Self::Heard(Vec::new())) {
            Self::Listening(thread) => thread.join().unwrap_or_default(),
            Self::Heard(said) => said,
        };
        *self = Self::Heard(said.clone());
        said
    }
}

/// A descriptor that we got from whoever started us and passed on: the same number, open on the same file.
fn is_inherited(number: &std::ffi::OsStr, identity: (u64, u64)) -> bool {
    Path::new("/proc/self/fd").join(number).metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == identity)
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("nbd")
}

/// Starts the program on a thread that lives as long as it does.
fn spawn_kept(mut command: Command) -> io::Result<(Child, JoinHandle<Vec<u8>>)> {
    let (sender, started) = mpsc::channel();
    let keeper =
        std::thread::Builder::new().name("qemu-nbd".to_owned()).spawn(move || match command.spawn() {
            Ok(mut child) => {
                let stderr = child.stderr.take();
                // Whoever waits for the child is still there: it does nothing else.
                let _ = sender.send(Ok(child));
                stderr.map(first_words).unwrap_or_default()
            }
            Err(error) => {
                let _ = sender.send(Err(error));
                Vec::new()
            }
        })?;
    let child = started.recv().map_err(|_| io::Error::other("the thread that starts qemu-nbd ended"))??;
    Ok((child, keeper))
}

/// A folder for one socket, readable by us alone. Its name holds our process number, so that what a killed appliance
/// left can be told from what is in use.
fn private_folder() -> io::Result<TempDir> {
    static SWEEP: Once = Once::new();
    SWEEP.call_once(|| remove_left_folders(&std::env::temp_dir()));
    tempfile::Builder::new().prefix(&format!("{FOLDER_PREFIX}{}-", std::process::id())).tempdir()
}

pub(super) fn remove_left_folders(parent: &Path) {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(FOLDER_PREFIX)?.split('-').next());
        let Some(owner) = owner.and_then(|owner| owner.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{owner}")).exists() {
            let removed = std::fs::remove_dir_all(entry.path());
            tracing::debug!(folder = %entry.path().display(), ?removed, "removed what an earlier run left");
        }
    }
}
