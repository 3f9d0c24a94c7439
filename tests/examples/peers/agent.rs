//! Starts one agent of a program, and reads the changes of its list from its log. A [`Program`] is
//! one column of the tables. The file owns no state.

use crate::options::Row;
use memberd_tests::log::{Change, Line};
use memberd_tests::{Settings, binaries};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fmt, fs};

/// The key of each program, with the same bytes.
const KEY: &str = "memberd-key:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
const SERF_KEY: &str = "ASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4mrze8=";

/// A program with its settings: one column of the tables.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Column {
    /// The name in the results.
    pub(crate) name: &'static str,
    /// The name in the tables and plots.
    pub(crate) title: &'static str,
    /// Its value of the option `--programs`.
    pub(crate) option: &'static str,
    /// The colour of its bars. The colours are dark enough on white, and distinct for colour-blind
    /// readers.
    pub(crate) colour: &'static str,
    /// The rows that it goes through.
    pub(crate) rows: &'static [Row],
    kind: Kind,
}

/// The executable of a column.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// memberd with these lines in `[group]`
    Memberd(&'static [&'static str]),
    /// Serf with this profile
    Serf(&'static str),
}

pub(crate) type Program = &'static Column;

/// memberd with its defaults, whose detector is the ring.
pub(crate) static RING: Column = Column {
    name: "memberd",
    title: "ring",
    option: "memberd",
    colour: "#0072b2",
    rows: Row::ALL,
    kind: Kind::Memberd(&[]),
};

/// memberd with the detector SWIM, without suspicion.
pub(crate) static SWIM_WITHOUT_SUSPICION: Column = Column {
    name: "memberd, SWIM without suspicion",
    title: "SWIM without suspicion",
    option: "swim-without-suspicion",
    colour: "#2a9d8f",
    rows: Row::ALL,
    kind: Kind::Memberd(&["detector = \"swim\"", "suspicion_timeout = \"0s\""]),
};

/// memberd with the detector SWIM.
pub(crate) static SWIM: Column = Column {
    name: "memberd, SWIM",
    title: "SWIM",
    option: "swim",
    colour: "#00634f",
    rows: Row::ALL,
    kind: Kind::Memberd(&["detector = \"swim\""]),
};

/// Serf with its defaults, which are the profile lan.
pub(crate) static SERF: Column = Column {
    name: "Serf",
    title: "Serf",
    option: "serf",
    colour: "#b86e00",
    rows: Row::ALL,
    kind: Kind::Serf("lan"),
};

/// Serf with its fastest profile. It has only the rows that it is meant for.
pub(crate) static SERF_LOCAL: Column = Column {
    name: "Serf, profile local",
    title: "Serf, profile local",
    option: "serf-local",
    colour: "#b5267b",
    rows: &[Row::Crash, Row::Rest],
    kind: Kind::Serf("local"),
};

/// All columns, in the order of the tables.
pub(crate) static PROGRAMS: [Program; 5] =
    [&RING, &SWIM_WITHOUT_SUSPICION, &SWIM, &SERF, &SERF_LOCAL];

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

impl fmt::Display for Column {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.option)
    }
}

impl Column {
    /// Whether it is memberd with some settings.
    pub(crate) fn is_memberd(&self) -> bool {
        matches!(self.kind, Kind::Memberd(_))
    }

    /// The command that runs the program at this place. Standard output and standard error share
    /// one pipe, which carries the log.
    pub(crate) fn command(&self, place: &Place) -> Command {
        fs::create_dir_all(place.offered()).expect("a directory for the agent");
        let mut command = match self.kind {
            Kind::Memberd(group) => memberd(place, group),
            Kind::Serf(profile) => serf(place, profile),
        };
        command.stdin(Stdio::null());
        command
    }

    /// The change that a line of the log reports, and the number of the changed agent.
    pub(crate) fn heard(&self, line: &str) -> Option<(Change, usize)> {
        match self.kind {
            Kind::Memberd(_) => {
                let line = Line::parse(line)?;
                Some((line.change, number(&line.name)?))
            }
            Kind::Serf(_) => {
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

fn memberd(place: &Place, group: &[&'static str]) -> Command {
    let mut settings =
        Settings::new(&place.directory, &format!("vm{}", place.number), place.address);
    settings.introducers = vec![place.introducer.to_string()];
    settings.join_on_start = true;
    settings.group = group.to_vec();
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
