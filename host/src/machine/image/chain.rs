//! From an image to everything it is made of: which files are opened, each in which format.
//!
//! An image may refer to other files: a backing file, a data file, extents. QEMU would follow such a reference anywhere,
//! also to `/etc/shadow` or to a web server, and guess the format of what it finds. So the references are read here, checked
//! against the folder of the image, and handed to QEMU as a complete description in which nothing is left to follow.
//! The exception are the extents of a VMDK, which QEMU has no way to be told: their names are checked here, and the files
//! QEMU really opened are checked afterwards (see `qemu_nbd`).

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::check::check_vhdx_length;
use super::error::OpenDiskError;
use super::file::DiskFile;
use super::format_name;
use super::header::Found;
use super::qcow2::{self, Backing};
use super::vmdk::{self, ExtentKind, Refused};
use crate::model::server::DiskFormat;

/// Overlays on overlays: more than anybody keeps, fewer than would be a burden.
const MAX_DEPTH: usize = 32;
/// The longest descriptor that is read.
const MAX_DESCRIPTOR: usize = 64 * 1024;

/// What QEMU is told to open, and all files that makes it open.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) node: Value,
    pub(super) files: Vec<PathBuf>,
    /// Each image of the chain by itself, without what it stands on.
    pub(super) layers: Vec<(PathBuf, Value)>,
}

/// Who said what format the image is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormatBy {
    Person,
    /// Its own header, which a guest may have written; such an image may not refer to any other file.
    Header,
}

struct Builder {
    folder: PathBuf,
    by: FormatBy,
    files: Vec<PathBuf>,
    layers: Vec<(PathBuf, Value)>,
}

pub(super) fn build(disk: &DiskFile, format: DiskFormat, by: FormatBy) -> Result<Chain, OpenDiskError> {
    let folder = disk.path.parent().unwrap_or(Path::new("/")).to_owned();
    let mut builder = Builder { folder, by, files: Vec::new(), layers: Vec::new() };
    let mut node = builder.node(disk, format)?;
    if let Some(fields) = node.as_object_mut() {
        fields.insert("read-only".to_owned(), Value::Bool(true));
    }
    Ok(Chain { node, files: builder.files, layers: builder.layers })
}

impl Builder {
    fn node(&mut self, disk: &DiskFile, format: DiskFormat) -> Result<Value, OpenDiskError> {
        if self.files.len() >= MAX_DEPTH || self.files.contains(&disk.path) {
            return Err(malformed(disk, "it is an overlay on itself, or on too many others"));
        }
        self.files.push(disk.path.clone());
        let driver = if disk.block_device { "host_device" } else { "file" };
        let file = json!({ "driver": driver, "filename": text(&disk.path)? });
        match format {
            DiskFormat::Raw | DiskFormat::Auto => Ok(json!({ "driver": "raw", "file": file })),
            DiskFormat::Qcow2 => self.qcow2(disk, file),
            DiskFormat::Vmdk => self.vmdk(disk, file),
            DiskFormat::Vhdx => {
                expect(disk, format, &[Found::Vhdx])?;
                check_vhdx_length(disk)?;
                Ok(json!({ "driver": "vhdx", "file": file, "backing": null }))
            }
        }
    }

    fn qcow2(&mut self, disk: &DiskFile, file: Value) -> Result<Value, OpenDiskError> {
        expect(disk, DiskFormat::Qcow2, &[Found::Qcow2])?;
        let header = qcow2::parse(&disk.head()?).map_err(|what| malformed(disk, what))?;
        if header.encrypted {
            return Err(OpenDiskError::Unreadable {
                path: disk.path.clone(),
                what: "it is encrypted and its key is not known here",
                remedy: "Back up the decrypted disk, for example over NBD",
            });
        }
        let mut node = serde_json::Map::new();
        node.insert("driver".to_owned(), json!("qcow2"));
        node.insert("file".to_owned(), file);
        if let Some(name) = header.data_file {
            let data = self.beside(disk, &name)?;
            node.insert("data-file".to_owned(), json!({ "driver": "file", "filename": text(&data.path)? }));
            self.files.push(data.path);
        }
        // Said also when there is none: the header may change between our look and QEMU's.
        node.insert("backing".to_owned(), Value::Null);
        self.layers.push((disk.path.clone(), Value::Object(node.clone())));
        let backing = header.backing.map(|backing| self.backing(disk, &backing)).transpose()?;
        node.insert("backing".to_owned(), backing.unwrap_or(Value::Null));
        Ok(Value::Object(node))
    }

