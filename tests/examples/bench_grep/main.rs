//! Measures searches over the same logs: GNU grep, ripgrep, the engine in this process, and
//! `memberctl grep` of one and of ten members. It owns the fleets and the results beside this
//! source. It writes the tables of `daemon/search/BENCH.md` and `tests/BENCHMARKS.md`, and shows
//! its progress on standard error.
//!
//! Run `make bench-grep`. Or run `cargo build --release --bins`, and then `cargo run --release -p
//! memberd-tests --example bench_grep`. The arguments `-- --only TEXT` choose some rows, which are
//! printed but not stored. The argument `-- --lists` measures only the lists of strings. The
//! argument `-- --render` writes the documents only.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a measurement prints, and stops at an error"
)]

mod documents;
mod lists;
mod logs;
mod programs;
mod results;
mod windows;

use clap::Parser as _;
use logs::{LOG_BYTES, write_log};
use memberd_tests::{Daemon, Fleet, proc};
use nix::unistd::Pid;
use programs::{engine, grep, processor_of_programs, rg, run, until_first, version, watched};
use results::{Gain, Others, Processor, Results, Row};
use std::fs;
use std::io::BufWriter;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread::{self, available_parallelism};
use std::time::Duration;

/// How many logs there are.
const LOGS: u8 = 10;
/// How many times each program is measured. The median counts.
const ROUNDS: usize = 7;
/// How many times one and several threads are compared. Many rounds are needed, because the kernel
/// counts processor time in hundredths of a second.
const GAIN_ROUNDS: usize = 40;

/// One search to measure.
pub(crate) struct Case {
    what: &'static str,
    options: &'static [&'static str],
    pattern: &'static str,
}

const CASES: [Case; 9] = [
    Case { what: "rare literal, `-c`", options: &["-c", "-F"], pattern: "quagga-0042" },
    Case { what: "1 % literal, `-c`", options: &["-c", "-F"], pattern: "ERROR" },
    Case { what: "30 % literal, `-c`", options: &["-c", "-F"], pattern: "GET /api/" },
    Case {
        what: "1 % regex, `-c`",
        options: &["-c", "-E"],
        pattern: "status=5[0-9]{2} .* (timeout|refused)",
    },
    Case { what: "1 % literal, `-i -c`", options: &["-c", "-i", "-F"], pattern: "error" },
    Case { what: "rare, printed", options: &["-F"], pattern: "quagga-0042" },
    Case { what: "1 %, printed", options: &["-F"], pattern: "ERROR" },
    Case { what: "30 %, printed", options: &["-F"], pattern: "GET /api/" },
    Case { what: "30 % regex, printed", options: &["-E"], pattern: "GET /api/[a-z]+ " },
];

impl Case {
    fn counts(&self) -> bool {
        self.options.contains(&"-c")
    }

    /// `memberctl`'s arguments.
    fn ours(&self) -> Vec<&'static str> {
        ["grep", "-h"]
            .iter()
            .chain(self.options)
            .chain([&self.pattern, &"bench.log"])
            .copied()
            .collect()
    }
}

/// Compares searches with GNU grep and ripgrep.
#[derive(Debug, clap::Parser)]
struct Options {
    /// Measure only the rows whose names contain this, and store nothing
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,

    /// Measure only the searches for lists, and store them beside the other results
    #[arg(long, conflicts_with = "only")]
    lists: bool,

    /// Measure nothing, and write the documents from the stored results
    #[arg(long, conflicts_with = "only")]
    render: bool,
}

fn main() {
    let options = Options::parse();
    if options.render {
        return documents::update(&Results::read());
    }
    let cases: Vec<&Case> = CASES
        .iter()
        .filter(|case| options.only.as_ref().is_none_or(|only| case.what.contains(only)))
        .collect();
    if options.lists {
        let single = single();
        let lists = lists::measure(&single, None);
        let results = Results { lists, list_conditions: conditions(1), ..Results::read() };
        results.write();
        return documents::update(&results);
    }
    let bench = Bench::new();
    let results = bench.measure(&cases, options.only.as_deref());
    println!("{}", documents::all(&results));
    if options.only.is_none() {
        results.write();
        documents::update(&results);
    }
}

