//! Watches how far copies are behind: it looks into the keepers' stores, as a search does, while
//! logs are written. [`Watch`] owns what is not in two copies yet.

use super::{COPIES, logs, store};
use crate::options::Row;
use memberd_copies::kept;
use memberd_membership::Name;
use memberd_tests::wait::holds;
use memberd_tests::{Fleet, wait_until};
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The pause between two looks. A lag is at most this much and the time of a look too long.
const PAUSE: Duration = Duration::from_millis(20);

/// How long the last line may take.
const LAST: Duration = Duration::from_secs(300);

/// The writes of each source that are not in two copies yet: their ends, and when they were made.
type Waiting = BTreeMap<usize, VecDeque<(u64, Instant)>>;

/// A thread that watches.
pub(crate) struct Watch {
    waiting: Arc<Mutex<Waiting>>,
    /// Whether nothing more is written.
    ending: Arc<AtomicBool>,
    thread: JoinHandle<Vec<f64>>,
}

impl Watch {
    /// Watches the logs of these sources.
    pub(crate) fn begin(fleet: &Fleet, row: Row, sources: &[usize]) -> Watch {
        let waiting: Waiting = sources.iter().map(|source| (*source, VecDeque::new())).collect();
        let waiting = Arc::new(Mutex::new(waiting));
        let ending = Arc::new(AtomicBool::new(false));
        let stores: Vec<PathBuf> = fleet.daemons().iter().map(store).collect();
        let logs = fleet.daemons().iter().map(|daemon| daemon.directory().join(logs::name(row)));
        let logs: Vec<PathBuf> = logs.collect();
        let (watched, ends) = (Arc::clone(&waiting), Arc::clone(&ending));
        let thread = thread::spawn(move || watch(&stores, &logs, &watched, &ends));
        Watch { waiting, ending, thread }
    }

    /// A source has just written up to here.
    pub(crate) fn wrote(&self, source: usize, end: u64) {
        let now = Instant::now();
        let mut waiting = self.waiting.lock().expect("the watch goes on");
        waiting.entry(source).or_default().push_back((end, now));
    }

    /// Waits until all is in two copies. Returns how long each write took to get there, in seconds.
    pub(crate) fn end(self) -> Vec<f64> {
        wait_until("all lines are in two copies", LAST, || {
            let waiting = self.waiting.lock().expect("the watch goes on");
            let left: usize = waiting.values().map(VecDeque::len).sum();
            holds(left == 0, || format!("{left} writes are not"))
        });
        self.ending.store(true, Ordering::Relaxed);
        self.thread.join().expect("the watch ends well")
    }
}

fn watch(
    stores: &[PathBuf],
    logs: &[PathBuf],
    waiting: &Mutex<Waiting>,
    ending: &AtomicBool,
) -> Vec<f64> {
    let mut lags = Vec::new();
    while !ending.load(Ordering::Relaxed) {
        let sources: Vec<usize> = waiting.lock().expect("nobody panics").keys().copied().collect();
        for source in sources {
            let kept = kept_twice(stores, source, &logs[source - 1]);
            let now = Instant::now();
            let mut waiting = waiting.lock().expect("nobody panics");
            let Some(writes) = waiting.get_mut(&source) else { continue };
            while let Some((_, at)) = writes.front().copied().filter(|(end, _)| *end <= kept) {
                lags.push((now - at).as_secs_f64());
                writes.pop_front();
            }
        }
        thread::sleep(PAUSE);
    }
    lags
}

/// Up to where two keepers have this log of a source, in bytes.
fn kept_twice(stores: &[PathBuf], source: usize, log: &Path) -> u64 {
    let mut ends: Vec<u64> = stores.iter().filter_map(|store| end(store, source, log)).collect();
    ends.sort_unstable();
    ends.iter().rev().nth(COPIES - 1).copied().unwrap_or_default()
}

/// Up to where a store has this log of a source, in bytes.
fn end(store: &Path, source: usize, log: &Path) -> Option<u64> {
    let name = Name::new(&format!("vm{source}")).expect("a name");
    // A store without copies of this source has no directory of it.
    let streams = kept::list(store, &name).unwrap_or_default();
    streams.iter().find(|stream| stream.head.path == log).map(|stream| stream.end)
}

/// The numbers of the members that keep this log of a source, and up to where.
pub(crate) fn keepers(
    fleet: &Fleet,
    source: usize,
    row: Row,
) -> impl Iterator<Item = (usize, u64)> {
    let log = fleet[source].directory().join(logs::name(row));
    let daemons = fleet.daemons().iter().enumerate();
    daemons.filter_map(move |(index, daemon)| {
        end(&store(daemon), source, &log).map(|end| (index + 1, end))
    })
}
