//! Disks that somebody uses, and disks that change or fail while they are read.

use std::io::{BufRead, ErrorKind};

use super::super::DiskChanged;
use super::*;

fn changed(error: &std::io::Error) -> &DiskChanged {
    error.get_ref().and_then(|inner| inner.downcast_ref()).unwrap_or_else(|| panic!("{error:?}"))
}

#[test]
fn a_disk_a_machine_is_writing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let image = folder.path().join("a.qcow2");
    convert(&raw, "qcow2", &[], &image);
    for (path, format) in [(&raw, "raw"), (&image, "qcow2")] {
        let machine = Writer::start(path, format);
        let error = refused(path, DiskFormat::Auto);
        assert!(
            matches!(&error, OpenDiskError::InUse { holder, .. } if holder.contains("virtual machine")),
            "{error:?}"
        );
        drop(machine);
        assert!(open(path, DiskFormat::Auto).is_ok(), "{format} is free again");
    }
}

#[test]
fn an_exclusive_lock_is_respected_and_a_shared_one_is_not_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let holder = std::fs::File::open(&raw).unwrap();
    holder.lock_shared().unwrap();
    assert!(open(&raw, DiskFormat::Auto).is_ok());
    holder.lock().unwrap();
    let error = refused(&raw, DiskFormat::Auto);
    assert!(
        matches!(&error, OpenDiskError::InUse { holder, .. } if holder.contains(&std::process::id().to_string())),
        "{error:?}"
    );
}

#[test]
fn a_machine_that_starts_during_a_backup_is_noticed_on_a_raw_disk_and_kept_off_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let disk = open(&raw, DiskFormat::Auto).unwrap();
    let machine = Writer::start(&raw, "raw");
    let error = disk.size().unwrap_err();
    assert!(matches!(changed(&error), DiskChanged::InUse { .. }), "{error:?}");
    drop((machine, disk));

    let image = folder.path().join("a.qcow2");
    convert(&raw, "qcow2", &[], &image);
    let disk = open(&image, DiskFormat::Auto).unwrap();
    let mut machine = Writer::start(&image, "qcow2");
    let status = machine.child.wait().unwrap();
    assert!(!status.success(), "QEMU's own lock kept the writer off");
    assert_eq!(disk.size().unwrap(), 24 * MIB);
}

#[test]
fn a_disk_that_shrinks_or_grows_while_it_is_read_answers_with_its_new_size() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let disk = open(&raw, DiskFormat::Raw).unwrap();
    let file = std::fs::File::options().write(true).open(&raw).unwrap();
    file.set_len(30 * MIB).unwrap();
    assert_eq!(disk.size().unwrap(), 30 * MIB);
    file.set_len(10 * MIB).unwrap();
    assert_eq!(disk.size().unwrap(), 10 * MIB);
    let error = disk.read_at(10 * MIB - 512, &mut [0; 1024]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn an_image_that_is_written_without_a_lock_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let image = folder.path().join("flat.vmdk");
    convert(&raw, "vmdk", &["-o", "subformat=monolithicFlat"], &image);
    let disk = open(&image, DiskFormat::Auto).unwrap();
    assert_eq!(disk.size().unwrap(), 24 * MIB);
    let part = std::fs::File::options().write(true).open(folder.path().join("flat-flat.vmdk")).unwrap();
    part.set_len(25 * MIB).unwrap();
    let error = disk.size().unwrap_err();
    assert!(matches!(changed(&error), DiskChanged::Written { .. }), "{error:?}");
}

#[test]
fn an_image_whose_tables_point_nowhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let image = folder.path().join("a.qcow2");
    convert(&raw, "qcow2", &[], &image);
    // The first table of the second level is found through the first entry of the first; point it beyond everything.
    let file = std::fs::File::options().read(true).write(true).open(&image).unwrap();
    let mut field = [0; 8];
    file.read_exact_at(&mut field, 40).unwrap();
    file.write_all_at(&(1_u64 << 50 | 1 << 63).to_be_bytes(), u64::from_be_bytes(field)).unwrap();
    let error = refused(&image, DiskFormat::Auto);
    assert!(matches!(error, OpenDiskError::Corrupt { .. }), "{error:?}");
}

