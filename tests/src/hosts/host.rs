//! One host. It is provisioned, booted, operated from inside as by its administrator, and switched
//! off in several ways.

use super::cgroup::Group;
use super::held::Held;
use super::network::Switch;
use super::outside;
use crate::control::Control;
use crate::process::{self, Running};
use crate::wait::{SOON, holds};
use crate::wait_until;
use nix::unistd::Pid;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// How long a boot may take.
const BOOT: Duration = Duration::from_secs(60);

/// How long a command inside may take.
const COMMAND: Duration = Duration::from_secs(120);

/// The status of nspawn when the host asked to be booted again.
const REBOOT: i32 = 133;

/// A host, on or off.
#[derive(Debug)]
pub struct Host {
    number: usize,
    name: String,
    machine: String,
    namespace: String,
    directory: PathBuf,
    group: Group,
    layout: Layout,
    power: Option<Power>,
}

/// How a host's control groups are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// One hierarchy, as in Debian. Memory and tasks are accounted and bounded if it has
    /// controllers on this machine.
    Unified,
    /// That of version 1, with controllers.
    Accounted,
}

/// What all hosts of a fleet share.
#[derive(Debug)]
pub(super) struct Fleet {
    /// Their disks are below.
    pub(super) mount: PathBuf,
    /// Their machines' names begin so.
    pub(super) prefix: String,
    /// Their groups are in it.
    pub(super) group: Group,
    /// The holder of this key is root on all of them.
    pub(super) key: PathBuf,
}

/// What a host has that is on.
#[derive(Debug)]
struct Power {
    nspawn: Running,
    /// Its process 1, as seen from outside.
    leader: u32,
}

impl Layout {
    /// The setting that tells nspawn. Without it nspawn uses the layout of this machine.
    fn variable(self) -> Option<&'static str> {
        (self == Layout::Unified).then_some("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
    }
}

impl Host {
    pub(super) fn provision(number: usize, base: &Path, layout: Layout, fleet: &Fleet) -> Self {
        let Fleet { mount, prefix, group, key } = fleet;
        let name = format!("vm{number}");
        let directory = mount.join(&name);
        for part in ["upper", "work", "root"] {
            fs::create_dir_all(directory.join(part)).expect("a directory for the host");
        }
        let part = |name: &str| directory.join(name).display().to_string();
        let layers = format!(
            "lowerdir={},upperdir={},workdir={}",
            base.display(),
            part("upper"),
            part("work")
        );
        outside::run(
            Command::new("mount")
                .args(["-t", "overlay", "overlay", "-o", &layers])
                .arg(directory.join("root")),
        );
        let machine = format!("{prefix}-{name}");
        let group = group.child(&name);
        let host = Host {
            number,
            namespace: machine.clone(),
            machine,
            directory,
            group,
            layout,
            power: None,
            name,
        };
        host.write("etc/hostname", &format!("{}\n", host.name));
        let hosts: String = (1..=20).map(|i| format!("10.88.0.{i} vm{i}\n")).collect();
        host.write("etc/hosts", &format!("127.0.0.1 localhost\n{hosts}"));
        host.write(
            "etc/machine-id",
            &format!("{:032x}\n", 0x6d62_0000_0000_0000_u64 + number as u64),
        );
        host.write(
            "root/.ssh/authorized_keys",
            &fs::read_to_string(key.with_extension("pub")).expect("the public key"),
        );
        let host_key = host.root().join("etc/ssh/ssh_host_ed25519_key");
        outside::run(
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(host_key),
        );
        host
    }

    fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// Writes a file while the host is off.
    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory on the host");
        fs::write(path, text).expect("a file on the host");
    }

    /// Its number.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("10.88.0.{}", self.number)
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.power.is_some()
    }

    pub(super) fn boot(&mut self, switch: &Switch) {
        assert!(self.power.is_none(), "{} is on", self.name);
        self.group.empty();
        switch.plug_in(&self.name, self.number);
        let environment = [
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network",
        ];
        let nspawn = [
            "SYSTEMD_NSPAWN_LOCK=0",
            "systemd-nspawn",
            "--quiet",
            "--boot",
            "--register=no",
            "--keep-unit",
            "--capability=CAP_NET_ADMIN,CAP_IPC_LOCK",
            "--system-call-filter=bpf",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
            "--console=read-only",
        ];
        let own = [
            format!("--directory={}", self.root().display()),
            format!("--machine={}", self.machine),
            format!("--hostname={}", self.name),
            format!("--network-namespace-path=/run/netns/{}", self.namespace),
        ];
        let words =
            environment.into_iter().chain(self.layout.variable()).chain(nspawn).map(str::to_owned);
        let words: Vec<String> = words.chain(own).collect();
        let console = || {
            File::options()
                .create(true)
                .append(true)
                .open(self.directory.join("console"))
                .expect("a console")
        };
        let mut command = self.group.command(&words);
        let nspawn =
            Running::start(command.stdin(Stdio::null()).stdout(console()).stderr(console()));
        let leader = wait_until(&format!("{} has a process 1", self.name), BOOT, || {
            self.find_process("init.scope", 1).ok_or_else(|| self.console())
        });
        self.power = Some(Power { nspawn, leader });
        self.group.child("exec");
        self.wait_until_up();
        if self.layout == Layout::Accounted {
            self.take_controllers();
        }
        let failed = self.run(&["systemctl", "--failed", "--no-legend", "--plain"]);
        assert!(failed.is_empty(), "on {} these units failed: {failed}", self.name);
    }

    fn wait_until_up(&self) {
        wait_until(&format!("{} is up", self.name), BOOT, || {
            let (state, _) = outside::text(&self.try_run(&["systemctl", "is-system-running"]));
            holds(matches!(state.trim(), "running" | "degraded"), || state)
        });
    }

    /// nspawn mounts the controllers read-only. systemd looks for them when it starts.
    fn take_controllers(&self) {
        self.shell(
            "for controller in pids memory; do mount -o \
        remount,bind,rw \"/sys/fs/cgroup/$controller\"; done",
        );
        self.run(&["systemctl", "daemon-reexec"]);
        self.wait_until_up();
    }

    /// The process of one of its units that has this number inside, as seen from outside.
    fn find_process(&self, unit: &str, inside: u32) -> Option<u32> {
        let processes =
            fs::read_to_string(self.group.path(&format!("payload/{unit}/cgroup.procs"))).ok()?;
        processes.lines().filter_map(|pid| pid.parse().ok()).find(|pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let inner = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            inner.and_then(|pids| pids.split_whitespace().last()) == Some(&inside.to_string())
        })
    }

    fn leader(&self) -> u32 {
        self.power.as_ref().unwrap_or_else(|| panic!("{} is off", self.name)).leader
    }

    /// A command inside, as root, not yet started. It freezes and dies with the host.
    pub fn command(&self, words: &[&str]) -> Command {
        let leader = self.leader().to_string();
        let enter =
            ["nsenter", "-t", &leader, "-m", "-u", "-i", "-n", "-p", "-C", "-T", "-r", "-w", "--"];
        let words: Vec<String> = enter.iter().chain(words).map(|word| (*word).to_owned()).collect();
        self.group.child("exec").command(&words)
    }

    /// Runs a command inside to its end, with any status.
    ///
    /// # Panics
    /// When it does not end.
    pub fn try_run(&self, words: &[&str]) -> Output {
        process::run(&mut self.command(words), COMMAND)
    }

    /// Runs a command inside and returns what it printed.
    ///
    /// # Panics
    /// When it fails, with what it said.
    pub fn run(&self, words: &[&str]) -> String {
        let output = self.try_run(words);
        let (stdout, stderr) = outside::text(&output);
        assert!(
            output.status.success(),
            "on {} {words:?} ended with {}: {stdout}{stderr}",
            self.name,
            output.status
        );
        stdout
    }

    /// Runs a line of shell inside and returns what it printed.
    ///
    /// # Panics
    /// As [`Host::run`].
    pub fn shell(&self, line: &str) -> String {
        self.run(&["sh", "-euc", line])
    }

    /// Runs a command inside as this user, with any status.
    ///
    /// # Panics
    /// When it does not end.
    pub fn try_run_as(&self, user: &str, words: &[&str]) -> Output {
        self.try_run(&[&["runuser", "-u", user, "--"], words].concat())
    }

    /// Puts a file there.
    ///
    /// # Panics
    /// When it cannot be read or written.
    pub fn push(&self, file: &Path, to: &str) {
        let mut command = self.command(&["sh", "-c", "cat >\"$1\"", "sh", to]);
        let from = File::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let status = command.stdin(from).status().expect("a shell");
        assert!(status.success(), "{} cannot be put on {}", file.display(), self.name);
    }

    /// Writes a text there.
    ///
    /// # Panics
    /// When that fails.
    pub fn write_inside(&self, path: &str, text: &str) {
        self.run(&[
            "sh",
            "-euc",
            "mkdir -p \"$(dirname \"$1\")\"; printf %s \"$2\" >\"$1\"",
            "sh",
            path,
            text,
        ]);
    }

    /// The daemon's control socket, reached from outside.
    pub fn control(&self) -> Control {
        Control::new(&PathBuf::from(format!(
            "/proc/{}/root/run/memberd/control.sock",
            self.leader()
        )))
    }

    /// The daemon's process id, as the host's own systemd has it.
    pub fn main_pid(&self) -> u32 {
        self.show("MainPID").parse().unwrap_or(0)
    }

    /// Holds a thread of the daemon, while its others go on.
    ///
    /// # Panics
    /// When the daemon has none of that name.
    pub fn hold(&self, thread: &str) -> Held {
        let daemon = self.find_process("system.slice/memberd.service", self.main_pid());
        let daemon = daemon.unwrap_or_else(|| panic!("{} has no daemon", self.name));
        Held::thread(Pid::from_raw(i32::try_from(daemon).expect("a process id")), thread)
    }

    /// A property of memberd.service.
    pub fn show(&self, property: &str) -> String {
        self.show_of("memberd.service", property)
    }

    /// A property of a unit.
    pub fn show_of(&self, unit: &str, property: &str) -> String {
        self.run(&["systemctl", "show", "--value", "-p", property, unit]).trim().to_owned()
    }

    /// Restarts it from inside.
    pub(super) fn reboot(&mut self, switch: &Switch) {
        self.run(&["systemctl", "--no-block", "reboot"]);
        let Some(mut power) = self.power.take() else { return };
        let status = power.nspawn.wait(BOOT);
        assert_eq!(
            status.code(),
            Some(REBOOT),
            "{} does not ask for a reboot: {}",
            self.name,
            self.console()
        );
        switch.unplug(&[self.number]);
        switch.forget(&self.name);
        self.boot(switch);
    }

    /// Dies at once. Its cable is gone already.
    pub(super) fn die(&mut self) {
        self.group.kill();
        if let Some(mut power) = self.power.take() {
            power.nspawn.wait(SOON);
        }
        outside::run(Command::new("ip").args(["netns", "delete", &self.namespace]));
    }

    pub(super) fn freeze(&self) {
        self.set_frozen("1");
    }

    pub(super) fn thaw(&self) {
        self.set_frozen("0");
    }

    fn set_frozen(&self, word: &str) {
        fs::write(self.group.path("cgroup.freeze"), word).expect("the group can be frozen");
        wait_until(&format!("{} is frozen, or not: {word}", self.name), SOON, || {
            let events = fs::read_to_string(self.group.path("cgroup.events")).unwrap_or_default();
            holds(events.contains(&format!("frozen {word}")), || events)
        });
    }

    /// What systemd and the kernel's stand-in said while it booted.
    fn console(&self) -> String {
        fs::read_to_string(self.directory.join("console")).unwrap_or_default()
    }

    /// Prints the end of its journal, for a test that failed.
    pub(super) fn tell_what_happened(&self) {
        let journal = self.root().join("var/log/journal");
        let mut command = Command::new("journalctl");
        command
            .args(["--no-pager", "-q", "-n", "25", "-o", "short-precise", "-u", "memberd*", "-D"])
            .arg(journal);
        let (lines, _) = outside::text(&outside::try_run(&mut command));
        eprintln!("---- journal of {}\n{lines}", self.name);
    }

    pub(super) fn clean_up(&mut self) {
        self.power = None;
        for command in [
            Command::new("ip").args(["netns", "delete", &self.namespace]),
            Command::new("umount").arg("--lazy").arg(self.root()),
        ] {
            // The test is over. The next one removes what is left.
            let _ = outside::try_run(command);
        }
        let _ = fs::remove_dir(Path::new("/run/systemd/nspawn/propagate").join(&self.machine));
    }
}
