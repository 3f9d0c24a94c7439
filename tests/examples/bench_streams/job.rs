//! A durable job on a fleet, as a stream. [`Job`] owns the fleet, and what was read of the sink.

use crate::stream::{Rows, Stream};
use memberd_control::message::{FileRead, FileReply, FileRequest, Reply, Request};
use memberd_control::streams::{StreamFrom, StreamReply, StreamRequest, StreamSpec, StreamStatus};
use memberd_streams::time_text;
use memberd_tests::control::{ControlError, reply};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Daemon, Fleet, wait_until};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The job, and its sink.
const NAME: &str = "bench";
const SINK: &str = "/streams/bench.tsv";

/// How often a job commits, in milliseconds: as often as it may, and as often as it does unless it
/// is asked to.
pub(crate) const SOONEST_MS: u64 = 100;
pub(crate) const DEFAULT_MS: u64 = 1_000;

/// How many lines each member writes first. They are in all partitions.
const FIRST: usize = 16;

/// How old the lines are by their stamps, in milliseconds. Their window has closed, and is kept.
const AGE_MS: i64 = 600_000;

/// How long a read of the sink may take before it is tried again.
const PATIENCE: Duration = Duration::from_secs(2);

/// A fleet with a job over its logs.
pub(crate) struct Job {
    /// The members, each with a log.
    pub(crate) fleet: Fleet,
    /// On whose log lines are written, and by whom the sink is read.
    pub(crate) at: usize,
    /// The stamp of all lines.
    stamp: String,
    /// What was read of the sink, in bytes, and the begin of a row.
    offset: u64,
    part: Vec<u8>,
    rows: Rows,
    /// The numbers of rows that were read.
    seen: BTreeSet<String>,
}

/// Members that agree and keep files, each with a log and a worker, and no job.
pub(crate) fn fleet(members: u8) -> Fleet {
    let mut fleet = Fleet::store_files(members, &[], |daemon| {
        daemon.start_worker();
        daemon.settings.jobs = true;
        daemon.settings.logs.push("copies = 0".to_owned());
        let log = log(daemon);
        fs::create_dir(log.parent().expect("a directory")).expect("a directory for the log");
        File::create(&log).expect("a log");
        daemon.settings.files.push(log.display().to_string());
    });
    fleet.let_all_introduce();
    fleet
}

/// Appends lines to a log.
pub(crate) fn append(log: &Path, lines: &str) {
    let mut log = OpenOptions::new().append(true).open(log).expect("the log is there");
    log.write_all(lines.as_bytes()).expect("room on the disk");
}

/// The log of a member.
pub(crate) fn log(daemon: &Daemon) -> PathBuf {
    daemon.directory().join("srv/app.log")
}

impl Job {
    /// Members with a job that runs and commits this often, in milliseconds.
    pub(crate) fn start(members: u8, commit_ms: u64) -> Self {
        let fleet = fleet(members);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
        let now = i64::try_from(now.as_millis()).expect("a time of this age");
        let (stamp, rows, seen) = (time_text(now - AGE_MS), Rows::new(), BTreeSet::new());
        let job = Job { fleet, at: 1, stamp, offset: 0, part: Vec::new(), rows, seen };
        let started =
            job.ask(&StreamRequest::Start(Box::new(job.spec(commit_ms)))).expect("an answer");
        assert!(matches!(started, StreamReply::Started(_)), "{started:?}");
        // A partition knows how late it is once it has counted a line.
        for daemon in job.fleet.daemons() {
            let line = |number| format!("{} k=first-{}-{number}\n", time_text(now), daemon.name());
            append(&log(daemon), &(0..FIRST).map(line).collect::<String>());
        }
        wait_until("the windows of the lines have closed", SOON, || {
            let status = job.status()?;
            let is_open = status.partitions.iter().all(|part| part.is_open);
            let is_past = status.watermark.is_some_and(|watermark| watermark > now - AGE_MS / 2);
            holds(is_open && is_past, || format!("{status:?}"))
        });
        job
    }

    fn spec(&self, commit_ms: u64) -> StreamSpec {
        let directory = self.fleet[1].directory().parent().expect("that of the fleet");
        StreamSpec {
            name: NAME.to_owned(),
            query: "| logfmt | count by k every 10s".to_owned(),
            files: vec![format!("{}/*/srv/app.log", directory.display())],
            from: StreamFrom::Beginning,
            lateness_ms: 2_000,
            retain_ms: 3_600_000,
            commit_ms,
            sink: SINK.to_owned(),
            copies: 5,
            ..StreamSpec::default()
        }
    }

