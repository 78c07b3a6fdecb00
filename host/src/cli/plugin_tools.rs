//! `holdfast plugin pack`, `sign` and `keygen`: an author's tools. They need no appliance and change no file in place.

use super::{
    context::{Context, keep_secret},
    failure::Failure,
    plugin::read,
};
use crate::plugin::{
    keys::{self, SigningKey},
    package,
};
use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
};

#[derive(Debug, clap::Args)]
pub(super) struct Pack {
    /// The component, as the compiler made it
    component: PathBuf,
    /// The manifest
    #[arg(long, value_name = "FILE", default_value = "plugin.toml")]
    manifest: PathBuf,
    /// The package to write; it must not exist yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Sign {
    /// The package without a signature
    package: PathBuf,
    /// The signing key made by `keygen`
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The signed package to write; it must not exist yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct Keygen {
    /// Where to keep the key; it must not exist yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(super) fn pack(arguments: &Pack, context: &Context) -> Result<(), Failure> {
    let manifest = String::from_utf8(read(&arguments.manifest)?).map_err(|_| {
        Failure::failed(format!(
            "{} is not text; nothing was written: write the manifest in UTF-8",
            arguments.manifest.display()
        ))
    })?;
    let packed = package::attach_manifest(read(&arguments.component)?, &manifest).map_err(failed)?;
    write_new(&arguments.out, &packed)?;
    context
        .done(&format!("The package is in {}. Sign it with `holdfast plugin sign`.", arguments.out.display()))
}

pub(super) fn sign(arguments: &Sign, context: &Context) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&arguments.key).map_err(|error| {
        Failure::failed(format!(
            "the key {} cannot be read ({error}); nothing was signed: check the path",
            arguments.key.display()
        ))
    })?;
    let key = SigningKey::from_text(&text).map_err(failed)?;
    let signed = package::sign(read(&arguments.package)?, &key).map_err(failed)?;
    write_new(&arguments.out, &signed)?;
    context.done(&format!("Signed by {} in {}.", key.public(), arguments.out.display()))
}

pub(super) fn keygen(arguments: &Keygen, context: &Context) -> Result<(), Failure> {
    let key = keys::generate().map_err(failed)?;
    keep_secret(&arguments.out, &key.to_text())?;
    let made = serde_json::json!({ "file": arguments.out, "public": key.public().as_str() });
    context.print(&made, |_| {
        format!(
            "The signing key is in {}: who has it can publish updates of your plugins.\nYour publisher key: {}\n",
            arguments.out.display(),
            key.public()
        )
    })
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::failed(error.to_string())
}

fn write_new(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let mut out = OpenOptions::new().write(true).create_new(true).open(file)?;
        out.write_all(bytes)?;
        out.sync_all()
    };
    write().map_err(|error| {
        Failure::failed(format!(
            "{} could not be written ({error}); choose a file that does not exist yet",
            file.display()
        ))
    })
}
