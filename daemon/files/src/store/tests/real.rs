//! A real file system: a directory, and as root a small ext4 of its own that gets full.

use super::*;
use std::fs;
use std::path::Path;
use std::process::Command;

fn real(path: &Path) -> Store<RealDisk> {
    open(RealDisk::open(path).unwrap())
}

/// What is stored is there after a restart, and an operator finds it by hand.
#[test]
fn a_real_directory_keeps_files() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = real(directory.path());
    let content = bytes(1, 1_500_000);
    put(&mut store, id(0xcd), &content);
    ask(&mut store, append("a", 1, 3)).unwrap();
    while !store.scrub_some() {}
    assert_eq!(store.take_notes(), Vec::<String>::new());
    drop(store);
    let mut store = real(directory.path());
    assert_eq!(log(&mut store, "a", 1).1, entries(1, 3));
    let path = directory.path().join("extents/cd/cd0000000000000000000000000000cd");
    assert!(fs::read(&path).unwrap() == content);
    let beside = fs::read(path.with_extension("h")).unwrap();
    assert!(beside.windows(7).any(|part| part == b"/a/file"));
    let mut rotten = content.clone();
    rotten[1_400_000] ^= 1;
    fs::write(&path, rotten).unwrap();
    while !store.scrub_some() {}
    assert_eq!(store.take_notes().len(), 1);
}

/// Names do not leave the directory.
#[test]
fn no_name_leaves_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let inside = directory.path().join("inside");
    fs::create_dir(&inside).unwrap();
    fs::write(directory.path().join("outside"), "x").unwrap();
    std::os::unix::fs::symlink("../outside", inside.join("link")).unwrap();
    let disk = RealDisk::open(&inside).unwrap();
    assert!(disk.open("link").is_err());
}

/// A mount that ends with the test.
struct Mount(tempfile::TempDir);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path().join("mount")).status();
    }
}

fn mount_ext4(megabytes: u64) -> Option<Mount> {
    let directory = tempfile::tempdir().unwrap();
    let (image, mount) = (directory.path().join("image"), directory.path().join("mount"));
    fs::File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
    fs::create_dir(&mount).unwrap();
    let is_done = |command: &mut Command| command.output().is_ok_and(|of| of.status.success());
    let is_made = is_done(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image));
    let mounted =
        is_made && is_done(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount));
    mounted.then(|| Mount(directory))
}

/// A small ext4 gets full: uploads are refused, deletes go on, and all is whole after a restart.
#[test]
fn a_small_ext4_gets_full_and_can_delete() {
    let Some(mount) = mount_ext4(160) else {
        assert!(std::env::var_os("CI").is_none(), "mounting an ext4 needs root and mkfs.ext4");
        eprintln!("SKIPPED: mounting an ext4 needs root and mkfs.ext4");
        return;
    };
    let root = mount.0.path().join("mount");
    let mut store = real(&root);
    let content = bytes(1, 1 << 20);
    // 1 GiB is to stay free, so nothing is taken here; others fill what is left.
    assert_eq!(ask(&mut store, piece(id(1), 0, &content)), Err(Refused::Full));
    assert_eq!(store.status().room, Room::Full);
    let filler = root.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while io::Write::write_all(&mut file, &content).is_ok() {}
    for index in 1..200 {
        assert_eq!(ask(&mut store, append("a", index, 1)), Ok(Done::Durable), "{index}");
    }
    assert!(store.take_notes().iter().any(|note| note.contains("reserve")));
    fs::remove_file(&filler).unwrap();
    drop(file);
    drop(store);
    let mut store = real(&root);
    assert_eq!(log(&mut store, "a", 1).1, entries(1, 199));
    drop(store);
}
