//! Writes the logs to search. They are the same at each run, and this file owns their seed.

use std::fs::File;
use std::io::{BufWriter, Write};

/// The size of each log, in bytes.
pub(crate) const LOG_BYTES: usize = 60_000_000;

const SEED: u64 = 20_261_121;

/// Writes a log. About 1 % of its lines have `ERROR`, 30 % have `GET /api/`, and a few have a rare
/// word.
pub(crate) fn write_log(mut out: BufWriter<File>, number: u64) {
    const WORDS: [&str; 8] =
        ["alpha", "bravo", "delta", "hotel", "kilo", "oscar", "sierra", "tango"];
    let mut state = SEED ^ (number << 32);
    let mut random = move |below: u64| {
        // xorshift64* gives the same numbers on every machine.
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
        let (level, path) = (
            if random(100) == 0 { "ERROR" } else { "INFO" },
            if random(10) < 3 { "/api/" } else { "/static/" },
        );
        let end = match random(100) {
            0 => "status=503 upstream gave up: timeout",
            1..20 => "status=304 not modified since the last time",
            _ => "status=200 served from the cache of this host",
        };
        line.clear();
        line.push_str(&format!(
            "2026-11-{:02}T{:02}:{:02}:{:02}.{:03}Z {level} worker-{} request={:016x} GET {path}{} \
            {end} in {} ms",
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
