//! Base images, made once for each release and set of packages, and kept for later tests.

use super::outside;
use nix::fcntl::{Flock, FlockArg};
use std::env;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages that every host has beside a minimal Debian, for memberd and the tests. The hosts
/// never reach a network. They have no procps, like the smallest machines: no `kill` and no `ps`.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,libpam-systemd,iproute2,iputils-ping,\
                        openssh-server,python3,python3-apt,logrotate,nftables,libfaketime,\
                        netcat-openbsd";

/// Increase it when something below changes.
const EDITION: u32 = 2;

/// A Debian release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Release {
    /// Debian 12, with systemd 252.
    Bookworm,
    /// Debian 13, with systemd 257.
    Trixie,
}

impl Release {
    fn name(self) -> &'static str {
        match self {
            Release::Bookworm => "bookworm",
            Release::Trixie => "trixie",
        }
    }
}

/// The directory of a release's base image, made if it is not there yet.
///
/// # Panics
/// When it cannot be made.
pub fn base(release: Release) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (release, PACKAGES, EDITION).hash(&mut hasher);
    let directory = cache().join(format!("{}-{:016x}", release.name(), hasher.finish()));
    if !directory.is_dir() {
        // Another test may be making it.
        let lock =
            File::create(directory.with_extension("lock")).expect("a lock beside the images");
        let _lock = Flock::lock(lock, FlockArg::LockExclusive)
            .map_err(|(_, error)| error)
            .expect("the images' lock");
        if !directory.is_dir() {
            make(release, &directory);
        }
    }
    directory
}

/// Outside of the sources, so that a fresh clone finds them.
fn cache() -> PathBuf {
    let directory = env::var_os("MEMBERD_TEST_CACHE")
        .map_or_else(|| PathBuf::from("/var/cache/memberd-tests"), PathBuf::from);
    fs::create_dir_all(&directory).expect("a directory for the images");
    directory
}

fn make(release: Release, directory: &Path) {
    println!("making the base image of {}, once", release.name());
    let half = directory.with_extension("half");
    if half.exists() {
        fs::remove_dir_all(&half).expect("a half-made image can be removed");
    }
    let mut command = Command::new("mmdebstrap");
    command
        .args(["--quiet", "--mode=root", "--variant=minbase"])
        .arg(format!("--include={PACKAGES}"));
    outside::run(command.arg(release.name()).arg(&half).arg(mirror()));
    let write = |path: &str, text: &str| {
        let path = half.join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory in the image");
        fs::write(path, text).expect("a file in the image");
    };
    // Each host gets its own.
    write("etc/machine-id", "");
    write("etc/resolv.conf", "");
    write(
        "etc/systemd/journald.conf.d/tests.conf",
        "[Journal]\nStorage=persistent\nSystemMaxUse=64M\n",
    );
    outside::run(
        Command::new("sh").args(["-c", "rm -f \"$1\"/etc/ssh/ssh_host_*", "sh"]).arg(&half),
    );
    remove_procps(&half);
    let root = format!("--root={}", half.display());
    outside::run(Command::new("systemctl").arg(root).args([
        "--quiet",
        "mask",
        "console-getty.service",
        "getty@.service",
    ]));
    fs::rename(&half, directory).expect("the image can be put in its place");
}

/// Removes the programs of procps, such as `kill` and `ps`: the smallest Debian does not have them.
/// openssh-server brings the package along, so dpkg goes on counting it as installed.
fn remove_procps(image: &Path) {
    let list = image.join("var/lib/dpkg/info/procps.list");
    let files = fs::read_to_string(list).expect("the list of procps' files");
    for program in files.lines().filter(|path| path.contains("bin/")) {
        let program = image.join(program.trim_start_matches('/'));
        fs::remove_file(program).expect("a program of procps can be removed");
    }
}

/// The mirror that this machine's own apt gets Debian from.
fn mirror() -> String {
    let mut command = Command::new("apt-get");
    command.args([
        "indextargets",
        "--format",
        "$(CODENAME) $(REPO_URI)",
        "Created-By: Packages",
        "Origin: Debian",
    ]);
    let targets = outside::run(&mut command);
    let main = |line: &str| {
        line.split_once(' ')
            .filter(|(codename, _)| !codename.contains('-'))
            .map(|(_, uri)| uri.to_owned())
    };
    targets.lines().find_map(main).expect("a Debian mirror among apt's sources: run apt-get update")
}
