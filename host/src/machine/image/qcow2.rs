//! What a qcow2 header says of other files. Pure; the reference is `docs/interop/qcow2.txt` of QEMU.

const VERSION_2_HEADER: usize = 72;
const INCOMPATIBLE_EXTERNAL_DATA: u64 = 1 << 2;
const EXTENSION_END: u32 = 0;
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;
const EXTENSION_DATA_FILE: u32 = 0x4441_5441;
/// Longest file name the format allows.
const MAX_NAME: usize = 1023;
const MAX_EXTENSIONS: usize = 256;

/// The part of a header that decides which files are opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) backing: Option<Backing>,
    pub(super) data_file: Option<String>,
    pub(super) encrypted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Backing {
    pub(super) file: String,
    pub(super) format: Option<String>,
}

/// Reads the header from the start of a file, or says what is wrong with it.
pub(super) fn parse(head: &[u8]) -> Result<Header, &'static str> {
    const SHORT: &str = "its header is cut off";
    if !head.starts_with(b"QFI\xfb") {
        return Err("its header has no qcow2 magic number");
    }
    let version = u32_at(head, 4).ok_or(SHORT)?;
    let backing_offset = u64_at(head, 8).ok_or(SHORT)?;
    let backing_length = u32_at(head, 16).ok_or(SHORT)?;
    let encrypted = u32_at(head, 32).ok_or(SHORT)? != 0;
    let (incompatible, header_length) = match version {
        2 => (0, VERSION_2_HEADER),
        3 => {
            let length = usize::try_from(u32_at(head, 100).ok_or(SHORT)?).map_err(|_| SHORT)?;
            (u64_at(head, 72).ok_or(SHORT)?, length)
        }
        _ => return Err("its version is neither 2 nor 3"),
    };
    let extensions = extensions(head, header_length)?;
    let named = |kind| extensions.iter().find(|(found, _)| *found == kind).map(|(_, data)| *data);
    let backing = match backing_offset {
        0 => None,
        offset => {
            let start = usize::try_from(offset).map_err(|_| SHORT)?;
            let length = usize::try_from(backing_length).map_err(|_| SHORT)?;
            let end = start.checked_add(length).ok_or(SHORT)?;
            let file =
                name(head.get(start..end).ok_or("the name of its backing file lies outside its header")?)?;
            Some(Backing { file, format: named(EXTENSION_BACKING_FORMAT).map(name).transpose()? })
        }
    };
    let data_file = if incompatible & INCOMPATIBLE_EXTERNAL_DATA == 0 {
        None
    } else {
        Some(name(
            named(EXTENSION_DATA_FILE).ok_or("it keeps its data in another file but does not name it")?,
        )?)
    };
    Ok(Header { backing, data_file, encrypted })
}

fn extensions(head: &[u8], start: usize) -> Result<Vec<(u32, &[u8])>, &'static str> {
    let mut found = Vec::new();
    let mut at = start;
    for _ in 0..MAX_EXTENSIONS {
        // A header may end with the file, without the mark that ends the extensions.
        let (Some(kind), Some(length)) = (u32_at(head, at), u32_at(head, at.saturating_add(4))) else {
            return Ok(found);
        };
        if kind == EXTENSION_END {
            return Ok(found);
        }
        let length = usize::try_from(length).map_err(|_| "a header extension is too long")?;
        let data = at.saturating_add(8);
        let end = data.checked_add(length).ok_or("a header extension is too long")?;
        found.push((kind, head.get(data..end).ok_or("a header extension is too long")?));
        at = end.next_multiple_of(8);
    }
    Err("it has too many header extensions")
}

fn name(bytes: &[u8]) -> Result<String, &'static str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_empty() && text.len() <= MAX_NAME && !text.contains('\0') => Ok(text.to_owned()),
        _ => Err("it names a file in a way that cannot be read"),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_header_is_read_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), version in 0..5_u32) {
            let start = [&b"QFI\xfb"[..], &version.to_be_bytes()].concat();
            let length = bytes.len().min(start.len());
            bytes[..length].copy_from_slice(&start[..length]);
            let _ = parse(&bytes);
        }
    }
}