/// Offers the log of a member.
fn write(daemon: &mut Daemon) {
    let number = daemon.name().trim_start_matches("vm").parse().expect("a number");
    write_log(BufWriter::new(daemon.offer("bench.log")), number);
}

/// One member, which searches on one thread.
fn single() -> Fleet {
    Fleet::start_with(1, |daemon| {
        write(daemon);
        lists::offer(daemon);
        daemon.settings.limits = vec!["search_threads = 1"];
    })
}

/// The conditions of a measurement of this many logs.
fn conditions(logs: u8) -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{logs} log{} of {} MB, {} cores; {ROUNDS} rounds, medians in milliseconds; load before: \
        {}; {}; {}",
        if logs == 1 { "" } else { "s" },
        LOG_BYTES / 1_000_000,
        available_parallelism().map_or(1, NonZero::get),
        load.split(' ').next().unwrap_or("?"),
        version("grep"),
        version("rg"),
    )
}

/// The fleets to search.
struct Bench {
    cores: usize,
    /// One member, which searches on one thread.
    single: Fleet,
    one: Fleet,
    ten: Fleet,
    /// The logs of the ten.
    logs: Vec<PathBuf>,
}

impl Bench {
    fn new() -> Bench {
        eprintln!("writing {} logs of {LOG_BYTES} bytes", LOGS + 2);
        let single = single();
        let (one, ten) = (Fleet::start_with(1, write), Fleet::start_with(LOGS, write));
        let logs =
            ten.daemons().iter().map(|daemon| daemon.directory().join("bench.log")).collect();
        Bench { cores: available_parallelism().map_or(1, NonZero::get), single, one, ten, logs }
    }

    /// Measures everything.
    fn measure(&self, cases: &[&Case], only: Option<&str>) -> Results {
        Results {
            conditions: conditions(LOGS),
            list_conditions: conditions(1),
            cores: self.cores,
            one: cases.iter().map(|case| self.one(case)).collect(),
            ten: cases.iter().map(|case| self.ten(case)).collect(),
            lists: lists::measure(&self.single, only),
            windows: windows::measure(&self.single, only),
            gain: cases.iter().map(|case| self.gain(case)).collect(),
            processor: cases
                .iter()
                .filter(|case| case.what.starts_with("30 %") && !case.counts())
                .map(|case| self.processor(case))
                .collect(),
            others: self.others(),
        }
    }

    fn first_log(&self) -> &[PathBuf] {
        self.logs.get(..1).unwrap_or_default()
    }

    fn one(&self, case: &Case) -> Row {
        let (log, ours) = (self.first_log(), case.ours());
        let [grep, rg, engine_one_thread, engine, memberctl_one_thread, memberctl] = in_turn(
            case.what,
            ROUNDS,
            &mut [
                &mut || run(&mut grep(case, log)),
                &mut || run(&mut rg(case, log, 1)),
                &mut || engine(case, log, 1),
                &mut || engine(case, log, self.cores),
                &mut || run(&mut self.single[1].memberctl(&ours)),
                &mut || run(&mut self.one[1].memberctl(&ours)),
            ],
        );
        row(case, [grep, rg, engine_one_thread, engine, memberctl], Some(memberctl_one_thread))
    }

    fn ten(&self, case: &Case) -> Row {
        let ours = case.ours();
        let medians = in_turn(
            case.what,
            ROUNDS,
            &mut [
                &mut || run(&mut grep(case, &self.logs)),
                &mut || run(&mut rg(case, &self.logs, self.cores)),
                &mut || engine(case, &self.logs, 1),
                &mut || engine(case, &self.logs, self.cores),
                &mut || run(&mut self.ten[1].memberctl(&ours)),
            ],
        );
        row(case, medians, None)
    }

    /// What more threads gain on one log, and how many cores they used.
    fn gain(&self, case: &Case) -> Gain {
        let (log, mut ticks, mut time) = (self.first_log(), 0, Duration::ZERO);
        let [rg, one_thread, all_threads] = in_turn(
            case.what,
            GAIN_ROUNDS,
            &mut [&mut || run(&mut rg(case, log, 1)), &mut || engine(case, log, 1), &mut || {
                let before = proc::cpu_ticks(Pid::this());
                let took = engine(case, log, self.cores);
                ticks += proc::cpu_ticks(Pid::this()) - before;
                time += took;
                took
            }],
        );
        let cores = of_ticks(ticks).as_secs_f64() / time.as_secs_f64();
        Gain { what: case.what.to_owned(), rg, one_thread, all_threads, cores }
    }

