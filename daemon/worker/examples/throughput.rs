//! How much of a processor the worker takes for questions over all lines of an access log, with its
//! reading, searching and its times: nanoseconds a line, and seconds for 600 MB.
//! `cargo run --release -p memberd-worker --example throughput`.

use memberd_control::grep::GrepPattern;
use memberd_worker::{OpenFile, Question, Settings, ask, bind, serve};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// How many lines the log has. It is in the page cache.
const LINES: u32 = 300_000;

/// So many successive lines have one second.
const LINES_A_SECOND: u32 = 80;

/// Ten files of the comparison with other programs have so many bytes together.
const BYTES: f64 = 600e6;

/// The best of so many runs counts.
const RUNS: u32 = 7;

/// The pattern and what is counted of its lines.
const QUESTIONS: [(&str, &str); 4] = [
    ("", "| count"),
    ("", "| nginx | count by member, status"),
    ("", "| nginx | count by member, status every 10s"),
    ("\" 50[023] ", "| nginx | count by member, path, status"),
];

/// A number that looks drawn.
fn drawn(number: u32, below: u32) -> u32 {
    number.wrapping_mul(2_654_435_761).rotate_left(13) % below
}

fn log() -> String {
    let mut log = String::new();
    for number in 0..LINES {
        let second = number / LINES_A_SECOND;
        let (client, bytes) = (drawn(number, 192_000), drawn(number, 90_000));
        let status = [200, 200, 200, 200, 301, 304, 404, 500][drawn(number, 8) as usize];
        // Writing to a text does not fail.
        let _ = writeln!(
            log,
            "10.{}.{}.{} - - [30/Nov/2026:13:{:02}:{:02} +0000] \"GET /api/v1/items/{} HTTP/1.1\" \
             {status} {bytes} \"https://shop.example/list?page={}\" \"Mozilla/5.0 (X11; Linux \
             x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\" rt=0.{:03} rid={:016x}",
            client >> 16,
            client >> 8 & 255,
            client & 255,
            second / 60 % 60,
            second % 60,
            drawn(number, 900),
            drawn(number, 50),
            drawn(number, 999),
            drawn(number, 1 << 30),
        );
    }
    log
}

/// The processor time of this process: other programs run beside it.
fn processor() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// The least processor time of a question, over all runs.
fn measure(socket: &Path, log: &Path, question: &Question) -> Result<Duration, Box<dyn Error>> {
    let mut least = Duration::MAX;
    for _ in 0..RUNS {
        let mut files = vec![OpenFile { path: log.to_owned(), file: File::open(log)? }];
        let start = processor();
        let next = || std::mem::take(&mut files);
        let counts = ask(socket, question, next, |_| Ok(()), &AtomicBool::new(false))?;
        least = least.min(processor() - start);
        if question.pattern.patterns == [b""] && counts.lines != u64::from(LINES) {
            return Err(format!("{} of {LINES} lines were counted", counts.lines).into());
        }
    }
    Ok(least)
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let (socket, path) = (directory.path().join("socket"), directory.path().join("log"));
    let log = log();
    std::fs::write(&path, &log)?;
    let listener = bind(&socket)?;
    let users = vec![rustix::process::geteuid().as_raw()];
    std::thread::spawn(move || serve(&listener, &Settings { users, idle: None }));
    println!("{LINES} lines of {} bytes, the best of {RUNS} runs", log.len() / LINES as usize);
    println!("ns a line, s for 600 MB");
    for (pattern, query) in QUESTIONS {
        let patterns = vec![pattern.as_bytes().to_vec()];
        let question = Question {
            member: "web-1".to_owned(),
            query: query.to_owned(),
            pattern: GrepPattern { patterns, ..GrepPattern::default() },
            groups: 1_000_000,
            threads: 1,
            ..Question::default()
        };
        let least = measure(&socket, &path, &question)?.as_secs_f64();
        let bytes = f64::from(u32::try_from(log.len())?);
        let line = least * 1e9 / f64::from(LINES);
        println!("{line:6.0} {:6.2}  {pattern} {query}", least * BYTES / bytes);
    }
    Ok(())
}
