//! Measures what it costs to ship logs: ten members that keep copies beside ten that keep none,
//! each on a machine of its own. [`Stage`] owns both fleets.

mod lag;
mod logs;

use crate::options::Row;
use crate::results::{Measure, Subject};
use crate::{Bench, pass};
use lag::Watch;
use logs::Logs;
use memberd_tests::wait::holds;
use memberd_tests::{Daemon, Fleet, Network, proc, wait_until};
use std::time::{Duration, Instant};

/// How many members a fleet has.
const MEMBERS: u8 = 10;

/// How many others keep a copy of each log.
pub(crate) const COPIES: usize = 2;

/// The member that logs in the row of one.
const SOURCE: usize = 5;

/// Members still have work for a while after the last change.
const CALM: Duration = Duration::from_secs(15);

/// How long the last blocks, and sealing, may take after the last line.
const SETTLED: Duration = Duration::from_secs(300);

/// How long all must have been nearly idle to have settled, and how busy a member may be then, in
/// clock ticks.
const QUIET: Duration = Duration::from_secs(3);
const QUIET_TICKS: u64 = 3;

/// The columns.
pub(crate) const WITH: &str = "copies = 2";
pub(crate) const WITHOUT: &str = "copies = 0";

/// Both fleets. Whatever happens to one happens to the other at the same time.
struct Stage {
    with: Fleet,
    without: Fleet,
    /// What each member without copies has resident at rest, in KiB.
    at_rest: Vec<u64>,
}

/// Measures the rows that are wanted.
pub(crate) fn measure(bench: &mut Bench) {
    let mut stage = None;
    bench.attempt(&Subject::new(Row::Rest, WITH), |bench| {
        let new = Stage::new();
        if bench.wants(Row::Rest) {
            new.rest(bench);
        }
        stage = Some(new);
    });
    let Some(mut stage) = stage else { return };
    for (row, sources) in [(Row::One, vec![SOURCE]), (Row::All, (1..=MEMBERS.into()).collect())] {
        if bench.wants(row) {
            bench.attempt(&Subject::new(row, WITH), |bench| stage.ship(bench, row, &sources));
        }
    }
}

/// What a fleet has used until now.
struct Spent {
    /// Processor time, in clock ticks of a hundredth of a second.
    ticks: Vec<u64>,
    bytes: Vec<u64>,
    packets: Vec<u64>,
}

impl Spent {
    fn of(fleet: &Fleet) -> Self {
        let (bytes, packets) = fleet.network().sent().into_iter().unzip();
        let ticks = fleet.daemons().iter().map(|daemon| proc::cpu_ticks(daemon.pid())).collect();
        Spent { ticks, bytes, packets }
    }

    /// How much more it has used since then.
    fn since(&self, before: &Spent) -> Spent {
        let less = |now: &[u64], before: &[u64]| {
            now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).collect()
        };
        Spent {
            ticks: less(&self.ticks, &before.ticks),
            bytes: less(&self.bytes, &before.bytes),
            packets: less(&self.packets, &before.packets),
        }
    }
}

impl Stage {
    fn new() -> Self {
        let [with, without] = [COPIES, 0].map(|copies| {
            let network = Network::new(MEMBERS).expect("network namespaces");
            let mut fleet = Fleet::within(network, MEMBERS);
            for daemon in fleet.daemons_mut() {
                daemon.set_keys("1");
                daemon.settings.logs = vec![format!("copies = {copies}")];
                for row in [Row::One, Row::All] {
                    drop(daemon.offer(logs::name(row)));
                }
            }
            fleet.form();
            fleet
        });
        pass(CALM);
        let at_rest = without.daemons().iter().map(|daemon| proc::resident_kib(daemon.pid()));
        let at_rest = at_rest.collect();
        Stage { with, without, at_rest }
    }

