use super::*;
use crate::search::limits::Limits;
use memberd_control::grep::GrepFollow;
use memberd_search::ExposedFiles;
use memberd_streams::{Gather, Plan, Query, Value};
use memberd_worker::{Settings, bind, serve};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::mpsc;

const QUERY: &str = "x | count by file";

/// How long what is waited for may take. It comes far sooner.
const LIMIT: Duration = Duration::from_secs(60);

/// A machine with logs and a worker, whose connections can be broken.
pub(in crate::search) struct Machine {
    directory: TempDir,
    pub(in crate::search) searcher: Arc<LocalSearcher>,
    connections: Arc<Mutex<Vec<UnixStream>>>,
}

impl Machine {
    pub(in crate::search) fn new() -> Machine {
        let directory = TempDir::new().unwrap();
        let worker = bind(&directory.path().join("worker")).unwrap();
        let users = vec![nix::unistd::getuid().as_raw()];
        std::thread::spawn(move || serve(&worker, &Settings { users, idle: None }));
        let connections = Arc::default();
        let between = UnixListener::bind(directory.path().join("between")).unwrap();
        let (to, kept) = (directory.path().join("worker"), Arc::clone(&connections));
        std::thread::spawn(move || pass_on(&between, &to, &kept));
        let glob = directory.path().join("*.log");
        let offer = ExposedFiles::new(&[glob.to_str().unwrap()]).unwrap();
        let searcher = LocalSearcher::new("vm1".to_owned(), offer, Limits::default());
        searcher.set_worker(Some(directory.path().join("between")));
        Machine { directory, searcher: Arc::new(searcher), connections }
    }