    /// The processor time of all programs that take part, as means of several rounds.
    fn processor(&self, case: &Case) -> Processor {
        eprintln!("{}: processor time", case.what);
        let [mut rg_time, mut memberctl] = [Duration::ZERO; 2];
        let before = self.ticks();
        for _ in 0..ROUNDS {
            for (command, sum) in [
                (&mut rg(case, &self.logs, self.cores), &mut rg_time),
                (&mut self.ten[1].memberctl(&case.ours()), &mut memberctl),
            ] {
                let before = processor_of_programs();
                run(command);
                *sum += processor_of_programs() - before;
            }
        }
        let used: Vec<Duration> = self
            .ticks()
            .iter()
            .zip(before)
            .map(|(after, before)| of_ticks(after - before))
            .collect();
        let (first, others) = used.split_first().expect("members");
        let each = others.iter().sum::<Duration>() / u32::try_from(others.len()).expect("a few");
        let mean = |time: Duration| milliseconds(time / u32::try_from(ROUNDS).expect("a few"));
        Processor {
            what: case.what.to_owned(),
            rg: mean(rg_time),
            searching: mean(each * u32::from(LOGS)),
            asking: mean(first.saturating_sub(each)),
            memberctl: mean(memberctl),
        }
    }

    /// The processor time of each of the ten daemons, beginning with the one that asks.
    fn ticks(&self) -> Vec<u64> {
        self.ten.daemons().iter().map(|daemon| proc::cpu_ticks(daemon.pid())).collect()
    }

    fn others(&self) -> Others {
        eprintln!("the rest");
        let median_of =
            |measure: &dyn Fn() -> Duration| median((0..ROUNDS).map(|_| measure()).collect());
        let little = median_of(&|| {
            run(&mut self.ten[1].memberctl(&["grep", "member joined name=vm7", "machine.*.log"]))
        });
        let many = ["grep", "-F", "GET /api/", "bench.log"];
        let first_line = median_of(&|| until_first(&mut self.ten[1].memberctl(&many)));
        let memberd_mib = peak(&self.one);
        let memberctl_kib = thread::scope(|scope| {
            let greps: Vec<_> = (0..10)
                .map(|_| scope.spawn(|| watched(&mut self.one[1].memberctl(&many)).1))
                .collect();
            greps.into_iter().map(|grep| grep.join().expect("a grep")).max().unwrap_or_default()
        });
        Others {
            little,
            first_line,
            memberd_mib,
            memberd_ten_greps_mib: peak(&self.one),
            memberctl_mib: Some(memberctl_kib / 1024),
        }
    }
}

fn row(
    case: &Case,
    [grep, rg, engine_one_thread, engine, memberctl]: [f64; 5],
    memberctl_one_thread: Option<f64>,
) -> Row {
    let (what, counts) = (case.what.to_owned(), case.counts());
    Row { what, counts, grep, rg, engine_one_thread, engine, memberctl_one_thread, memberctl }
}

/// The median of each. They are measured in turn, so that a busy moment of the machine affects all
/// of them.
fn in_turn<const N: usize>(
    what: &str,
    rounds: usize,
    measured: &mut [&mut dyn FnMut() -> Duration; N],
) -> [f64; N] {
    eprintln!("{what}");
    let mut times = [const { Vec::new() }; N];
    for _ in 0..rounds {
        for (times, measure) in times.iter_mut().zip(measured.iter_mut()) {
            times.push(measure());
        }
    }
    times.map(median)
}

fn peak(fleet: &Fleet) -> u64 {
    fleet
        .daemons()
        .iter()
        .map(|daemon| proc::peak_kib(daemon.pid()) / 1024)
        .max()
        .unwrap_or_default()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    milliseconds(times.get(times.len() / 2).copied().unwrap_or_default())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A clock tick is a hundredth of a second.
fn of_ticks(ticks: u64) -> Duration {
    Duration::from_millis(10) * u32::try_from(ticks).unwrap_or(u32::MAX)
}
