//! Starts one agent of either program, and reads the changes of its list from its log. It owns no
//! state.

use clap::ValueEnum;
use memberd_tests::log::{Change, Line};
use memberd_tests::{Settings, binaries};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The key of each program, with the same bytes.
const KEY: &str = "memberd-key:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
const SERF_KEY: &str = "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=";

/// A program to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Program {
    /// memberd with its defaults
    Memberd,
    /// Serf with its defaults, which are the profile lan
    Serf,
    /// Serf with its fastest profile, local
    SerfLocal,
}

/// The place of an agent: its namespace, addresses and directory.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The number of the agent. Number 1 is the introducer.
    pub(crate) number: usize,
    pub(crate) namespace: PathBuf,
    pub(crate) address: SocketAddr,
    pub(crate) introducer: SocketAddr,
    pub(crate) directory: PathBuf,
    /// Whether the agents seal their messages with a key.
    pub(crate) sealed: bool,
}

impl Place {
    /// The directory of the logs that greps may search.
    pub(crate) fn offered(&self) -> PathBuf {
        self.directory.join("offered")
    }

    /// memberd's control socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("control.sock")
    }
}

impl Program {
    /// The name in the tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Program::Memberd => "memberd",
            Program::Serf => "Serf",
            Program::SerfLocal => "Serf, profile local",
        }
    }

    /// The command that runs the program at this place. Standard output and standard error share
    /// one pipe, which carries the log.
    pub(crate) fn command(self, place: &Place) -> Command {
        fs::create_dir_all(place.offered()).expect("a directory for the agent");
        let mut command = match self {
            Program::Memberd => memberd(place),
            Program::Serf => serf(place, "lan"),
            Program::SerfLocal => serf(place, "local"),
        };
        command.stdin(Stdio::null());
        command
    }

    /// The change that a line of the log reports, and the number of the changed agent.
    pub(crate) fn heard(self, line: &str) -> Option<(Change, usize)> {
        match self {
            Program::Memberd => {
                let line = Line::parse(line)?;
                Some((line.change, number(&line.name)?))
            }
            Program::Serf | Program::SerfLocal => {
                let (_, rest) = line.split_once("serf: EventMember")?;
                let (event, rest) = rest.split_once(": ")?;
                let change = match event {
                    "Join" => Change::Joined,
                    "Failed" => Change::Failed,
                    "Leave" => Change::Left,
                    _ => return None,
                };
                Some((change, number(rest.split(' ').next()?)?))
            }
        }
    }
}

fn number(name: &str) -> Option<usize> {
    name.strip_prefix("vm")?.parse().ok()
}

fn memberd(place: &Place) -> Command {
    let mut settings =
        Settings::new(&place.directory, &format!("vm{}", place.number), place.address);
    settings.introducers = vec![place.introducer.to_string()];
    settings.join_on_start = true;
    settings.files = vec![format!("{}/*.log", place.offered().display())];
    settings.allow_plaintext = !place.sealed;
    settings.key_file = place.sealed.then(|| key_file(&place.directory));
    let config = place.directory.join("memberd.toml");
    fs::write(&config, settings.to_toml()).expect("the settings can be written");
    let mut command = binaries::mortal(&binaries::memberd(), Some(&place.namespace));
    command.arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn key_file(directory: &Path) -> PathBuf {
    let path = directory.join("group.key");
    fs::write(&path, KEY).expect("a key file");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a key file of our own");
    path
}

fn serf(place: &Place, profile: &str) -> Command {
    let mut command = binaries::mortal(Path::new("serf"), Some(&place.namespace));
    command
        .args(["agent", &format!("-node=vm{}", place.number), &format!("-bind={}", place.address)])
        .arg(format!("-snapshot={}", place.directory.join("snapshot").display()))
        // Serf accepts no shorter interval. memberd begins with half of it.
        .args(["-retry-interval=1s", &format!("-profile={profile}")])
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if place.number > 1 {
        command.arg(format!("-retry-join={}", place.introducer));
    }
    if place.sealed {
        command.arg(format!("-encrypt={SERF_KEY}"));
    }
    command
}
