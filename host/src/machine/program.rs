//! Programs of other packages: where they are, and starting them so that they cannot outlive the appliance.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

const POLL: Duration = Duration::from_millis(10);
const MAX_SAID: usize = 8 * 1024;

/// A program this room may start, and the Debian package that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
}

pub(crate) const QEMU_NBD: Program = Program { name: "qemu-nbd", package: "qemu-utils" };
pub(crate) const QEMU_IMG: Program = Program { name: "qemu-img", package: "qemu-utils" };
/// Sets the signal a process gets when its parent dies; doing that between fork and exec ourselves would need unsafe code.
const SETPRIV: Program = Program { name: "setpriv", package: "util-linux" };

/// A program that is not installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} is not installed on this box. Install it with: apt-get install {}", .0.name, .0.package)]
pub struct MissingProgram(pub(crate) Program);

/// The folders programs are looked for in.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    search: OsString,
}

impl Programs {
    pub(crate) fn from_environment() -> Self {
        Self::in_folders(std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
    }

    pub(crate) fn in_folders(search: impl Into<OsString>) -> Self {
        Self { search: search.into() }
    }

    fn find(&self, program: Program) -> Result<PathBuf, MissingProgram> {
        std::env::split_paths(&self.search)
            .map(|folder| folder.join(program.name))
            .find(|path| path.is_absolute() && path.is_file())
            .ok_or(MissingProgram(program))
    }

    /// A command that is killed when the *thread* that starts it ends, gains no privileges, and says what it has to say
    /// on a pipe, in English.
    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        program: Program,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Command, MissingProgram> {
        let program = self.find(program)?;
        let mut command = Command::new(self.find(SETPRIV)?);
        command.args(["--pdeathsig", "KILL", "--no-new-privs", "--"]).arg(program).args(arguments);
        command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        Ok(command)
    }
}

/// Waits for a program and what it said on its error output. Nothing if `stop` asked to end it first.
///
/// The caller's thread is the one that started the program, and stays until it has ended.
pub(crate) fn finish(
    child: &mut Child,
    stop: &dyn Fn() -> bool,
) -> io::Result<Option<(ExitStatus, Vec<u8>)>> {
    // Read along on another thread: a program that has much to say must not wait for us while we wait for it.
    let stderr = child.stderr.take();
    let listener = std::thread::Builder::new()
        .name("program-output".to_owned())
        .spawn(move || stderr.map(first_words).unwrap_or_default())?;
    loop {
        let status = child.try_wait();
        if matches!(status, Ok(None)) && !stop() {
            std::thread::sleep(POLL);
            continue;
        }
        if !matches!(status, Ok(Some(_))) {
            // Both fail only if it has ended meanwhile.
            let _ = child.kill();
            let _ = child.wait();
        }
        let said = listener.join().unwrap_or_default();
        return Ok(status?.map(|status| (status, said)));
    }
}

/// Reads to the end, and keeps the beginning.
pub(crate) fn first_words(mut output: impl Read) -> Vec<u8> {
    let (mut kept, mut buffer) = (Vec::new(), [0; 1024]);
    while let Ok(count) = output.read(&mut buffer) {
        if count == 0 {
            break;
        }
        let room = MAX_SAID.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
    }
    kept
}

/// What a program said, for a person: one line, without control characters, not endless.
pub(crate) fn readable(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let joined = lines.join("; ");
    joined.chars().filter(|c| !c.is_control()).take(600).collect()
}
