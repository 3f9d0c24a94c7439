//! Measures searches: GNU grep, ripgrep, the engine in process, and `memberctl grep` of one member and of ten, over the same logs.
//! Prints a table in Markdown; says on standard error how far it is.
//!
//! `cargo build --release --bins && cargo run --release -p memberd-tests --example bench_grep`

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "a measurement prints, and stops at what goes wrong"
)]

use memberd_search::{Narrow, Offer, OfferedFile, Output, Plan, Print, Query, Stopped, Syntax};
use memberd_tests::{Fleet, proc};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

/// How large each log is, in bytes, and how many there are.
const LOG_BYTES: usize = 60_000_000;
const LOGS: u8 = 10;
/// How often each thing is measured; the median counts.
const ROUNDS: usize = 7;
/// How often one and more threads are compared; processor time is told in hundredths of a second.
const GAIN_ROUNDS: usize = 40;
/// The logs are the same at each run.
const SEED: u64 = 20_261_121;

/// What is searched for: a name for the table, options, the pattern.
const CASES: [(&str, &[&str], &str); 9] = [
    ("rare literal, `-c`", &["-c", "-F"], "quagga-0042"),
    ("1 % literal, `-c`", &["-c", "-F"], "ERROR"),
    ("30 % literal, `-c`", &["-c", "-F"], "GET /api/"),
    ("1 % regex, `-c`", &["-c", "-E"], "status=5[0-9]{2} .* (timeout|refused)"),
    ("1 % literal, `-i -c`", &["-c", "-i", "-F"], "error"),
    ("rare, printed", &["-F"], "quagga-0042"),
    ("1 %, printed", &["-F"], "ERROR"),
    ("30 %, printed", &["-F"], "GET /api/"),
    ("30 % regex, printed", &["-E"], "GET /api/[a-z]+ "),
];

fn main() {
    let cores = available_parallelism().map_or(1, NonZero::get);
    eprintln!("writing {LOGS} logs of {LOG_BYTES} bytes");
    let one = Fleet::start_with(1, |daemon| write_log(BufWriter::new(daemon.offer("bench.log")), 1));
    let ten = Fleet::start_with(LOGS, |daemon| {
        let number = daemon.name().trim_start_matches("vm").parse().expect("a number");
        write_log(BufWriter::new(daemon.offer("bench.log")), number);
    });
    let logs: Vec<PathBuf> = ten.daemons().iter().map(|daemon| daemon.directory().join("bench.log")).collect();
    println!(
        "{LOGS} logs of {} MB, {cores} cores; {ROUNDS} rounds, medians in milliseconds; load before: {}; {}; {}\n",
        LOG_BYTES / 1_000_000,
        fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').next().unwrap_or("?"),
        version("grep"),
        version("rg"),
    );
    println!("One log:\n");
    println!("| | GNU grep | rg -j1 | engine, 1 thread | engine, {cores} threads | memberctl, 1 member | to rg -j1 |");
    println!("|---|---|---|---|---|---|---|");
    for case in &CASES {
        let log = logs.get(..1).unwrap_or_default();
        let ours = ["grep", "-h"].iter().chain(case.1).chain([&case.2, &"bench.log"]).copied().collect::<Vec<_>>();
        row(
            case,
            &mut [
                &mut || run(&mut grep(case, log)),
                &mut || run(&mut rg(case, log, 1)),
                &mut || engine(case, log, 1),
                &mut || engine(case, log, cores),
                &mut || run(&mut one[1].memberctl(&ours)),
            ],
        );
    }
    println!("\nTen logs, one on each of ten members on this machine:\n");
    println!(
        "| | GNU grep | rg -j{cores} | engine, 1 thread | engine, {cores} threads | memberctl, 10 members | to rg -j{cores} |"
    );
    println!("|---|---|---|---|---|---|---|");
    for case in &CASES {
        let ours = ["grep", "-h"].iter().chain(case.1).chain([&case.2, &"bench.log"]).copied().collect::<Vec<_>>();
        row(
            case,
            &mut [
                &mut || run(&mut grep(case, &logs)),
                &mut || run(&mut rg(case, &logs, cores)),
                &mut || engine(case, &logs, 1),
                &mut || engine(case, &logs, cores),
                &mut || run(&mut ten[1].memberctl(&ours)),
            ],
        );
    }
    gain(logs.get(..1).unwrap_or_default(), cores);
    let (tiny, first) = (tiny(&ten), first_line(&ten));
    println!("\nA rare pattern over ten members that have little to read: {} ms.", tenths(tiny));
    println!("The first of 30 % of the lines of ten members: after {} ms.", tenths(first));
    println!("Resident at most, in MiB: {} for one member, with ten greps at once {}.", peak(&one), ten_at_once(&one));
}

