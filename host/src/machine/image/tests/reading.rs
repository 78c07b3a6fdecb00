//! Each kind of disk reads like its raw twin, and what is no disk is refused by its reason.

use super::*;
use crate::machine::program::Programs;

#[test]
fn every_format_reads_like_its_raw_twin_with_its_holes_known() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, bytes) = raw_disk(folder.path());
    let cases: [(&str, &[&str], DiskFormat, &str); 6] = [
        ("qcow2", &[], DiskFormat::Qcow2, "a.qcow2"),
        ("qcow2", &["-c", "-o", "compat=0.10"], DiskFormat::Qcow2, "old, compressed: {\"x\"}.img"),
        ("vmdk", &[], DiskFormat::Vmdk, "sparse.vmdk"),
        ("vmdk", &["-o", "subformat=monolithicFlat"], DiskFormat::Vmdk, "flat.vmdk"),
        ("vmdk", &["-o", "subformat=streamOptimized"], DiskFormat::Vmdk, "stream.vmdk"),
        ("vhdx", &[], DiskFormat::Vhdx, "a.vhdx"),
    ];
    for (format, options, expected, name) in cases {
        let image = folder.path().join(name);
        convert(&raw, format, options, &image);
        assert_eq!(super::super::detect(&image).unwrap(), expected, "{name}");
        for asked in [DiskFormat::Auto, expected] {
            let disk = open(&image, asked).unwrap();
            assert!(read_all(&*disk) == bytes, "{name} reads otherwise than the raw disk");
            let holes: u64 = disk
                .extents(0, disk.size().unwrap())
                .unwrap()
                .iter()
                .filter(|extent| extent.hole)
                .map(|extent| extent.length)
                .sum();
            // A flat extent is a raw file, which knows its holes as well. QEMU tells none of VHDX: all of it is read.
            assert!(holes > 15 * MIB || expected == DiskFormat::Vhdx, "{name} has {holes} bytes of holes");
        }
    }
}

#[test]
fn raw_files_are_read_as_they_are_even_when_a_guest_wrote_a_header_into_them() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, bytes) = raw_disk(folder.path());
    assert_eq!(super::super::detect(&raw).unwrap(), DiskFormat::Raw);
    assert!(read_all(&*open(&raw, DiskFormat::Auto).unwrap()) == bytes);

    let image = folder.path().join("a.qcow2");
    convert(&raw, "qcow2", &[], &image);
    let literal = open(&image, DiskFormat::Raw).unwrap();
    assert!(read_all(&*literal) == std::fs::read(&image).unwrap());
}

#[test]
fn an_overlay_reads_through_its_backing_file_and_an_external_data_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, mut bytes) = raw_disk(folder.path());
    let base = folder.path().join("base.qcow2");
    convert(&raw, "qcow2", &[], &base);
    let top = folder.path().join("top.qcow2");
    qemu_img(&["create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", top.to_str().unwrap()]);
    run("qemu-io", "qemu-utils", &["-c", "write -P 0x5a 1M 64k", top.to_str().unwrap()]);
    bytes[1 << 20..(1 << 20) + (64 << 10)].fill(0x5a);
    let disk = open(&top, DiskFormat::Qcow2).unwrap();
    assert!(read_all(&*disk) == bytes);
    drop(disk);

    let split = folder.path().join("split.qcow2");
    let data = format!("data_file={},data_file_raw=on", folder.path().join("split.data").display());
    qemu_img(&["create", "-q", "-f", "qcow2", "-o", &data, split.to_str().unwrap(), "2M"]);
    run("qemu-io", "qemu-utils", &["-c", "write -P 0x33 0 64k", split.to_str().unwrap()]);
    let disk = open(&split, DiskFormat::Qcow2).unwrap();
    assert_eq!(read_all(&*disk)[..1 << 16], [0x33; 1 << 16]);
}

#[test]
fn an_image_can_be_read_by_many_threads() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, bytes) = raw_disk(folder.path());
    let image = folder.path().join("a.qcow2");
    convert(&raw, "qcow2", &[], &image);
    let disk = open(&image, DiskFormat::Auto).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_usize {
            let (disk, bytes) = (&disk, &bytes);
            scope.spawn(move || {
                let start = thread * (3 << 20);
                let mut part = vec![0; 3 << 20];
                disk.read_at(start as u64, &mut part).unwrap();
                assert!(part == bytes[start..start + (3 << 20)]);
            });
        }
    });
}

