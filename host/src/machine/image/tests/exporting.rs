//! Restored disks as files: whole and in the right format, or not there at all.

use super::super::export::{ExportDiskError, ImageExport};
use super::*;
use crate::machine::program::Programs;

fn write_disk(export: &ImageExport, bytes: &[u8]) {
    let writer = export.writer();
    writer.prepare(bytes.len() as u64).unwrap();
    assert!(writer.is_blank());
    for (index, block) in bytes.chunks(1 << 16).enumerate() {
        if block.iter().any(|byte| *byte != 0) {
            writer.write_at((index << 16) as u64, block).unwrap();
        }
    }
    writer.finish().unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_format_holds_the_same_disk_and_nothing_else_is_left() {
    let source = tempfile::tempdir().unwrap();
    let (_, bytes) = raw_disk(source.path());
    for format in [DiskFormat::Raw, DiskFormat::Qcow2, DiskFormat::Vmdk, DiskFormat::Vhdx] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("restored: disk.img");
        let export = ImageExport::begin(&target, format, false).unwrap();
        write_disk(&export, &bytes);
        export.finish(&|| false).unwrap();
        assert_eq!(names(folder.path()), ["restored: disk.img"]);
        assert_eq!(super::super::detect(&target).unwrap(), format);
        assert!(read_all(&*open(&target, format).unwrap()) == bytes, "{format:?}");
        let stored = std::os::unix::fs::MetadataExt::blocks(&target.metadata().unwrap()) * 512;
        assert!(stored < 12 * MIB, "{format:?} takes {stored} bytes for 2 MB of data");
    }
}

#[test]
fn an_existing_file_is_replaced_only_when_asked_and_never_under_a_machine() {
    let folder = tempfile::tempdir().unwrap();
    let (target, bytes) = raw_disk(folder.path());
    let refused = ImageExport::begin(&target, DiskFormat::Qcow2, false).unwrap_err();
    assert!(matches!(refused, ExportDiskError::Exists { .. }), "{refused:?}");

    let machine = Writer::start(&target, "raw");
    let refused = ImageExport::begin(&target, DiskFormat::Raw, true).unwrap_err();
    assert!(matches!(refused, ExportDiskError::InUse { .. }), "{refused:?}");
    drop(machine);

    let export = ImageExport::begin(&target, DiskFormat::Qcow2, true).unwrap();
    write_disk(&export, &bytes[..1 << 20]);
    assert!(std::fs::read(&target).unwrap() == bytes, "the old disk stays until the new one is whole");
    export.finish(&|| false).unwrap();
    assert!(read_all(&*open(&target, DiskFormat::Qcow2).unwrap()) == bytes[..1 << 20]);
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("disk");
    for format in [DiskFormat::Raw, DiskFormat::Qcow2] {
        let export = ImageExport::begin(&target, format, false).unwrap();
        write_disk(&export, &[7; 1 << 16]);
        std::fs::write(&target, b"somebody else's").unwrap();
        let refused = export.finish(&|| false).unwrap_err();
        assert!(matches!(refused, ExportDiskError::Exists { .. }), "{refused:?}");
        assert_eq!(std::fs::read(&target).unwrap(), b"somebody else's");
        assert_eq!(names(folder.path()), ["disk"]);
        std::fs::remove_file(&target).unwrap();
    }
}

#[test]
fn a_failed_cancelled_or_dropped_export_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("disk");
    let begin = |format| ImageExport::begin(&target, format, false).unwrap();

    let export = begin(DiskFormat::Qcow2);
    write_disk(&export, &[1; 1 << 16]);
    drop(export);
    assert_eq!(names(folder.path()), Vec::<String>::new());

    let export = begin(DiskFormat::Qcow2);
    write_disk(&export, &[1; 1 << 16]);
    assert!(matches!(export.finish(&|| true).unwrap_err(), ExportDiskError::Cancelled { .. }));
    assert_eq!(names(folder.path()), Vec::<String>::new());

    let export = begin(DiskFormat::Vhdx);
    write_disk(&export, &[1; 1 << 16]);
    // A folder where the converted file should go is something the tool cannot get past.
    std::fs::create_dir(folder.path().join(".disk.holdfast-image")).unwrap();
    let failed = export.finish(&|| false).unwrap_err();
    assert!(matches!(&failed, ExportDiskError::Convert { message, .. } if !message.is_empty()), "{failed:?}");
    assert_eq!(names(folder.path()), [".disk.holdfast-image"]);
}

#[test]
fn what_a_killed_restore_left_is_taken_over_and_a_second_restore_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("disk");
    std::fs::write(folder.path().join(".disk.holdfast-part"), noise(5000, 1)).unwrap();
    std::fs::write(folder.path().join(".disk.holdfast-image"), noise(5000, 2)).unwrap();
    let export = ImageExport::begin(&target, DiskFormat::Qcow2, false).unwrap();
    let second = ImageExport::begin(&target, DiskFormat::Raw, false).unwrap_err();
    assert!(matches!(second, ExportDiskError::Busy { .. }), "{second:?}");
    write_disk(&export, &[9; 1 << 16]);
    export.finish(&|| false).unwrap();
    assert_eq!(names(folder.path()), ["disk"]);
    assert!(read_all(&*open(&target, DiskFormat::Qcow2).unwrap()) == [9; 1 << 16]);
}

#[test]
fn what_cannot_be_written_is_refused_before_the_restore() {
    let folder = tempfile::tempdir().unwrap();
    let begin = |target: &Path| ImageExport::begin(target, DiskFormat::Raw, true).unwrap_err();
    assert!(matches!(begin(folder.path()), ExportDiskError::NotAFile { .. }));
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
    assert!(matches!(begin(&folder.path().join("link")), ExportDiskError::NotAFile { .. }));
    assert!(matches!(begin(&folder.path().join("none/disk")), ExportDiskError::Folder { .. }));
    let nowhere = Programs::in_folders(folder.path());
    let missing =
        ImageExport::begin_with(&folder.path().join("d"), DiskFormat::Qcow2, false, nowhere).unwrap_err();
    let ExportDiskError::MissingProgram { source, .. } = missing else { panic!("{missing:?}") };
    assert!(source.to_string().contains("apt-get install qemu-utils"), "{source}");
}
