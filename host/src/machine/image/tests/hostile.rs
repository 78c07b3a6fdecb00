//! Images that try to make this box read other files than their own.

use super::super::file::DiskFile;
use super::super::qemu_nbd::QemuNbd;
use super::*;
use crate::machine::program::Programs;

const SECRET: &str = "/etc/passwd";

/// An image of its own size, so that its backing file need not exist.
fn create(folder: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let image = folder.join(name);
    let mut all = vec!["create", "-q", "-f", "qcow2"];
    all.extend_from_slice(arguments);
    all.extend_from_slice(&[image.to_str().unwrap(), "24M"]);
    qemu_img(&all);
    image
}

#[test]
fn a_backing_file_outside_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for reference in [SECRET, "../../../etc/passwd", "nbd://localhost:1/a", "json:{\"driver\":\"file\"}"] {
        let image = create(folder.path(), "a.qcow2", &["-u", "-F", "raw", "-b", reference]);
        let error = refused(&image, DiskFormat::Qcow2);
        assert!(matches!(error, OpenDiskError::OutsideFolder { .. }), "{reference}: {error:?}");
        let error = refused(&image, DiskFormat::Auto);
        assert!(matches!(error, OpenDiskError::OverlayNeedsFormat { .. }), "{reference}: {error:?}");
    }
}

#[test]
fn a_link_in_the_folder_does_not_lead_out_of_it() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(SECRET, folder.path().join("innocent.raw")).unwrap();
    let image = create(folder.path(), "a.qcow2", &["-u", "-F", "raw", "-b", "innocent.raw"]);
    assert!(matches!(refused(&image, DiskFormat::Qcow2), OpenDiskError::OutsideFolder { .. }));
}

#[test]
fn a_guest_that_writes_an_overlay_header_into_its_raw_disk_reads_nobody_elses_disk() {
    let folder = tempfile::tempdir().unwrap();
    let (other, _) = raw_disk(folder.path());
    let header = create(folder.path(), "h.qcow2", &["-F", "raw", "-b", other.to_str().unwrap()]);
    let guests = folder.path().join("guest.raw");
    let mut disk = std::fs::read(header).unwrap();
    disk.resize(8 << 20, 0);
    std::fs::write(&guests, disk).unwrap();
    let error = refused(&guests, DiskFormat::Auto);
    assert!(matches!(error, OpenDiskError::OverlayNeedsFormat { .. }), "{error:?}");

    let text = format!("# Disk DescriptorFile\nparentCID=ffffffff\nRW 8 FLAT \"{}\" 0\n", "disk.raw");
    let mut disk = text.into_bytes();
    disk.resize(8 << 20, 0);
    std::fs::write(&guests, disk).unwrap();
    assert_eq!(super::super::detect(&guests).unwrap(), DiskFormat::Raw, "a large text is a disk");
}

#[test]
fn an_external_data_file_elsewhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let away = tempfile::tempdir().unwrap();
    let data = format!("data_file={}", away.path().join("d").display());
    let image = folder.path().join("a.qcow2");
    qemu_img(&["create", "-q", "-f", "qcow2", "-o", &data, image.to_str().unwrap(), "1M"]);
    assert!(matches!(refused(&image, DiskFormat::Qcow2), OpenDiskError::OutsideFolder { .. }));
    assert!(matches!(refused(&image, DiskFormat::Auto), OpenDiskError::OverlayNeedsFormat { .. }));
}

#[test]
fn a_backing_file_of_no_said_format_and_an_overlay_on_itself_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _) = raw_disk(folder.path());
    let image = create(folder.path(), "a.qcow2", &["-F", "raw", "-b", "disk.raw"]);
    let mut bytes = std::fs::read(&image).unwrap();
    let mark = 0xe279_2aca_u32.to_be_bytes();
    let place = bytes.windows(4).position(|window| window == mark).unwrap();
    bytes[place..place + 4].copy_from_slice(&0x1234_5678_u32.to_be_bytes());
    std::fs::write(&image, bytes).unwrap();
    assert!(matches!(refused(&image, DiskFormat::Qcow2), OpenDiskError::BackingFormat { .. }));

    let image = create(folder.path(), "self.qcow2", &["-u", "-F", "qcow2", "-b", "self.qcow2"]);
    assert!(matches!(refused(&image, DiskFormat::Qcow2), OpenDiskError::Malformed { .. }));
}

#[test]
fn an_encrypted_image_is_refused_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("a.qcow2");
    let options = [
        "--object",
        "secret,id=s,data=abc",
        "-o",
        "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10",
    ];
    let mut all = vec!["create", "-q", "-f", "qcow2"];
    all.extend_from_slice(&options);
    all.extend_from_slice(&[image.to_str().unwrap(), "1M"]);
    qemu_img(&all);
    let error = refused(&image, DiskFormat::Auto);
    assert!(
        matches!(error, OpenDiskError::Unreadable { .. }) && error.to_string().contains("encrypted"),
        "{error}"
    );
}

#[test]
fn a_vmdk_that_names_files_elsewhere_or_a_parent_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(SECRET, folder.path().join("innocent.vmdk")).unwrap();
    let image = folder.path().join("a.vmdk");
    for extent in [SECRET, "../x", "innocent.vmdk", "missing.vmdk", "nbd:localhost:1"] {
        let text = format!(
            "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\ncreateType=\"monolithicFlat\"\n\
             RW 2 FLAT \"{extent}\" 0\n"
        );
        std::fs::write(&image, text).unwrap();
        let error = refused(&image, DiskFormat::Vmdk);
        assert!(matches!(error, OpenDiskError::OutsideFolder { .. }), "{extent}: {error:?}");
    }

    let (raw, _) = raw_disk(folder.path());
    let base = folder.path().join("base.vmdk");
    convert(&raw, "vmdk", &[], &base);
    let child = folder.path().join("child.vmdk");
    qemu_img(&[
        "create",
        "-q",
        "-f",
        "vmdk",
        "-b",
        base.to_str().unwrap(),
        "-F",
        "vmdk",
        child.to_str().unwrap(),
    ]);
    let error = refused(&child, DiskFormat::Vmdk);
    assert!(
        matches!(error, OpenDiskError::Unreadable { .. }) && error.to_string().contains("snapshot"),
        "{error}"
    );
}

#[test]
fn files_qemu_opened_beyond_its_task_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let image = folder.path().join("flat.vmdk");
    convert(&raw, "vmdk", &["-o", "subformat=monolithicFlat"], &image);
    // As if the check of the descriptor had overlooked the extent.
    let disk = DiskFile::open(&image).unwrap();
    let node = serde_json::json!({ "driver": "vmdk", "file": { "driver": "file", "filename": image } });
    let qemu = QemuNbd::start(&Programs::from_environment(), &image, &node).unwrap();
    let _client = qemu.connect().unwrap();
    let identity = |path: &Path| super::super::file::Fingerprint::take(path).unwrap().identity;
    let extent = folder.path().join("flat-flat.vmdk");
    let opened = qemu.opened_beyond(&[identity(&disk.path)]).unwrap();
    assert_eq!(opened.map(|path| path.canonicalize().unwrap()), Some(extent.canonicalize().unwrap()));
    assert_eq!(qemu.opened_beyond(&[identity(&disk.path), identity(&extent)]).unwrap(), None);
}
