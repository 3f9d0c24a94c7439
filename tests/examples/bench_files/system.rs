//! Starts any of the systems, and says when it is ready and when all its copies are there. It owns
//! no state.

use crate::faces::{Ctl, Face, Filer, Native, WebHdfs};
use crate::nodes::{MACHINES, Nodes};
use crate::rows::LOST;
use crate::{hdfs, memberd, seaweed};
use clap::ValueEnum;
use memberd_tests::bench::pass;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a system may take until it is ready.
const STARTS: Duration = Duration::from_secs(90);

/// A system to measure, with what it does before it answers a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum System {
    /// memberd as it is: all three copies are on disk
    Memberd,
    /// memberd on disks in memory, where syncing costs nothing
    MemberdInMemory,
    /// HDFS as it is: three copies in memory
    Hdfs,
    /// HDFS that syncs: each block when it is closed, and hsync in its own protocol
    HdfsSyncing,
    /// SeaweedFS as it is: three copies in memory
    Seaweed,
    /// SeaweedFS that syncs, since each request says so
    SeaweedSyncing,
}

/// How soon a system makes up for a dead machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As soon as its settings allow.
    Quick,
    /// By its defaults.
    Default,
}

impl System {
    pub(crate) const ALL: [System; 6] = [
        System::Memberd,
        System::MemberdInMemory,
        System::Hdfs,
        System::HdfsSyncing,
        System::Seaweed,
        System::SeaweedSyncing,
    ];

    /// The systems as they are.
    pub(crate) const AS_THEY_ARE: [System; 3] = [System::Memberd, System::Hdfs, System::Seaweed];

    /// The name in the tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            System::Memberd => "memberd",
            System::MemberdInMemory => "memberd in memory",
            System::Hdfs => "HDFS",
            System::HdfsSyncing => "HDFS, syncing",
            System::Seaweed => "SeaweedFS",
            System::SeaweedSyncing => "SeaweedFS, syncing",
        }
    }

    pub(crate) fn is_as_it_is(self) -> bool {
        Self::AS_THEY_ARE.contains(&self)
    }

    /// The ways to speak with it. The first is the one over HTTP.
    pub(crate) fn ways(self) -> &'static [Way] {
        match self {
            System::Memberd => &[Way::WebHdfs, Way::Ctl],
            System::MemberdInMemory => &[Way::WebHdfs],
            System::Hdfs | System::HdfsSyncing => &[Way::WebHdfs, Way::Native],
            System::Seaweed | System::SeaweedSyncing => &[Way::Filer],
        }
    }

    /// Where its disks are.
    fn above(self) -> PathBuf {
        match self {
            System::MemberdInMemory => Path::new("/dev/shm").to_owned(),
            _ => std::env::temp_dir(),
        }
    }

    /// Starts it on five machines, and waits until it is ready.
    ///
    /// # Panics
    /// When it is not ready in time.
    pub(crate) fn start(self, pace: Pace) -> Nodes {
        let mut nodes = Nodes::new(&self.above());
        match self {
            System::Memberd | System::MemberdInMemory => {
                memberd::start(&mut nodes, memberd::Files::Kept(pace));
            }
            System::Hdfs => hdfs::start(&mut nodes, false, pace),
            System::HdfsSyncing => hdfs::start(&mut nodes, true, pace),
            System::Seaweed | System::SeaweedSyncing => seaweed::start(&mut nodes),
        }
        self.settle(&mut nodes);
        nodes
    }

    fn settle(self, nodes: &mut Nodes) {
        wait(STARTS, nodes, |nodes| match self {
            System::Memberd | System::MemberdInMemory => memberd::is_ready(nodes),
            System::Hdfs | System::HdfsSyncing => hdfs::is_ready(nodes),
            System::Seaweed | System::SeaweedSyncing => seaweed::is_ready(nodes),
        });
    }

    /// Whether all of these files have three copies on machines that are not `gone`. If not, it
    /// says what is missing.
    pub(crate) fn is_whole(
        self,
        nodes: &Nodes,
        files: &[String],
        gone: Option<u8>,
    ) -> Result<(), String> {
        match self {
            System::Memberd | System::MemberdInMemory => memberd::is_whole(nodes, LOST, gone),
            System::Hdfs | System::HdfsSyncing => hdfs::is_whole(nodes, files, gone),
            System::Seaweed | System::SeaweedSyncing => seaweed::is_whole(nodes, gone),
        }
    }
}

/// A way to speak with a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// WebHDFS, over a kept connection for names and a new one for each content.
    WebHdfs,
    /// The program memberctl, started anew each time.
    Ctl,
    /// HDFS's own protocol, from a warm Java.
    Native,
    /// SeaweedFS's filer, over a kept connection.
    Filer,
}

impl Way {
    /// The column of this way in the tables.
    pub(crate) fn column(self, system: System) -> String {
        match self {
            Way::WebHdfs => format!("{}, WebHDFS", system.name()),
            Way::Ctl => format!("{}, memberctl", system.name()),
            Way::Native => format!("{}, native", system.name()),
            Way::Filer => system.name().to_owned(),
        }
    }

    /// Opens it on machine 1. A process that it starts ends with this thread.
    pub(crate) fn open(self, system: System, nodes: &Nodes) -> Box<dyn Face> {
        match (self, system) {
            (Way::WebHdfs, System::Memberd | System::MemberdInMemory) => {
                Box::new(WebHdfs::new(memberd::WEBHDFS))
            }
            (Way::WebHdfs, _) => Box::new(WebHdfs::new(&hdfs::http(nodes))),
            (Way::Ctl, _) => Box::new(Ctl::new(&memberd::socket(nodes, 1))),
            (Way::Native, _) => Box::new(Native::start(nodes, system == System::HdfsSyncing)),
            (Way::Filer, _) => {
                Box::new(Filer::new(&seaweed::filer(nodes), system == System::SeaweedSyncing))
            }
        }
    }
}

/// Waits until the condition holds. Programs must not end meanwhile.
///
/// # Panics
/// When it does not hold in time, with what is missing.
pub(crate) fn wait(
    limit: Duration,
    nodes: &mut Nodes,
    holds: impl Fn(&Nodes) -> Result<(), String>,
) {
    let start = Instant::now();
    loop {
        nodes.check();
        match holds(nodes) {
            Ok(()) => return,
            Err(missing) => assert!(start.elapsed() < limit, "not within {limit:?}: {missing}"),
        }
        pass(Duration::from_millis(100));
    }
}

/// The numbers of the machines.
pub(crate) fn machines() -> std::ops::RangeInclusive<u8> {
    1..=MACHINES
}
