//! Custom sections at the top of a component, found and appended. No dependencies: the build script uses this file too.
//!
//! Only the outermost layer is walked. What is nested inside a component is a payload here, so a section that an author
//! hides in there is never taken for the package's own.

/// One custom section.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section<'a> {
    /// Where it begins, its id byte included.
    pub start: usize,
    /// Where the next one begins.
    pub end: usize,
    /// Its name.
    pub name: &'a str,
    /// What it holds.
    pub data: &'a [u8],
}

/// Why bytes are not a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotComponent {
    /// Not WebAssembly at all.
    Foreign,
    /// WebAssembly, but a core module.
    CoreModule,
    /// Cut off or garbled from this byte on.
    Damaged(usize),
}

const MAGIC: &[u8] = b"\0asm";
const COMPONENT: &[u8] = &[0x0d, 0, 1, 0];
const CORE: &[u8] = &[1, 0, 0, 0];

/// The custom sections of a component, in order.
pub(super) fn custom_sections(bytes: &[u8]) -> Result<Vec<Section<'_>>, NotComponent> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(NotComponent::Foreign)?;
    if rest.starts_with(CORE) {
        return Err(NotComponent::CoreModule);
    }
    let mut rest = rest.strip_prefix(COMPONENT).ok_or(NotComponent::Foreign)?;
    let mut found = Vec::new();
    while let Some((&id, after)) = rest.split_first() {
        let start = bytes.len() - rest.len();
        let damaged = NotComponent::Damaged(start);
        let (length, after) = number(after).ok_or(damaged)?;
        let (payload, after) = after.split_at_checked(length).ok_or(damaged)?;
        if id == 0 {
            let (name, data) = name(payload).ok_or(damaged)?;
            found.push(Section { start, end: bytes.len() - after.len(), name, data });
        }
        rest = after;
    }
    Ok(found)
}

/// Appends a custom section.
pub(super) fn append(bytes: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut payload = Vec::with_capacity(data.len() + name.len() + 5);
    put_number(&mut payload, name.len());
    payload.extend_from_slice(name.as_bytes());
    payload.extend_from_slice(data);
    bytes.push(0);
    put_number(bytes, payload.len());
    bytes.append(&mut payload);
}

fn name(payload: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = number(payload)?;
    let (name, data) = rest.split_at_checked(length)?;
    Some((std::str::from_utf8(name).ok()?, data))
}

/// An unsigned LEB128 number of at most 32 bits.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value: u64 = 0;
    for (place, &byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).ok()?;
            return Some((usize::try_from(value).ok()?, bytes.get(place + 1..)?));
        }
    }
    None
}

fn put_number(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or(0);
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}
