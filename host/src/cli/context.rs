//! What every command has at hand: the appliance's client, how to print, and when it is.

use super::{client::Client, failure::Failure, place::Place, show::time::Viewpoint};
use crate::clock::{Clock, SystemClock};
use serde::Serialize;
use std::{
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

/// One command's surroundings.
#[derive(Debug)]
pub(super) struct Context {
    /// Which appliance.
    pub(super) place: Place,
    /// Whether a program reads what is printed.
    pub(super) json: bool,
    /// When it is.
    pub(super) view: Viewpoint,
}

impl Context {
    /// Now.
    pub(super) fn new(place: Place, json: bool) -> Self {
        Self { place, json, view: Viewpoint::here(SystemClock.now()) }
    }

    /// A client for the appliance.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        self.place.client()
    }

    /// A path as the appliance must have it.
    pub(super) fn absolute(&self, path: &Path) -> Result<PathBuf, Failure> {
        self.place.absolute(path)
    }

    /// Prints `value` as JSON, or what `text` makes of it.
    pub(super) fn print<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<(), Failure> {
        if !self.json {
            return write(&text(value));
        }
        let mut json = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::failed(format!("the answer cannot be shown as JSON ({error})")))?;
        json.push('\n');
        write(&json)
    }

    /// Prints that something was done: as one sentence, or as `{"done": …}`.
    pub(super) fn done(&self, sentence: &str) -> Result<(), Failure> {
        self.print(&serde_json::json!({ "done": sentence }), |_| format!("{sentence}\n"))
    }
}

/// Into a new file that only its owner may read, whole and on disk when this returns.
pub(super) fn keep_secret(file: &Path, text: &str) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt;
    let keep = || {
        let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()
    };
    keep().map_err(|error: std::io::Error| {
        Failure::failed(format!(
            "{} could not be written ({error}); nothing was kept: choose a file that does not exist yet",
            file.display()
        ))
    })
}

/// To standard output. A reader that has had enough, like `head`, is no error.
pub(super) fn write(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("the answer cannot be printed ({error}); the order was carried out")))
        }
        _ => Ok(()),
    }
}