    fn backing(&mut self, disk: &DiskFile, backing: &Backing) -> Result<Value, OpenDiskError> {
        let base = self.beside(disk, &backing.file)?;
        let format = match backing.format.as_deref() {
            Some("raw") => DiskFormat::Raw,
            Some("qcow2") => DiskFormat::Qcow2,
            Some("vmdk") => DiskFormat::Vmdk,
            Some("vhdx") => DiskFormat::Vhdx,
            _ => {
                let reference = printable(&backing.file);
                return Err(OpenDiskError::BackingFormat { path: disk.path.clone(), reference });
            }
        };
        self.node(&base, format)
    }

    fn vmdk(&mut self, disk: &DiskFile, file: Value) -> Result<Value, OpenDiskError> {
        let found = expect(disk, DiskFormat::Vmdk, &[Found::VmdkSparse, Found::VmdkDescriptor])?;
        if found == Found::VmdkSparse {
            sparse_vmdk(disk)?;
        } else {
            let text = String::from_utf8_lossy(&disk.read(0, MAX_DESCRIPTOR)?).into_owned();
            vmdk::check_parent(&text).map_err(|refused| refused_vmdk(disk, refused))?;
            for extent in vmdk::extent_files(&text).map_err(|refused| refused_vmdk(disk, refused))? {
                let part = self.beside(disk, &extent.name)?;
                match extent.kind {
                    ExtentKind::Sparse if part.identify()? == Found::VmdkSparse => sparse_vmdk(&part)?,
                    ExtentKind::Flat { length } if part.metadata.len() < length => {
                        return Err(malformed(&part, "it is shorter than the descriptor beside it says"));
                    }
                    _ => {}
                }
                self.files.push(part.path);
            }
        }
        let node = json!({ "driver": "vmdk", "file": file, "backing": null });
        self.layers.push((disk.path.clone(), node.clone()));
        Ok(node)
    }

    /// A file another one refers to, if it may be opened.
    fn beside(&self, disk: &DiskFile, name: &str) -> Result<DiskFile, OpenDiskError> {
        let reference = printable(name);
        // A descriptor is a text only when it is tiny (see `header`), so no guest wrote its extents into a disk.
        if self.by == FormatBy::Header && disk.identify()? != Found::VmdkDescriptor {
            return Err(OpenDiskError::OverlayNeedsFormat { path: disk.path.clone(), reference });
        }
        let outside =
            || OpenDiskError::OutsideFolder { path: disk.path.clone(), reference: reference.clone() };
        let found = self.folder.join(name).canonicalize().map_err(|_| outside())?;
        if found.parent() != Some(&self.folder) || !found.is_file() {
            return Err(outside());
        }
        DiskFile::open(&found)
    }
}

/// Checks a VMDK with a header of its own.
fn sparse_vmdk(disk: &DiskFile) -> Result<(), OpenDiskError> {
    let embedded = vmdk::parse_sparse(&disk.head()?).map_err(|what| malformed(disk, what))?;
    if let Some(place) = embedded {
        let length = usize::try_from(place.length).unwrap_or(MAX_DESCRIPTOR).min(MAX_DESCRIPTOR);
        let descriptor = disk.read(place.offset, length)?;
        vmdk::check_parent(&String::from_utf8_lossy(&descriptor))
            .map_err(|refused| refused_vmdk(disk, refused))?;
    }
    Ok(())
}

fn expect(disk: &DiskFile, format: DiskFormat, wanted: &[Found]) -> Result<Found, OpenDiskError> {
    let found = disk.identify()?;
    if wanted.contains(&found) {
        return Ok(found);
    }
    Err(OpenDiskError::NotOfFormat {
        path: disk.path.clone(),
        expected: format_name(format),
        found: format!("it looks like {}", found.name()),
    })
}

fn refused_vmdk(disk: &DiskFile, refused: Refused) -> OpenDiskError {
    let path = disk.path.clone();
    match refused {
        Refused::Malformed => malformed(disk, "its descriptor names no files or names them wrongly"),
        Refused::Path(name) => OpenDiskError::OutsideFolder { path, reference: printable(&name) },
        Refused::HasParent => OpenDiskError::Unreadable {
            path,
            what: "it is a snapshot on top of another disk",
            remedy: "Consolidate the machine's snapshots first",
        },
        Refused::UnknownExtent => OpenDiskError::Unreadable {
            path,
            what: "it has a part of a kind that would read as nothing",
            remedy: "Convert it with the hypervisor's own tools",
        },
    }
}

fn malformed(disk: &DiskFile, what: &'static str) -> OpenDiskError {
    OpenDiskError::Malformed { path: disk.path.clone(), what }
}

/// JSON has no other strings; a path that is none cannot be told to QEMU.
fn text(path: &Path) -> Result<&str, OpenDiskError> {
    path.to_str().ok_or_else(|| OpenDiskError::Unreadable {
        path: path.to_owned(),
        what: "its path is not UTF-8 text",
        remedy: "Rename the file or the folder",
    })
}

fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(200).collect()
}
