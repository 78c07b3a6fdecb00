//! How objects are named.
//!
//! Names tell nothing about content: they are random, or hashes of sealed bytes. Packs are spread over 256 prefixes,
//! since a directory with a hundred thousand files is slow on many shares.

use object_store::path::Path;

use crate::id::{ObjectHash, PointId};

pub(crate) const CONFIG: &str = "config";
pub(crate) const POINTS: &str = "points";
pub(crate) const PENDING: &str = "pending";
pub(crate) const TOMBSTONES: &str = "tombstones";
pub(crate) const HOLDS: &str = "holds";
pub(crate) const INDEX: &str = "index";
pub(crate) const DAMAGED: &str = "damaged";
pub(crate) const INTENTS: &str = "intents";
pub(crate) const CLOCK: &str = "prune/clock";
pub(crate) const CONDEMNED: &str = "prune/condemned";

/// What a pack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum PackKind {
    /// Blocks of disks.
    Data,
    /// Pages of maps.
    Map,
}

impl PackKind {
    pub(crate) const BOTH: [Self; 2] = [Self::Data, Self::Map];

    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Map => "map",
        }
    }

    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Data => 0,
            Self::Map => 1,
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::BOTH.into_iter().find(|kind| kind.number() == number)
    }
}

/// The name of a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PackName {
    pub(crate) kind: PackKind,
    pub(crate) hash: ObjectHash,
}

impl PackName {
    pub(crate) fn path(&self) -> Path {
        let hash = self.hash.to_string();
        let prefix = hash.get(..2).unwrap_or_default();
        Path::from(format!("{}/{prefix}/{hash}", self.kind.prefix()))
    }

    pub(crate) fn parse(path: &Path) -> Option<Self> {
        let mut parts = path.as_ref().rsplit('/');
        let hash = parts.next()?.parse().ok()?;
        let kind = PackKind::BOTH.into_iter().find(|kind| path.as_ref().starts_with(kind.prefix()))?;
        let name = Self { kind, hash };
        (name.path() == *path).then_some(name)
    }
}

pub(crate) fn config() -> Path {
    Path::from(CONFIG)
}

/// Whether a vault would have made this object. A directory may hold other files, such as a share's own.
pub(crate) fn is_ours(path: &Path) -> bool {
    let first = path.parts().next();
    let first = first.as_ref().map_or("", |part| part.as_ref());
    let packs = PackKind::BOTH.map(PackKind::prefix);
    first == CONFIG || [POINTS, PENDING, INDEX].contains(&first) || packs.contains(&first)
}

/// An object named by a point: `points/…`, `pending/…`, `tombstones/…`, `holds/…`.
pub(crate) fn of_point(prefix: &str, point: PointId) -> Path {
    Path::from(format!("{prefix}/{point}"))
}

/// The last part of a path as an id; `None` for what is no object of ours.
pub(crate) fn id_of<T: std::str::FromStr>(path: &Path) -> Option<T> {
    path.filename().and_then(|name| name.parse().ok())
}

pub(crate) fn index_run(hash: ObjectHash) -> Path {
    Path::from(format!("{INDEX}/{hash}"))
}

pub(crate) fn intent(id: PointId) -> Path {
    Path::from(format!("{INTENTS}/{id}"))
}