/// What a second thread gains on one log: the engine's time on one and on all cores, and on how many of them it was.
fn gain(log: &[PathBuf], cores: usize) {
    println!(
        "\nOne log in the engine, {GAIN_ROUNDS} rounds in turn: medians, and the processor time of a round over its time.\n"
    );
    println!("| | 1 thread | {cores} threads | gain | cores in use |");
    println!("|---|---|---|---|---|");
    for case in &CASES {
        let (mut times, mut ticks, mut all) = ([Vec::new(), Vec::new()], 0, Duration::ZERO);
        for _ in 0..GAIN_ROUNDS {
            times[0].push(engine(case, log, 1));
            let before = proc::cpu_ticks(Pid::this());
            let time = engine(case, log, cores);
            ticks += proc::cpu_ticks(Pid::this()) - before;
            all += time;
            times[1].push(time);
        }
        let [one, side_by_side] = times.map(median);
        println!(
            "| {} | {} | {} | {:.2} | {:.1} |",
            case.0,
            tenths(one),
            tenths(side_by_side),
            side_by_side.as_secs_f64() / one.as_secs_f64(),
            (Duration::from_millis(10) * u32::try_from(ticks).unwrap_or(u32::MAX)).as_secs_f64() / all.as_secs_f64(),
        );
    }
}

/// Measures all of them in turn, so that a busy moment of the machine is everybody's.
fn row(case: &(&str, &[&str], &str), measured: &mut [&mut dyn FnMut() -> Duration]) {
    eprintln!("{}", case.0);
    let mut times = vec![Vec::new(); measured.len()];
    for _ in 0..ROUNDS {
        for (times, measure) in times.iter_mut().zip(measured.iter_mut()) {
            times.push(measure());
        }
    }
    let medians: Vec<Duration> = times.into_iter().map(median).collect();
    let [_, rg, .., ours] = medians.as_slice() else { return };
    let cells: Vec<String> = medians.iter().map(|time| tenths(*time)).collect();
    println!("| {} | {} | {:.2} |", case.0, cells.join(" | "), ours.as_secs_f64() / rg.as_secs_f64());
}

fn grep((_, options, pattern): &(&str, &[&str], &str), logs: &[PathBuf]) -> Command {
    let mut command = Command::new("grep");
    command.env("LC_ALL", "C.UTF-8").arg("-h").args(*options).arg(pattern).args(logs);
    command
}

fn rg((_, options, pattern): &(&str, &[&str], &str), logs: &[PathBuf], threads: usize) -> Command {
    let mut command = Command::new("rg");
    // -E means something else there.
    let options = options.iter().filter(|option| **option != "-E");
    command.args(["--no-config", "--no-heading", "-N", "-I"]).arg(format!("-j{threads}")).args(options).arg(pattern).args(logs);
    command
}

/// The time until a command has ended and all that it printed was read.
fn run(command: &mut Command) -> Duration {
    let started = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("it starts");
    let mut buffer = vec![0; 64 * 1024];
    let mut out = child.stdout.take().expect("a pipe");
    while out.read(&mut buffer).expect("output") > 0 {}
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{command:?}: {status}");
    started.elapsed()
}

