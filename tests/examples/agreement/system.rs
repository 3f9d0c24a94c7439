//! Starts one server of any system, and reads from its log whom it names as leader. It owns no
//! state but what a log has said so far.

use crate::options::Row;
use clap::ValueEnum;
use memberd_tests::{Settings, binaries};
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where Debian keeps ZooKeeper's classes, and those that write its log.
const JARS: [&str; 3] = ["zookeeper.jar", "slf4j-log4j12.jar", "log4j-1.2.jar"];

/// ZooKeeper's example settings, and lines for this server. The package's own file has the same.
const ZOOKEEPER: &str = "tickTime=2000\ninitLimit=10\nsyncLimit=5\nclientPort=2181\n";

/// The log of ZooKeeper, as its package has it, on standard output.
const LOG4J: &str = "log4j.rootLogger=INFO, CONSOLE\n\
    log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender\n\
    log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout\n\
    log4j.appender.CONSOLE.layout.ConversionPattern=%d{ISO8601} %-5p %m%n\n";

/// A system to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum System {
    /// memberd with agreed views, and its defaults
    Memberd,
    /// etcd with its defaults: a heartbeat each 100 ms, elections after 1 s
    Etcd,
    /// etcd with the fastest election that it bears on this machine
    EtcdFastest,
    /// ZooKeeper with the settings of its example
    Zookeeper,
}

/// A heartbeat interval and an election timeout of etcd, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) heartbeat: u32,
    pub(crate) election: u32,
}

impl std::fmt::Display for Pace {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "heartbeat {} ms, election {} ms", self.heartbeat, self.election)
    }
}

/// The paces to try, the fastest first. etcd wants an election timeout of at least five heartbeats.
pub(crate) const PACES: [Pace; 6] = [
    Pace { heartbeat: 5, election: 25 },
    Pace { heartbeat: 10, election: 50 },
    Pace { heartbeat: 20, election: 100 },
    Pace { heartbeat: 40, election: 200 },
    Pace { heartbeat: 60, election: 300 },
    Pace { heartbeat: 100, election: 500 },
];

/// The place of a server: its namespace, its addresses and its directory.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) number: usize,
    pub(crate) namespace: PathBuf,
    /// The addresses of all servers, its own among them.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) directory: PathBuf,
}

impl Place {
    /// The own address.
    pub(crate) fn address(&self) -> IpAddr {
        self.addresses[self.number - 1]
    }

    /// memberd's control socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("control.sock")
    }
}

impl System {
    pub(crate) const ALL: [System; 4] =
        [System::Memberd, System::Etcd, System::EtcdFastest, System::Zookeeper];

    /// The name in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            System::Memberd => "memberd",
            System::Etcd => "etcd",
            System::EtcdFastest => "etcd, fastest",
            System::Zookeeper => "ZooKeeper",
        }
    }

    /// Whether the system can do what the row measures. ZooKeeper's leader hands over to nobody.
    pub(crate) fn has(self, row: Row) -> bool {
        (self, row) != (System::Zookeeper, Row::HandOver)
    }

    /// The command that runs a server at this place. Standard output and standard error share one
    /// pipe, or one of them is the log.
    pub(crate) fn command(self, place: &Place, pace: Option<Pace>) -> Command {
        fs::create_dir_all(&place.directory).expect("a directory for the server");
        let mut command = match self {
            System::Memberd => memberd(place),
            System::Etcd | System::EtcdFastest => etcd(place, pace),
            System::Zookeeper => zookeeper(place),
        };
        command.stdin(Stdio::null());
        command
    }
}