    fn ask(&self, request: &StreamRequest) -> Result<StreamReply, ControlError> {
        let control = self.fleet[self.at].control();
        let mut stream = control.ask(&Request::Stream(request.clone()), Some(SOON))?;
        match reply(&mut stream)? {
            Reply::Stream(reply) => Ok(reply),
            _ => Err(ControlError::OutOfPlace),
        }
    }

    /// What is known of the job.
    ///
    /// # Errors
    /// When it cannot be told now.
    pub(crate) fn status(&self) -> Result<StreamStatus, String> {
        match self.ask(&StreamRequest::Status { name: NAME.to_owned() }) {
            Ok(StreamReply::Status(status)) => Ok(*status),
            other => Err(format!("{other:?}")),
        }
    }

    /// Takes in rows of the sink from where the last look ended.
    fn read_sink(&mut self) -> Result<(), ControlError> {
        let (path, offset) = (SINK.to_owned(), self.offset);
        let request = FileRequest::Read(FileRead { path, offset, limit: None });
        let control = self.fleet[self.at].control();
        let mut stream = control.ask(&Request::File(request), Some(PATIENCE))?;
        loop {
            match reply(&mut stream)? {
                Reply::File(FileReply::Bytes(bytes)) => {
                    self.offset += bytes.len() as u64;
                    self.part.extend(bytes);
                }
                Reply::File(FileReply::Length { .. }) => {}
                Reply::Done => break,
                _ => return Err(ControlError::OutOfPlace),
            }
        }
        self.take_rows();
        Ok(())
    }

    fn take_rows(&mut self) {
        let Some(end) = self.part.iter().rposition(|byte| *byte == b'\n') else { return };
        let text: Vec<u8> = self.part.drain(..=end).collect();
        for row in String::from_utf8_lossy(&text).lines() {
            let columns: Vec<&str> = row.split('\t').collect();
            let [number, _, key, count, _] = columns.as_slice() else { panic!("no row: {row}") };
            // Each key is written once, so a row with another count has a line twice.
            let count: usize = count.parse().expect("a count");
            assert!(self.seen.insert((*number).to_owned()), "the sink has row {number} twice");
            *self.rows.entry((*key).to_owned()).or_default() += count;
        }
    }
}

impl Stream for Job {
    fn write(&mut self, keys: &[String]) {
        let lines = keys.iter().map(|key| format!("{} k={key}\n", self.stamp));
        append(&log(&self.fleet[self.at]), &lines.collect::<String>());
    }

    fn read(&mut self) {
        // What cannot be read now is read at the next look.
        let _ = self.read_sink();
    }

    fn rows(&self) -> &Rows {
        &self.rows
    }
}

/// Kills, and what comes after them.
impl Job {
    /// Kills the worker that reads the lines.
    pub(crate) fn kill_worker(&mut self) {
        self.fleet[self.at].kill_worker();
    }

    /// Starts it again, as systemd does when the daemon asks.
    pub(crate) fn start_worker(&mut self) {
        self.fleet[self.at].start_worker();
    }

    /// The member that writes the sink.
    pub(crate) fn sink_owner(&self) -> usize {
        wait_until("the sink has an owner that runs", SOON, || {
            let owner = self.status()?.sink_owner.ok_or("none".to_owned())?;
            let number = number(&owner);
            holds(self.fleet[number].is_running(), || format!("{owner} is dead"))?;
            Ok(number)
        })
    }

    /// The leader, and the three members behind it.
    pub(crate) fn leader_and_three(&self) -> Vec<usize> {
        let count = self.fleet.daemons().len();
        let leader = wait_until("a leader is known", SOON, || {
            let view = self.fleet[self.at].control().leader().map_err(|error| error.to_string())?;
            let leader = view.leader.ok_or("none".to_owned())?;
            holds(self.fleet[number(&leader)].is_running(), || format!("{leader} is dead"))?;
            Ok(number(&leader))
        });
        (0..4).map(|step| (leader - 1 + step) % count + 1).collect()
    }

    /// Kills the daemons and workers of these members. Lines are then written on another one.
    pub(crate) fn kill_machines(&mut self, numbers: &[usize]) {
        self.fleet.crash(numbers);
        for number in numbers {
            self.fleet[*number].kill_worker();
        }
        self.at = self.fleet.running_numbers()[0];
    }

    /// Starts them again, and waits until all agree.
    pub(crate) fn restart_machines(&mut self, numbers: &[usize]) {
        for number in numbers {
            self.fleet[*number].start_worker();
        }
        self.fleet.restart(numbers);
        self.fleet.wait_until_agreed();
    }
}

/// The number of a member, by its name.
fn number(name: &str) -> usize {
    name.trim_start_matches("vm").parse().expect("a name that the fleet gave")
}
