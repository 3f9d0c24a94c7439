//! Writes the logs that are asked about. They are the same at each run, and this file owns their
//! seed.

use memberd_tests::chance::Chance;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// How many logs there are: one for each member.
pub(crate) const LOGS: usize = 10;

/// How many lines a log has for each second of its time.
const LINES_PER_SECOND: u64 = 80;

/// How many different clients there are besides the busy ones.
const CLIENTS: usize = 192_000;

/// How many clients are busy. Each asks four fifths as often as the one before, so that it is clear
/// which ten ask most.
const BUSY: u8 = 16;

/// The seed of the first log. The next ones have the next ones.
const SEED: u64 = 20_261_130;

/// The day of all lines, as access logs and as rows write it.
pub(crate) const DAY: (&str, &str) = ("30/Nov/2026", "2026-11-30");

/// The name of a log, which is that of its member.
pub(crate) fn name(number: usize) -> String {
    format!("vm{number}")
}

/// Their names.
pub(crate) fn names() -> Vec<String> {
    (1..=LOGS).map(name).collect()
}

/// Writes all logs into a directory, each of this many bytes. Returns their paths.
pub(crate) fn write(directory: &Path, bytes: u64) -> Vec<PathBuf> {
    let paths: Vec<PathBuf> = names().iter().map(|name| directory.join(name)).collect();
    for (path, seed) in paths.iter().zip(SEED..) {
        let file = File::create(path).expect("a place for the logs");
        write_one(BufWriter::with_capacity(1 << 20, file), seed, bytes);
    }
    paths
}

fn write_one(mut out: BufWriter<File>, seed: u64, bytes: u64) {
    let (mut chance, mut line, mut written) = (Chance::new(seed), String::new(), 0);
    for number in 0.. {
        line.clear();
        push_line(&mut line, &mut chance, number);
        out.write_all(line.as_bytes()).expect("room on the disk");
        written += line.len() as u64;
        if written >= bytes {
            break;
        }
    }
    out.flush().expect("room on the disk");
}

/// A line of nginx's format `combined`, with `rt=$request_time rid=$request_id` behind it.
fn push_line(line: &mut String, chance: &mut Chance, number: u64) {
    let second = number / LINES_PER_SECOND;
    push_client(line, chance);
    let clock = (10 + second / 3_600, second / 60 % 60, second % 60);
    let (path, status) = (Requested::drawn(chance), status(chance));
    let _ = writeln!(
        line,
        " - - [{}:{:02}:{:02}:{:02} +0000] \"GET {path} HTTP/1.1\" {status} {} \
         \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0\" \
         rt={}.{:03} rid={:016x}{:016x}",
        DAY.0,
        clock.0,
        clock.1,
        clock.2,
        chance.below(60_000),
        chance.below(3),
        chance.below(1_000),
        chance.below(usize::MAX),
        chance.below(usize::MAX),
    );
}

/// One line in fifty is of a busy client.
fn push_client(line: &mut String, chance: &mut Chance) {
    let _ = if chance.below(50) == 0 {
        let mut busy = 0;
        while chance.below(5) > 0 {
            busy = (busy + 1) % BUSY;
        }
        write!(line, "203.0.113.{busy}")
    } else {
        let client = chance.below(CLIENTS);
        write!(line, "10.{}.{}.{}", client >> 16, client >> 8 & 255, client & 255)
    };
}

/// 17 in 1,000 are errors of the server.
fn status(chance: &mut Chance) -> u16 {
    match chance.below(1_000) {
        0..6 => 500,
        6..12 => 502,
        12..17 => 503,
        17..60 => 404,
        60..90 => 301,
        90..180 => 304,
        _ => 200,
    }
}

/// One of 454 paths.
struct Requested {
    service: &'static str,
    number: usize,
}

impl Requested {
    fn drawn(chance: &mut Chance) -> Self {
        const SERVICES: [&str; 2] = ["api/v1/orders", "static/pictures"];
        let number = chance.below(454);
        Requested { service: SERVICES[number % 2], number }
    }
}

impl std::fmt::Display for Requested {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "/{}/{}", self.service, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_the_same_at_each_run() {
        let mut texts = [1, 1, 2].map(|seed| {
            let (mut chance, mut text) = (Chance::new(seed), String::new());
            (0..1_000).for_each(|number| push_line(&mut text, &mut chance, number));
            text
        });
        assert_eq!(texts[0], texts[1]);
        assert_ne!(texts[0], texts[2]);
        let first = texts[0].split_off(0);
        assert_eq!(first.lines().count(), 1_000);
        assert!((180_000..220_000).contains(&first.len()), "{}", first.len());
        assert!(first.lines().all(|line| line.split(' ').count() > 12), "{first}");
        assert!(first.lines().last().unwrap().contains("[30/Nov/2026:10:00:12 +0000]"));
    }
}
