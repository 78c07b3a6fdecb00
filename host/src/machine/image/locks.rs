//! Whether somebody else is writing a disk: file locks, as the kernel lists them.
//!
//! QEMU marks an image it may write by a shared lock on byte 101 of the file (byte 201 says that others may not). Other
//! hypervisors and tools take an exclusive lock on the whole. Both are visible in `/proc/locks`, and looking does not
//! disturb the holder. Locks on a network share that another machine holds are not in that list; QEMU on this box would
//! not see them there either unless the share passes locks on.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;

const QEMU_WRITES: u64 = 101;
/// A list longer than this belongs to a machine that is not a small appliance.
const MAX_LIST: u64 = 4 << 20;

/// Who holds a lock that says "this is being written", in words.
pub(super) fn holder(metadata: &Metadata) -> io::Result<Option<String>> {
    let mut list = String::new();
    File::open("/proc/locks")?.take(MAX_LIST).read_to_string(&mut list)?;
    let device = metadata.dev();
    Ok(find(&list, rustix::fs::major(device), rustix::fs::minor(device), metadata.ino()))
}

/// Looks a file up in the text of `/proc/locks`.
fn find(list: &str, major: u32, minor: u32, inode: u64) -> Option<String> {
    list.lines().find_map(|line| {
        // A process waiting for a lock has an arrow in front; it holds nothing.
        let words: Vec<&str> = line.split_ascii_whitespace().skip(1).collect();
        let [kind, _, mode, pid, file, start, end] = words.as_slice() else { return None };
        if !is_file(file, major, minor, inode) {
            return None;
        }
        let start: u64 = start.parse().ok()?;
        let end: u64 = if *end == "EOF" { u64::MAX } else { end.parse().ok()? };
        match (*kind, *mode) {
            ("OFDLCK" | "POSIX", "READ") if end != u64::MAX && (start..=end).contains(&QEMU_WRITES) => {
                Some("a running virtual machine".to_owned())
            }
            ("OFDLCK" | "POSIX" | "FLOCK", "WRITE") => Some(match pid.parse::<u32>() {
                Ok(pid) => format!("process {pid}, which has locked it"),
                Err(_) => "another program, which has locked it".to_owned(),
            }),
            _ => None,
        }
    })
}

fn is_file(text: &str, major: u32, minor: u32, inode: u64) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let [found_major, found_minor, found_inode] = parts.as_slice() else { return false };
    u32::from_str_radix(found_major, 16) == Ok(major)
        && u32::from_str_radix(found_minor, 16) == Ok(minor)
        && found_inode.parse() == Ok(inode)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
1: FLOCK  ADVISORY  WRITE 11460 fe:00:10069717 0 EOF
2: FLOCK  ADVISORY  READ 11460 fe:00:672 0 EOF
6: OFDLCK ADVISORY  READ -1 fe:00:10059889 203 203
9: OFDLCK ADVISORY  READ -1 fe:00:10059889 100 101
10: OFDLCK ADVISORY  READ -1 fe:00:555 100 100
11: OFDLCK ADVISORY  READ -1 fe:00:555 201 201
12: -> FLOCK ADVISORY  WRITE 77 fe:00:777 0 EOF
";

    #[test]
    fn writers_are_told_from_readers() {
        let find = |inode| find(LIST, 0xfe, 0, inode);
        assert_eq!(find(10_059_889).as_deref(), Some("a running virtual machine"));
        assert_eq!(find(10_069_717).as_deref(), Some("process 11460, which has locked it"));
        assert_eq!(find(672), None, "a shared lock is a reader's");
        assert_eq!(find(555), None, "QEMU reading only");
        assert_eq!(find(777), None, "waiting is not holding");
        assert_eq!(super::find(LIST, 0xfd, 0, 10_059_889), None, "another device");
    }
}