#[test]
fn cut_off_images_are_refused_wherever_they_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    for format in ["qcow2", "vmdk", "vhdx"] {
        let image = folder.path().join(format);
        convert(&raw, format, &[], &image);
        let whole = std::fs::read(&image).unwrap();
        assert!(open(&image, DiskFormat::Auto).is_ok());
        for length in [20, 50, 700, 70_000, whole.len() / 2 + 1000, whole.len() - 140_000] {
            std::fs::write(&image, &whole[..length]).unwrap();
            assert!(open(&image, DiskFormat::Auto).is_err(), "{format} cut to {length} of {}", whole.len());
        }
    }
    let flat = folder.path().join("flat.vmdk");
    convert(&raw, "vmdk", &["-o", "subformat=monolithicFlat"], &flat);
    let extent = std::fs::File::options().write(true).open(folder.path().join("flat-flat.vmdk")).unwrap();
    extent.set_len(20 * MIB).unwrap();
    assert!(open(&flat, DiskFormat::Auto).is_err());

    let base = folder.path().join("base.qcow2");
    convert(&raw, "qcow2", &[], &base);
    let top = folder.path().join("top.qcow2");
    qemu_img(&["create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", top.to_str().unwrap()]);
    let length = base.metadata().unwrap().len();
    std::fs::File::options().write(true).open(&base).unwrap().set_len(length - 140_000).unwrap();
    let error = refused(&top, DiskFormat::Qcow2);
    assert!(
        matches!(&error, OpenDiskError::Corrupt { path, .. } if *path == base.canonicalize().unwrap()),
        "{error:?}"
    );
}

#[test]
fn the_reader_of_an_image_ends_with_its_disk_and_a_killed_one_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let image = folder.path().join("a.qcow2");
    convert(&raw, "qcow2", &[], &image);
    let disk = open(&image, DiskFormat::Auto).unwrap();
    assert_eq!(readers(&image).len(), 1);
    drop(disk);
    wait_until(|| readers(&image).is_empty());

    let disk = open(&image, DiskFormat::Auto).unwrap();
    rustix::process::kill_process(readers(&image)[0], rustix::process::Signal::KILL).unwrap();
    let mut buffer = vec![0; 4096];
    // A request may still be answered while the kernel takes the process down.
    wait_until(|| disk.read_at(0, &mut buffer).is_err());
    let error = disk.read_at(0, &mut buffer).unwrap_err();
    assert!(matches!(changed(&error), DiskChanged::ReaderEnded { .. }), "{error:?}");
}

#[test]
fn a_killed_appliance_leaves_no_reader_behind() {
    const IMAGE: &str = "HOLDFAST_TEST_IMAGE";
    if let Some(image) = std::env::var_os(IMAGE) {
        let _disk = open(Path::new(&image), DiskFormat::Auto).unwrap();
        println!("open");
        // Ends with this process only.
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (raw, _) = raw_disk(folder.path());
    let image = folder.path().join("a.qcow2");
    convert(&raw, "qcow2", &[], &image);
    let name = std::thread::current().name().unwrap().to_owned();
    let mut appliance = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(IMAGE, &image)
        .env("TMPDIR", folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(appliance.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("open")));
    assert_eq!(readers(&image).len(), 1);
    appliance.kill().unwrap();
    appliance.wait().unwrap();
    wait_until(|| readers(&image).is_empty());

    let left = || {
        let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("holdfast-disk-")).count()
    };
    assert_eq!(left(), 1, "a killed process cannot clean up");
    super::super::qemu_nbd::remove_left_folders(folder.path());
    assert_eq!(left(), 0, "the next one does it");
}