    fn fleets(&self) -> [(&'static str, &Fleet); 2] {
        [(WITHOUT, &self.without), (WITH, &self.with)]
    }

    /// Both fleets while nobody logs anything.
    fn rest(&self, bench: &mut Bench) {
        let before = self.fleets().map(|(_, fleet)| Spent::of(fleet));
        let exact = |fleet: &Fleet| -> Vec<u64> {
            fleet.daemons().iter().map(|daemon| proc::used(daemon.pid()).nanoseconds).collect()
        };
        let nanoseconds = self.fleets().map(|(_, fleet)| exact(fleet));
        let start = Instant::now();
        pass(bench.options.rest_span());
        let seconds = start.elapsed().as_secs_f64();
        for (index, (column, fleet)) in self.fleets().into_iter().enumerate() {
            let spent = Spent::of(fleet).since(&before[index]);
            let used = exact(fleet);
            let used = used.iter().zip(&nanoseconds[index]).map(|(now, then)| now - then);
            let of = Subject::new(Row::Rest, column);
            let mut add = |measure: Measure, what: &str, samples: Vec<f64>| {
                bench.results.add(&of, measure, &format!("each: {what}"), &samples);
            };
            let rate =
                |counts: &[u64]| counts.iter().map(|count| *count as f64 / seconds).collect();
            let processor = used.map(|used| used as f64 / 1e6 / seconds).collect();
            add(Measure::MillisecondsPerSecond, "processor time", processor);
            add(Measure::PerSecond, "packets sent", rate(&spent.packets));
            add(Measure::BytesPerSecond, "bytes sent, IP headers included", rate(&spent.bytes));
            let resident =
                fleet.daemons().iter().map(|daemon| mebibytes(proc::resident_kib(daemon.pid())));
            add(Measure::Mebibytes, "memory, resident (RSS)", resident.collect());
        }
    }

    /// Some members log, in both fleets.
    fn ship(&mut self, bench: &mut Bench, row: Row, sources: &[usize]) {
        let logs = Logs::new(row, sources, bench.options.log_bytes());
        let bytes = logs.bytes();
        for (_, fleet) in self.fleets() {
            fleet.daemons().iter().for_each(|daemon| proc::forget_peak(daemon.pid()));
        }
        let before = self.fleets().map(|(_, fleet)| Spent::of(fleet));
        let watch = Watch::begin(&self.with, row, sources);
        let wrote = logs.write([&self.with, &self.without], bench.options.pace, &watch);
        let lags = watch.end();
        self.settle();
        let [without, with] = [0, 1].map(|index| {
            let (_, fleet) = self.fleets()[index];
            Spent::of(fleet).since(&before[index])
        });
        let megabytes = bytes as f64 / 1e6;
        let of = Subject::new(row, WITH);
        let mut add = |measure: Measure, what: &str, samples: &[f64]| {
            bench.results.add(&of, measure, what, samples);
        };
        add(Measure::Megabytes, "written in a second", &[megabytes / wrote.as_secs_f64()]);
        add(Measure::Seconds, "lag: a line is in both copies", &lags);
        let sum = |counts: &[u64]| counts.iter().sum::<u64>();
        let sent = sum(&with.bytes).saturating_sub(sum(&without.bytes)) as f64;
        add(Measure::Ratio, "bytes on the wire to bytes of log", &[sent / bytes as f64]);
        let more = |number: usize| {
            let [with, without] = [&with.ticks, &without.ticks].map(|ticks| ticks[number - 1]);
            with.saturating_sub(without) as f64 * 10.0
        };
        if let [source] = sources {
            let cost = Measure::MillisecondsPerMegabyte;
            add(cost, "processor time of the source", &[more(*source) / megabytes]);
            let keepers: Vec<f64> = lag::keepers(&self.with, *source, row)
                .map(|(keeper, _)| more(keeper) / megabytes)
                .collect();
            add(cost, "processor time of a keeper", &keepers);
        }
        let all = (1..=usize::from(MEMBERS)).map(more).sum::<f64>() / megabytes;
        let cost = Measure::MillisecondsPerMegabyte;
        add(cost, "processor time of all together", &[all]);
        self.memory(bench, row);
    }

    /// The peaks of memory, and how far each is above the same member at rest without copies.
    fn memory(&self, bench: &mut Bench, row: Row) {
        for (column, fleet) in self.fleets() {
            let peaks: Vec<u64> =
                fleet.daemons().iter().map(|daemon| proc::peak_kib(daemon.pid())).collect();
            let more = peaks.iter().zip(&self.at_rest);
            let more: Vec<f64> =
                more.map(|(peak, rest)| mebibytes(peak.saturating_sub(*rest))).collect();
            let peaks: Vec<f64> = peaks.into_iter().map(mebibytes).collect();
            let of = Subject::new(row, column);
            bench.results.add(&of, Measure::Mebibytes, "memory at most, resident", &peaks);
            let what = "memory above that at rest without copies";
            bench.results.add(&of, Measure::Mebibytes, what, &more);
        }
    }

    /// Waits until nobody has work left: the last blocks are durable, and full segments sealed.
    fn settle(&self) {
        let ticks = || -> Vec<u64> {
            self.with.daemons().iter().map(|daemon| proc::cpu_ticks(daemon.pid())).collect()
        };
        let (mut since, mut before) = (Instant::now(), ticks());
        wait_until("all work is done", SETTLED, || {
            let now = ticks();
            let busy = now.iter().zip(&before).any(|(now, before)| now - before > QUIET_TICKS);
            if busy {
                (since, before) = (Instant::now(), now);
            }
            holds(since.elapsed() >= QUIET, || "some member works".to_owned())
        });
    }
}

/// The store of a member.
fn store(daemon: &Daemon) -> std::path::PathBuf {
    daemon.settings.state_dir.join("copies")
}

fn mebibytes(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
