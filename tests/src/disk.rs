//! Small disks of a test's own that can be filled and write-protected. They lie in a mount
//! namespace of the test, so nothing of them is left behind.

use crate::wait::SOON;
use crate::{left_out, wait_until};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::statvfs;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

/// Does something on a thread that has mounts of its own, and so do the processes that it starts.
/// Where this is not possible, it reports that and does nothing. With `CI=true` in the environment
/// that is a failure.
///
/// # Panics
/// In CI, without the right to mount; and when the work does.
pub fn with_own_mounts(work: impl FnOnce() + Send) {
    let done = thread::scope(|scope| {
        let worker = scope.spawn(|| match own_mounts() {
            Ok(()) => work(),
            Err(error) => {
                left_out(&format!("no mounts of this test's own: {error}; they need root"));
            }
        });
        worker.join()
    });
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn own_mounts() -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    // Other processes must not see what is mounted here.
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
}

/// A disk in memory (tmpfs(5)), unmounted when dropped.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
}

impl Disk {
    /// Mounts an empty one of this many KiB at this path, within [`with_own_mounts`].
    ///
    /// # Panics
    /// When it cannot be mounted.
    pub fn mount(path: &Path, kib: u32) -> Self {
        fs::create_dir_all(path).expect("a place for the disk");
        let options = format!("size={kib}k,mode=0700");
        mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
            .expect("a disk in memory");
        Disk { path: path.to_owned() }
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Takes all room that is left.
    ///
    /// # Panics
    /// When it does not become full.
    pub fn fill(&self) {
        let mut filler = File::create(self.filler()).expect("a name on the disk");
        while filler.write_all(&[b'x'; 4_096]).is_ok() {}
        // A write that was cut short may have left a few bytes.
        let full = filler.write(b"x").expect_err("the disk is full");
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    }

    /// Gives that room back.
    ///
    /// # Panics
    /// When it had not been taken.
    pub fn free(&self) {
        fs::remove_file(self.filler()).expect("the disk was filled");
    }

    /// From now on this many KiB are free. A disk with much room takes no memory for it.
    ///
    /// # Panics
    /// When its size cannot be changed.
    pub fn leave_free(&self, kib: u64) {
        let resize = || {
            let now = statvfs(&self.path).map_err(|error| error.to_string())?;
            let used = (now.blocks() - now.blocks_free()) * now.fragment_size();
            let options = format!("size={}", used + kib * 1_024);
            let (none, again) = (None::<&str>, MsFlags::MS_REMOUNT);
            mount(none, &self.path, none, again, Some(options.as_str()))
                // Meanwhile more was written.
                .map_err(|error| format!("{options}: {error}"))
        };
        wait_until("the disk has another size", SOON, resize);
    }

    /// From now on nothing can be opened for writing, made, renamed or removed, until the guard is
    /// dropped. Files that are open stay open.
    ///
    /// # Panics
    /// When that cannot be mounted.
    #[must_use = "it ends with the guard"]
    pub fn protect(&self) -> Protected {
        let (none, bind) = (None::<&str>, MsFlags::MS_BIND);
        mount(Some(&self.path), &self.path, none, bind, none).expect("the same disk once more");
        let read_only = bind | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
        mount(none, &self.path, none, read_only, none).expect("a mount that can be read only");
        Protected { path: self.path.clone() }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        unmount(&self.path);
    }
}

/// A disk that cannot be written, for as long as this exists.
#[derive(Debug)]
pub struct Protected {
    path: PathBuf,
}

impl Drop for Protected {
    fn drop(&mut self) {
        unmount(&self.path);
    }
}

fn unmount(path: &Path) {
    // A mount that is still in use ends with its last user. All mounts end with the test's
    // namespace.
    let _ = umount2(path, MntFlags::MNT_DETACH);
}