fn memberd(place: &Place) -> Command {
    let port = memberd_tests::block::PORT;
    let names: Vec<String> = (1..=place.addresses.len()).map(|i| format!("vm{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let address = (place.address(), port).into();
    let mut settings = Settings::new(&place.directory, names[place.number - 1], address);
    settings.introducers = vec![format!("{}:{port}", place.addresses[0])];
    settings.join_on_start = true;
    settings.allow_plaintext = true;
    settings.set_agreement(&names, &[]);
    let config = place.directory.join("memberd.toml");
    fs::write(&config, settings.to_toml()).expect("the settings can be written");
    let mut command = binaries::mortal(&binaries::memberd(), Some(&place.namespace));
    command.arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn etcd(place: &Place, pace: Option<Pace>) -> Command {
    let numbered = place.addresses.iter().enumerate();
    let cluster: Vec<String> =
        numbered.map(|(index, address)| format!("vm{}=http://{address}:2380", index + 1)).collect();
    let (peer, client) =
        (format!("http://{}:2380", place.address()), format!("http://{}:2379", place.address()));
    let mut command = binaries::mortal(Path::new("etcd"), Some(&place.namespace));
    command
        .args(["--name", &format!("vm{}", place.number)])
        .arg("--data-dir")
        .arg(place.directory.join("data"))
        .args(["--initial-cluster", &cluster.join(","), "--initial-cluster-state", "new"])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    if let Some(pace) = pace {
        command
            .arg(format!("--heartbeat-interval={}", pace.heartbeat))
            .arg(format!("--election-timeout={}", pace.election));
    }
    command
}

fn zookeeper(place: &Place) -> Command {
    let data = place.directory.join("data");
    fs::create_dir_all(&data).expect("a directory for the server");
    let mut settings = format!("{ZOOKEEPER}dataDir={}\n", data.display());
    for (index, address) in place.addresses.iter().enumerate() {
        let _ = writeln!(settings, "server.{}={address}:2888:3888", index + 1);
    }
    let write = |path: PathBuf, text: &str| fs::write(path, text).expect("room for the settings");
    write(data.join("myid"), &place.number.to_string());
    write(place.directory.join("zoo.cfg"), &settings);
    write(place.directory.join("log4j.properties"), LOG4J);
    let jars: Vec<String> = JARS.iter().map(|jar| format!("/usr/share/java/{jar}")).collect();
    let mut command = binaries::mortal(Path::new("java"), Some(&place.namespace));
    command
        .arg("-cp")
        .arg(format!("{}:{}", place.directory.display(), jars.join(":")))
        .arg("org.apache.zookeeper.server.quorum.QuorumPeerMain")
        .arg(place.directory.join("zoo.cfg"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// What a line of a log says: the server has a leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// The name by which others know this server, if the line has it.
    pub(crate) own: Option<String>,
    /// The leader, by such a name.
    pub(crate) leader: String,
}

/// Reads one server's log line by line.
#[derive(Debug)]
pub(crate) struct Listener {
    system: System,
    number: usize,
    /// To which server ZooKeeper's follower has connected.
    connected: Option<String>,
}

impl Listener {
    pub(crate) fn new(system: System, number: usize) -> Self {
        Listener { system, number, connected: None }
    }

    /// The leader that this line names.
    pub(crate) fn heard(&mut self, line: &str) -> Option<Named> {
        match self.system {
            System::Memberd => {
                let (_, rest) = line.split_once(" leader elected ")?;
                let leader = rest.split(' ').find_map(|word| word.strip_prefix("leader="))?;
                Some(Named { own: None, leader: leader.to_owned() })
            }
            // raft.node: 8e9e05c52164694d elected leader 8e9e05c52164694d at term 2
            System::Etcd | System::EtcdFastest => {
                let (_, rest) = line.split_once("raft.node: ")?;
                let (own, rest) = rest.split_once(" elected leader ")?;
                let (leader, _) = rest.split_once(' ')?;
                Some(Named { own: Some(own.to_owned()), leader: leader.to_owned() })
            }
            System::Zookeeper => self.heard_of_zookeeper(line),
        }
    }

    /// A server serves from "broadcast" on. A follower has connected to the leader before.
    fn heard_of_zookeeper(&mut self, line: &str) -> Option<Named> {
        if let Some((_, address)) = line.split_once("connected to leader, using address: /") {
            let (address, _) = address.split_once(':')?;
            self.connected = address.rsplit('.').next().map(|number| format!("vm{number}"));
        }
        let (_, state) = line.split_once("Peer state changed: ")?;
        let leader = match state.trim_end() {
            "leading - broadcast" => format!("vm{}", self.number),
            "following - broadcast" => self.connected.take()?,
            _ => return None,
        };
        Some(Named { own: None, leader })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(system: System, lines: &[&str]) -> Vec<Named> {
        let mut listener = Listener::new(system, 1);
        lines.iter().filter_map(|line| listener.heard(line)).collect()
    }

    #[test]
    fn each_log_names_the_leader() {
        let named = |own: Option<&str>, leader: &str| {
            vec![Named { own: own.map(str::to_owned), leader: leader.to_owned() }]
        };
        let line =
            "2026-11-29T22:00:00.000Z INFO leader elected number=2 term=1 leader=vm3 here=false";
        assert_eq!(heard(System::Memberd, &[line]), named(None, "vm3"));
        let line = "raft2026/11/29 22:28:42 INFO: raft.node: 8e9e elected leader 91bc at term 2";
        assert_eq!(heard(System::Etcd, &[line]), named(Some("8e9e"), "91bc"));
        let lines = [
            "2026-11-29 22:29:33,350 INFO  Successfully connected to leader, using address: \
            /10.88.0.2:2888",
            "2026-11-29 22:29:33,379 INFO  Peer state changed: following - synchronization",
            "2026-11-29 22:29:33,477 INFO  Peer state changed: following - broadcast",
        ];
        assert_eq!(heard(System::Zookeeper, &lines), named(None, "vm2"));
        let line = "2026-11-29 22:29:33,475 INFO  Peer state changed: leading - broadcast";
        assert_eq!(heard(System::Zookeeper, &[line]), named(None, "vm1"));
    }
}
