//! Booted hosts: small Debian machines, each with a real systemd as process 1, its own disk,
//! network and journal, on one machine.
//!
//! Each host is a systemd-nspawn container in a cgroup and a network namespace of its own. A bridge
//! in a further namespace is the switch, and it has no way out. Disks are overlays over one base
//! image for each release ([`image`]). To pull a plug, the cable goes first, so that the kernel
//! does not answer for the dead host.

mod cgroup;
mod held;
mod host;
pub mod image;
mod network;
pub mod outside;
mod package;

pub use cgroup::{Accounting, accounting};
pub use held::Held;
pub use host::Host;
pub use image::Release;
pub use package::Package;

use cgroup::Group;
use host::{Fleet, Layout};
use network::Switch;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use tempfile::TempDir;

/// What a machine needs to run hosts: program and Debian package.
const TOOLS: [(&str, &str); 7] = [
    ("systemd-nspawn", "systemd-container"),
    ("mmdebstrap", "mmdebstrap"),
    ("ip", "iproute2"),
    ("nft", "nftables"),
    ("ssh", "openssh-client"),
    ("ansible-playbook", "ansible-core"),
    ("dpkg-deb", "dpkg"),
];

/// What keeps this machine from running hosts, if anything does. The text is for the user.
pub fn hindrance() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("booted hosts need root: sudo make hosts".to_owned());
    }
    let absent =
        |program: &str| !outside::try_run(Command::new("which").arg(program)).status.success();
    let missing: Vec<&str> =
        TOOLS.iter().filter(|(program, _)| absent(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        None
    } else {
        Some(format!("booted hosts need more: apt-get install {}", missing.join(" ")))
    }
}

/// The hosts `vm1`, `vm2`, ... at `10.88.0.1`, `10.88.0.2`, ...; all of it is gone when this is
/// dropped.
#[derive(Debug)]
pub struct Hosts {
    hosts: Vec<Host>,
    switch: Switch,
    fleet: Fleet,
    directory: TempDir,
}

impl Hosts {
    /// Boots one host for each release. On the host of the number `accounted`, or on all, systemd
    /// accounts memory and holds services to their bounds, where this machine allows it
    /// ([`accounting`]).
    ///
    /// # Panics
    /// When one does not come up.
    pub fn boot(releases: &[Release], accounted: usize) -> Self {
        cgroup::sweep();
        let bases = bases(releases);
        let prefix = format!("{}{}", cgroup::PREFIX, std::process::id());
        // A digit of its random end must not look like one of the process.
        let named = format!("{prefix}-");
        let directory =
            tempfile::Builder::new().prefix(&named).tempdir().expect("a temporary directory");
        let key = directory.path().join("key");
        outside::run(
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key),
        );
        let switch = Switch::new(&prefix);
        let fleet = Fleet {
            mount: shared_mount(directory.path()),
            group: Group::top(&prefix),
            prefix,
            key,
        };
        let layout = |number| {
            if number == accounted && accounting() == Ok(Accounting::Version1) {
                Layout::Accounted
            } else {
                Layout::Unified
            }
        };
        let numbered = (1..).zip(&bases);
        let hosts = numbered
            .map(|(number, base)| Host::provision(number, base, layout(number), &fleet))
            .collect();
        let mut hosts = Hosts { hosts, switch, fleet, directory };
        hosts.boot_all();
        hosts
    }

    fn boot_all(&mut self) {
        let switch = &self.switch;
        thread::scope(|scope| {
            for host in &mut self.hosts {
                scope.spawn(|| host.boot(switch));
            }
        });
    }

    /// The host of this number.
    ///
    /// # Panics
    /// When there is none.
    pub fn host(&self, number: usize) -> &Host {
        self.hosts.get(number - 1).unwrap_or_else(|| panic!("there is no vm{number}"))
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Host] {
        &self.hosts
    }

    /// Those that are on.
    pub fn on(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().filter(|host| host.is_on())
    }

    fn host_mut(&mut self, number: usize) -> (&mut Host, &Switch) {
        let host =
            self.hosts.get_mut(number - 1).unwrap_or_else(|| panic!("there is no vm{number}"));
        (host, &self.switch)
    }

    /// Switches a host on.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(&mut self, number: usize) {
        let (host, switch) = self.host_mut(number);
        host.boot(switch);
    }

    /// Restarts a host from inside, as an administrator would.
    ///
    /// # Panics
    /// When it does not go down, or not come up.
    pub fn reboot(&mut self, number: usize) {
        let (host, switch) = self.host_mut(number);
        host.reboot(switch);
    }

    /// Pulls the plugs of these hosts at once, and returns the moment before the first.
    ///
    /// # Panics
    /// When one does not die.
    pub fn pull_plugs(&mut self, numbers: &[usize]) -> std::time::Instant {
        let at = std::time::Instant::now();
        self.switch.unplug(numbers);
        let dying = self.hosts.iter_mut().filter(|host| numbers.contains(&host.number()));
        dying.for_each(Host::die);
        at
    }

    /// Cuts all links between the two groups of hosts.
    ///
    /// # Panics
    /// When the filter does not take it.
    pub fn split(&self, one: &[usize], other: &[usize]) {
        self.switch.cut(one, other);
    }

    /// All links are whole again.
    ///
    /// # Panics
    /// When the filter does not take it.
    pub fn heal(&self) {
        self.switch.heal();
    }

    /// Freezes a host with its cable cut, as a paused virtual machine is.
    ///
    /// # Panics
    /// When it does not freeze.
    pub fn freeze(&self, number: usize) {
        let others: Vec<usize> =
            self.hosts.iter().map(Host::number).filter(|other| *other != number).collect();
        self.switch.cut(&[number], &others);
        self.host(number).freeze();
    }

    /// The host goes on, and its cable is whole.
    ///
    /// # Panics
    /// When it does not.
    pub fn thaw(&self, number: usize) {
        self.switch.heal();
        self.host(number).thaw();
    }

    /// A command of this machine with its network in the fleet's, at `10.88.0.254`.
    pub fn manager(&self, program: &str) -> Command {
        self.fleet.group.child("manager").command(&self.switch.enter_manager(program))
    }

    /// The private key that every host's root accepts.
    pub fn ssh_key(&self) -> PathBuf {
        self.fleet.key.clone()
    }

    /// A directory for the test's own files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        if thread::panicking() {
            self.hosts.iter().for_each(Host::tell_what_happened);
        }
        self.fleet.group.kill();
        self.hosts.iter_mut().for_each(Host::clean_up);
        self.switch.remove();
        let _ = outside::try_run(Command::new("umount").arg("--lazy").arg(&self.fleet.mount));
        self.fleet.group.remove();
    }
}

/// The base image of each release. Images that are not there yet are made at the same time.
fn bases(releases: &[Release]) -> Vec<PathBuf> {
    thread::scope(|scope| {
        let made: Vec<_> =
            releases.iter().map(|release| scope.spawn(|| image::base(*release))).collect();
        let joined = made.into_iter().map(|image| image.join().expect("the image is made"));
        joined.collect()
    })
}

/// All hosts' file systems lie below one shared mount. Of private mounts each nspawn would keep a
/// copy, and a dead host's disk would stay in use.
fn shared_mount(directory: &Path) -> PathBuf {
    let mount = directory.join("hosts");
    fs::create_dir(&mount).expect("a directory for the hosts");
    outside::run(Command::new("mount").arg("--bind").arg(&mount).arg(&mount));
    outside::run(Command::new("mount").arg("--make-private").arg(&mount));
    outside::run(Command::new("mount").arg("--make-shared").arg(&mount));
    mount
}
