//! Programs of other packages: where they are, and starting them so that they cannot outlive the appliance.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Stdio};

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

/// What a program said, for a person: one line, without control characters, not endless.
pub(crate) fn readable(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let joined = lines.join("; ");
    joined.chars().filter(|c| !c.is_control()).take(600).collect()
}