#[test]
fn an_nbd_server_is_a_disk_and_its_refusals_are_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, bytes) = raw_disk(folder.path());
    let server = Writer::start(&raw, "raw");
    let socket = server._folder.path().join("s");
    let uri = format!("nbd+unix:///?socket={}", socket.display());
    let disk = super::super::open(&DiskLocation::from_text(&uri)).unwrap();
    assert!(read_all(&*disk) == bytes);
    drop(disk);

    let open =
        |uri: &str| super::super::open(&DiskLocation::Nbd { uri: uri.to_owned() }).map(drop).unwrap_err();
    let refused = open(&format!("nbd+unix:///other?socket={}", socket.display()));
    assert!(
        matches!(refused, OpenDiskError::Export(_)) && refused.to_string().contains("no export"),
        "{refused}"
    );
    assert!(matches!(open("nbd+unix:///?socket=/nowhere/s"), OpenDiskError::Export(_)));
    assert!(matches!(open("nbds://nas/a"), OpenDiskError::Uri(_)));
}

#[test]
fn what_is_no_disk_is_refused_by_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert!(matches!(refused(Path::new("disk.raw"), DiskFormat::Auto), OpenDiskError::Relative { .. }));
    assert!(matches!(refused(&path("none"), DiskFormat::Auto), OpenDiskError::Missing { .. }));
    assert!(matches!(refused(folder.path(), DiskFormat::Auto), OpenDiskError::NotADisk { .. }));
    run("mkfifo", "coreutils", &[path("pipe").to_str().unwrap()]);
    assert!(matches!(refused(&path("pipe"), DiskFormat::Auto), OpenDiskError::NotADisk { .. }));
    assert!(matches!(refused(Path::new("/dev/zero"), DiskFormat::Raw), OpenDiskError::NotADisk { .. }));
    std::fs::write(path("empty"), b"").unwrap();
    for format in [DiskFormat::Auto, DiskFormat::Raw, DiskFormat::Qcow2] {
        assert!(matches!(refused(&path("empty"), format), OpenDiskError::Empty { .. }));
    }
    std::fs::write(path("text"), b"not an image").unwrap();
    for format in [DiskFormat::Qcow2, DiskFormat::Vmdk, DiskFormat::Vhdx] {
        assert!(matches!(refused(&path("text"), format), OpenDiskError::NotOfFormat { .. }));
    }
}

#[test]
fn formats_that_are_not_read_are_not_taken_for_raw_disks() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    for (format, options, name) in
        [("vdi", &[][..], "VDI"), ("vpc", &[][..], "VHD"), ("vpc", &["-o", "subformat=fixed"][..], "VHD")]
    {
        let image = folder.path().join("other");
        convert(&raw, format, options, &image);
        let refused = refused(&image, DiskFormat::Auto);
        assert!(
            matches!(refused, OpenDiskError::UnsupportedFormat { found, .. } if found.contains(name)),
            "{refused:?}"
        );
        assert!(open(&image, DiskFormat::Raw).is_ok(), "a person may insist");
    }
}

#[test]
fn a_disk_this_user_may_not_read_is_refused_as_such() {
    use std::os::unix::fs::PermissionsExt;
    const WITHOUT_PRIVILEGE: &str = "HOLDFAST_TEST_DISK";
    if let Some(disk) = std::env::var_os(WITHOUT_PRIVILEGE) {
        let error = refused(Path::new(&disk), DiskFormat::Auto);
        assert!(matches!(error, OpenDiskError::NotPermitted { .. }), "{error:?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    std::fs::set_permissions(&raw, std::fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything, so this very test runs once more without that privilege.
    let mut again = Command::new("setpriv");
    again.args(["--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--"]);
    again.arg(std::env::current_exe().unwrap());
    let name = std::thread::current().name().unwrap().to_owned();
    let root = rustix::process::geteuid().is_root();
    let mut again = if root { again } else { Command::new(std::env::current_exe().unwrap()) };
    let output = again.args(["--exact", &name]).env(WITHOUT_PRIVILEGE, &raw).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn without_qemu_nbd_the_error_names_the_package() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let image = folder.path().join("a.qcow2");
    convert(&raw, "qcow2", &[], &image);
    let nowhere = Programs::in_folders(folder.path());
    let refused = super::super::open_with(&at(&image, DiskFormat::Auto), &nowhere).map(drop).unwrap_err();
    let OpenDiskError::MissingProgram { source, .. } = &refused else { panic!("{refused:?}") };
    assert!(source.to_string().contains("apt-get install qemu-utils"), "{source}");
    assert!(super::super::open_with(&at(&raw, DiskFormat::Auto), &nowhere).is_ok(), "raw disks need no QEMU");
}