/// The time that the engine takes in this process.
fn engine((_, options, pattern): &(&str, &[&str], &str), logs: &[PathBuf], threads: usize) -> Duration {
    let started = Instant::now();
    let query = Query {
        patterns: vec![(*pattern).into()],
        syntax: if options.contains(&"-E") { Syntax::Extended } else { Syntax::Fixed },
        ignore_case: options.contains(&"-i"),
        print: if options.contains(&"-c") { Print::Count } else { Print::Lines },
        no_names: true,
        ..Query::default()
    };
    let search = query.compile().expect("a pattern");
    let plan = Plan { threads: NonZero::new(threads).expect("a thread"), ..Plan::default() };
    let totals = search.run_with(&plan, "m", &offered(logs), &mut Nowhere, &AtomicBool::new(false));
    assert!(totals.lines > 0 && totals.errors == 0, "{totals:?}");
    started.elapsed()
}

fn offered(logs: &[PathBuf]) -> Vec<OfferedFile> {
    let globs: Vec<String> = logs.iter().map(|log| log.display().to_string()).collect();
    Offer::new(&globs).expect("globs").files(&Narrow::default()).files
}

/// Takes output and forgets it.
struct Nowhere;

impl Output for Nowhere {
    fn lines(&mut self, _: Vec<u8>) -> Result<(), Stopped> {
        Ok(())
    }

    fn message(&mut self, _: String) -> Result<(), Stopped> {
        Ok(())
    }
}

/// A search of the members' own short logs.
fn tiny(fleet: &Fleet) -> Duration {
    let times = (0..ROUNDS).map(|_| run(&mut fleet[1].memberctl(&["grep", "member joined name=vm7", "machine.*.log"])));
    median(times.collect())
}

/// The time until the first bytes come.
fn first_line(fleet: &Fleet) -> Duration {
    let times = (0..ROUNDS).map(|_| {
        let started = Instant::now();
        let mut command = fleet[1].memberctl(&["grep", "-F", "GET /api/", "bench.log"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let read = child.stdout.take().expect("a pipe").read(&mut [0; 1024]).expect("output");
        let time = started.elapsed();
        assert!(read > 0);
        child.wait().expect("it ends");
        time
    });
    median(times.collect())
}

fn peak(fleet: &Fleet) -> u64 {
    fleet.daemons().iter().map(|daemon| proc::peak_kib(daemon.pid()) / 1024).max().unwrap_or_default()
}

/// The most memory while ten greps print 30 % of the lines.
fn ten_at_once(fleet: &Fleet) -> u64 {
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| run(&mut fleet[1].memberctl(&["grep", "-F", "GET /api/", "bench.log"])));
        }
    });
    peak(fleet)
}

/// Writes a log: about 1 % of its lines have `ERROR`, 30 % `GET /api/`, a few a rare word.
fn write_log(mut out: BufWriter<File>, number: u64) {
    const WORDS: [&str; 8] = ["alpha", "bravo", "delta", "hotel", "kilo", "oscar", "sierra", "tango"];
    let mut state = SEED ^ (number << 32);
    let mut random = move |below: u64| {
        // xorshift64*: the same numbers everywhere.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(2_685_821_657_736_338_717) >> 33) % below
    };
    let word = |below: u64| WORDS[usize::try_from(below).unwrap_or_default() % WORDS.len()];
    let mut written = 0;
    let mut line = String::new();
    for at in 0_u64.. {
        let second = at / 5;
        let (level, path) = (if random(100) == 0 { "ERROR" } else { "INFO" }, if random(10) < 3 { "/api/" } else { "/static/" });
        let end = match random(100) {
            0 => "status=503 upstream gave up: timeout",
            1..20 => "status=304 not modified since the last time",
            _ => "status=200 served from the cache of this host",
        };
        line.clear();
        line.push_str(&format!(
            "2026-11-{:02}T{:02}:{:02}:{:02}.{:03}Z {level} worker-{} request={:016x} GET {path}{} {end} in {} ms",
            1 + second / 86_400,
            second / 3600 % 24,
            second / 60 % 60,
            second % 60,
            random(1000),
            random(16),
            random(u64::MAX),
            word(random(8)),
            random(900),
        ));
        if at % 100_000 == 4242 {
            line.push_str(" quagga-0042");
        }
        line.push('\n');
        out.write_all(line.as_bytes()).expect("room on the disk");
        written += line.len();
        if written >= LOG_BYTES {
            break;
        }
    }
    out.flush().expect("room on the disk");
}

fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output().expect("GNU grep and ripgrep in PATH");
    String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn tenths(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}
