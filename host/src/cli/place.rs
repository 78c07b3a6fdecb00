//! Which appliance a command speaks to: this box's own, through its socket, or a remote one, by address, token and
//! certificate fingerprint.

use super::{client::Client, failure::Failure, pin::Fingerprint};
use std::path::{Path, PathBuf};

/// The socket's name in the data directory.
pub const SOCKET: &str = "holdfast.sock";

/// Options that every command takes.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Place {
    /// The appliance's data directory [default: $HOLDFAST_DATA, else /var/lib/holdfast for root, else $XDG_DATA_HOME/holdfast]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Speak to the appliance at this address instead of this box's own: https://HOST:PORT
    #[arg(long, global = true, value_name = "URL", conflicts_with = "data")]
    pub url: Option<String>,
    /// The file with the API token for --url
    #[arg(long, global = true, value_name = "FILE", requires = "url")]
    pub token_file: Option<PathBuf>,
    /// The SHA-256 fingerprint of the certificate at --url; the appliance prints it when it starts
    #[arg(long, global = true, value_name = "SHA256", requires = "url")]
    pub fingerprint: Option<Fingerprint>,
}

impl Place {
    /// The data directory of this box's appliance.
    pub fn data(&self) -> PathBuf {
        self.data
            .clone()
            .or_else(|| std::env::var_os("HOLDFAST_DATA").filter(|text| !text.is_empty()).map(PathBuf::from))
            .unwrap_or_else(|| {
                default_data(rustix::process::geteuid().is_root(), |name| std::env::var_os(name))
            })
    }

    /// Whether paths mean this box's own.
    pub fn is_here(&self) -> bool {
        self.url.is_none()
    }

    /// A client for the appliance.
    pub fn client(&self) -> Result<Client, Failure> {
        match &self.url {
            None => Ok(Client::socket(self.data().join(SOCKET))),
            Some(url) => {
                let token = self.token_file.as_deref().map(read_token).transpose()?;
                Client::remote(url, token, self.fingerprint)
            }
        }
    }

    /// A path as the appliance must have it: whole, and without `..`.
    pub fn absolute(&self, path: &Path) -> Result<PathBuf, Failure> {
        if !self.is_here() {
            return Ok(path.to_owned());
        }
        let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
        let whole = match (climbs, path.parent(), path.file_name()) {
            // What `..` leads to depends on links, so the file system is asked; the last part need not exist yet.
            (true, Some(parent), Some(name)) if parent != Path::new("") => {
                parent.canonicalize().map(|parent| parent.join(name))
            }
            (true, ..) => path.canonicalize(),
            (false, ..) => std::path::absolute(path),
        };
        whole.map_err(|error| {
            Failure::failed(format!(
                "{} cannot be found ({error}); nothing was changed: check the path",
                path.display()
            ))
        })
    }
}

fn default_data(root: bool, variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> PathBuf {
    let set = |name| variable(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    if root {
        return PathBuf::from("/var/lib/holdfast");
    }
    set("XDG_DATA_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .unwrap_or_else(|| PathBuf::from("/var/lib"))
        .join("holdfast")
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "the token file {} cannot be read ({error}); nothing was sent: check the path and its permissions",
            path.display()
        ))
    })?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_person_has_a_data_directory_of_their_own_and_root_has_the_systems() {
        let none = |_: &str| None;
        assert_eq!(default_data(true, none), Path::new("/var/lib/holdfast"));
        let home = |name: &str| (name == "HOME").then(|| "/home/ada".into());
        assert_eq!(default_data(false, home), Path::new("/home/ada/.local/share/holdfast"));
        let xdg = |name: &str| (name == "XDG_DATA_HOME").then(|| "/data".into());
        assert_eq!(default_data(false, xdg), Path::new("/data/holdfast"));
    }

    #[test]
    fn relative_paths_become_whole_ones_and_links_are_followed_only_for_climbing() {
        let place = Place::default();
        let here = std::env::current_dir().unwrap();
        assert_eq!(place.absolute(Path::new("disk.raw")).unwrap(), here.join("disk.raw"));
        let directory = tempfile::tempdir().unwrap();
        let inner = directory.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let found = place.absolute(&inner.join("../new.raw")).unwrap();
        assert_eq!(found, directory.path().canonicalize().unwrap().join("new.raw"));
    }

    #[test]
    fn a_remote_appliances_paths_are_left_alone() {
        let place = Place { url: Some("https://box:8470".into()), ..Place::default() };
        assert_eq!(place.absolute(Path::new("/dev/vg/db1")).unwrap(), Path::new("/dev/vg/db1"));
    }
}