    pub(in crate::search) fn append(&self, name: &str, text: &str) {
        let path = self.directory.path().join(name);
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// As if the worker had been killed.
    fn break_connections(&self) {
        for stream in self.connections.lock().unwrap().drain(..) {
            // One that has ended is as it should be.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Follows from there while `test` gets the replies, and returns the last one.
    fn follow(&self, from: GrepFollow, test: impl FnOnce(&mut Followed)) -> PeerReply {
        let request = request(from);
        let (queue, replies) = mpsc::channel(2);
        let output = ReplySink::new(queue, u64::MAX, Arc::default()).with_positions(true);
        let cancel = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let memory = Err(self.searcher.memory.clone());
            let last = scope.spawn(|| self.searcher.search(&request, memory, output, &cancel));
            let (sender, told) = std_mpsc::channel();
            scope.spawn(move || {
                let mut replies = replies;
                while let Some(reply) = replies.blocking_recv() {
                    if sender.send(reply).is_err() {
                        break;
                    }
                }
            });
            let mut followed = Followed { told, parts: Vec::new(), stand: Vec::new() };
            test(&mut followed);
            cancel.store(true, Ordering::Relaxed);
            drop(followed);
            last.join().unwrap()
        })
    }
}

/// A question that follows all files from there.
pub(in crate::search) fn request(from: GrepFollow) -> GrepRequest {
    let mut request = GrepRequest { follow_from: Some(from), ..GrepRequest::default() };
    request.pattern.patterns = vec!["x".into()];
    request.files.follow = true;
    let (query, every_ms) = (QUERY.to_owned(), Some(100));
    request.stats = Some(StatsQuestion { query, groups: 1, every_ms, ..StatsQuestion::default() });
    request
}

/// Passes the connections on to the worker.
fn pass_on(between: &UnixListener, worker: &Path, kept: &Mutex<Vec<UnixStream>>) {
    while let Ok((here, _)) = between.accept() {
        let there = UnixStream::connect(worker).unwrap();
        let both = [&here, &there].map(|stream| stream.try_clone().unwrap());
        kept.lock().unwrap().extend(both);
        for (from, to) in [(&here, &there), (&there, &here)] {
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            std::thread::spawn(move || {
                // However it ends, the other side ends, too.
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
        }
    }
}

/// What has come of a follow.
struct Followed {
    told: std_mpsc::Receiver<PeerReply>,
    /// The sums of all rounds that have ended, and of the one that has not.
    parts: Vec<Vec<u8>>,
    stand: Vec<GrepPosition>,
}

impl Followed {
    /// Waits for the end of a round. None if the follow has ended.
    fn round(&mut self) -> Option<()> {
        loop {
            match self.told.recv_timeout(LIMIT) {
                Ok(PeerReply::Partial(bytes)) => self.parts.push(bytes),
                Ok(PeerReply::Positions { positions, with_next: false }) => {
                    self.stand
                        .retain(|known| !positions.iter().any(|it| it.is_of_same_file(known)));
                    self.stand.extend(positions);
                    return Some(());
                }
                Ok(other) => panic!("{other:?}"),
                Err(std_mpsc::RecvTimeoutError::Disconnected) => return None,
                Err(std_mpsc::RecvTimeoutError::Timeout) => panic!("nothing comes"),
            }
        }
    }

    /// Waits until the rounds have counted these lines, as `FILE COUNT`.
    fn expect(&mut self, counts: &[&str]) {
        while count(&self.parts) != counts {
            self.round().unwrap();
        }
    }
}

/// The counts of files, as `FILE COUNT`.
pub(in crate::search) fn count(parts: &[Vec<u8>]) -> Vec<String> {
    let plan = Arc::new(Plan::new(&Query::parse(QUERY).unwrap()).unwrap());
    let limits = memberd_streams::Limits { groups: 1_000, bytes: 1 << 20 };
    let mut gather = Gather::new(plan, limits);
    parts.iter().for_each(|part| gather.partial("vm1", part).unwrap());
    let rows = gather.finish().unwrap().rows;
    let shown = |values: &[Value]| match values {
        [Value::Text(path), Value::Number(number)] => {
            let path = String::from_utf8(path.clone()).unwrap();
            format!("{} {number}", path.rsplit('/').next().unwrap())
        }
        other => panic!("{other:?}"),
    };
    rows.iter().map(|row| shown(&row.values)).collect()
}

fn from(positions: &[GrepPosition]) -> GrepFollow {
    GrepFollow { again: true, positions: positions.to_vec(), ..GrepFollow::default() }
}

/// Lines that are there already do not count, and neither do those that are not selected. The sums
/// of a follow that goes on where another one ended are those of one.
#[test]
fn each_line_counts_once_over_two_follows() {
    let machine = Machine::new();
    machine.append("a.log", "x old\nan ");
    let (mut parts, mut stand) = (Vec::new(), Vec::new());
    machine.follow(GrepFollow::default(), |followed| {
        followed.round().unwrap();
        machine.append("a.log", "x\nnone\nx\nx \0\n");
        machine.append("b.log", "x\n");
        followed.expect(&["a.log 3", "b.log 1"]);
        (parts, stand) = (std::mem::take(&mut followed.parts), std::mem::take(&mut followed.stand));
    });
    machine.append("a.log", "x\n");
    machine.append("c.log", "x\nx\n");
    machine.follow(from(&stand), |followed| {
        followed.parts = parts;
        followed.expect(&["a.log 4", "b.log 1", "c.log 2"]);
        machine.append("b.log", "x\n");
        followed.expect(&["a.log 4", "b.log 2", "c.log 2"]);
    });
}

/// Whoever asks hears that the worker was lost, and asks again from the last whole round.
#[test]
fn a_worker_that_is_lost_ends_the_follow_for_now() {
    let machine = Machine::new();
    let mut stand = Vec::new();
    let last = machine.follow(GrepFollow::default(), |followed| {
        followed.round().unwrap();
        machine.append("a.log", "x\n");
        followed.expect(&["a.log 1"]);
        stand = followed.stand.clone();
        machine.break_connections();
        while followed.round().is_some() {}
    });
    assert_eq!(last, PeerReply::Broken("the worker ended (out of memory?)".to_owned()));
    let none = Some(machine.directory.path().join("none"));
    let socket = machine.searcher.worker();
    machine.searcher.set_worker(none);
    let words = "streams are off there (no memberd-worker.socket)".to_owned();
    let again = machine.follow(from(&stand), |_| ());
    assert_eq!(again, PeerReply::Broken(words.clone()));
    // Who follows nothing yet is told so, and does not try again.
    let first = machine.follow(GrepFollow::default(), |_| ());
    assert_eq!(first, PeerReply::Refused(words));
    machine.searcher.set_worker(socket);
    machine.follow(from(&stand), |followed| {
        machine.append("a.log", "x\nx\n");
        followed.expect(&["a.log 2"]);
    });
}

/// A reload that switches questions off ends those that last.
#[test]
fn a_follow_ends_when_streams_are_switched_off() {
    let machine = Machine::new();
    let last = machine.follow(GrepFollow::default(), |followed| {
        followed.round().unwrap();
        machine.searcher.set_worker(None);
        while followed.round().is_some() {}
    });
    assert_eq!(last, refused(OFF));
}

/// Lines that come faster than rounds end go into few of them.
#[test]
fn many_lines_at_once_are_all_counted() {
    let machine = Machine::new();
    machine.append("a.log", "");
    let mut parts = Vec::new();
    let last = machine.follow(GrepFollow::default(), |followed| {
        followed.round().unwrap();
        for _ in 0..200 {
            machine.append("a.log", &"x\n".repeat(1_000));
        }
        followed.expect(&["a.log 200000"]);
        parts = std::mem::take(&mut followed.parts);
    });
    assert_eq!(count(&parts), ["a.log 200000"]);
    assert!(matches!(last, PeerReply::Refused(_)), "{last:?}");
}

#[test]
fn what_does_not_follow_files_is_refused() {
    let machine = Machine::new();
    let search = |change: fn(&mut GrepRequest)| {
        let mut request = request(GrepFollow::default());
        change(&mut request);
        let (queue, _replies) = mpsc::channel(2);
        let output = ReplySink::new(queue, u64::MAX, Arc::default());
        let memory = Err(machine.searcher.memory.clone());
        machine.searcher.search(&request, memory, output, &AtomicBool::new(false))
    };
    for change in [
        (|it| it.files.follow = false) as fn(&mut GrepRequest),
        |it| it.kept_of = Some("vm2".to_owned()),
        |it| it.stats.as_mut().unwrap().every_ms = None,
    ] {
        let last = search(change);
        assert!(matches!(last, PeerReply::Refused(_)), "{last:?}");
    }
}
