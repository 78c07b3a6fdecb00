//! What a VMDK says of other files: its descriptor's extents and parent. Pure.
//!
//! A descriptor may name any file of the box as an extent. What is accepted here is less than what QEMU accepts: plain
//! names only, every extent of a type QEMU reads, no parent.

/// Where the descriptor inside a sparse VMDK lies, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Embedded {
    pub(super) offset: u64,
    pub(super) length: u64,
}

const SECTOR: u64 = 512;
/// QEMU reads no more of a descriptor either.
const MAX_DESCRIPTOR: u64 = 64 * 1024;

/// Looks at the header of a sparse VMDK, which may be a disk or one extent of a disk.
pub(super) fn parse_sparse(head: &[u8]) -> Result<Option<Embedded>, &'static str> {
    const SHORT: &str = "its header is cut off";
    if !head.starts_with(b"KDMV") {
        return Err("its header has no VMDK magic number");
    }
    // Without a capacity of its own, QEMU would follow the descriptor inside to other files.
    if u64_at(head, 12).ok_or(SHORT)? == 0 {
        return Err("its header says it has no capacity");
    }
    let offset = u64_at(head, 28).ok_or(SHORT)?;
    let length = u64_at(head, 36).ok_or(SHORT)?;
    if offset == 0 {
        return Ok(None);
    }
    let offset = offset.checked_mul(SECTOR).ok_or("its descriptor lies outside the file")?;
    Ok(Some(Embedded { offset, length: length.saturating_mul(SECTOR).min(MAX_DESCRIPTOR) }))
}

/// What is wrong with a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The disk is a snapshot on top of another.
    HasParent,
    /// A part of the disk would be left out.
    UnknownExtent,
    /// A name that leads out of the folder.
    Path(String),
    Malformed,
}

/// One file of a disk, as its descriptor names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExtentFile {
    pub(super) name: String,
    pub(super) kind: ExtentKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExtentKind {
    /// The file has a header of its own.
    Sparse,
    /// The bytes of the disk as they are; the file has at least this many.
    Flat { length: u64 },
}

/// Refuses a descriptor that makes the disk depend on a parent.
pub(super) fn check_parent(descriptor: &str) -> Result<(), Refused> {
    for line in descriptor.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (key.trim(), value.trim());
        if key.eq_ignore_ascii_case("parentFileNameHint")
            || (key.eq_ignore_ascii_case("parentCID") && !value.eq_ignore_ascii_case("ffffffff"))
        {
            return Err(Refused::HasParent);
        }
    }
    Ok(())
}

/// The files a descriptor names, if all of them may be opened.
pub(super) fn extent_files(descriptor: &str) -> Result<Vec<ExtentFile>, Refused> {
    let mut files = Vec::new();
    for line in descriptor.lines().map(str::trim) {
        let mut words = line.split_ascii_whitespace();
        let access = words.next().unwrap_or_default();
        if !matches!(access, "RW" | "RDONLY" | "NOACCESS") {
            continue;
        }
        let sectors = words.next().unwrap_or_default();
        let kind = words.next().unwrap_or_default();
        let sectors = sectors.parse::<u64>().map_err(|_| Refused::Malformed)?;
        let mut quoted = line.split('"').skip(1);
        let (name, rest) = (quoted.next(), quoted.next().unwrap_or_default());
        let kind = match (access, kind) {
            ("RW", "FLAT" | "VMFS") => {
                // ESX leaves the place of a whole file out.
                let start = rest.split_ascii_whitespace().next().unwrap_or("0");
                let start = start.parse::<u64>().map_err(|_| Refused::Malformed)?;
                ExtentKind::Flat { length: start.saturating_add(sectors).saturating_mul(SECTOR) }
            }
            ("RW", "SPARSE" | "VMFSSPARSE" | "SESPARSE") => ExtentKind::Sparse,
            _ => return Err(Refused::UnknownExtent),
        };
        let name = name.ok_or(Refused::Malformed)?;
        let plain = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', ':', '\\', '\0']);
        if !plain {
            return Err(Refused::Path(name.to_owned()));
        }
        files.push(ExtentFile { name: name.to_owned(), kind });
    }
    if files.is_empty() { Err(Refused::Malformed) } else { Ok(files) }
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["/etc/shadow", "../x", "a/b", "nbd:host:1", "json:{}", ""] {
            let text = format!("# Disk DescriptorFile\nRW 8 FLAT \"{name}\" 0\n");
            assert_eq!(extent_files(&text), Err(Refused::Path(name.to_owned())));
        }
    }

    #[test]
    fn parts_that_would_be_left_out_are_refused() {
        for line in ["RW 8 ZERO", "RDONLY 8 FLAT \"a\" 0", "NOACCESS 8 FLAT \"a\" 0", "RW 8 VMFSRDM \"a\" 0"]
        {
            assert_eq!(extent_files(line), Err(Refused::UnknownExtent), "{line}");
        }
        assert_eq!(extent_files("version=1"), Err(Refused::Malformed));
    }

    #[test]
    fn a_snapshot_is_known_by_its_parent() {
        assert_eq!(check_parent("CID=1\nparentCID=ffffffff\n"), Ok(()));
        assert_eq!(check_parent("parentCID=3263b9de\n"), Err(Refused::HasParent));
        assert_eq!(check_parent("parentCID=ffffffff\nparentFileNameHint=\"a\"\n"), Err(Refused::HasParent));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..100), text in ".*") {
            let _ = parse_sparse(&[b"KDMV", &bytes[..]].concat());
            let _ = check_parent(&text);
            let _ = extent_files(&format!("RW {text}"));
        }
    }
}
