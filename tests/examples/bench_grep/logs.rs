//! Writes the logs to search, and lists of what to find. They are the same at each run, and this
//! file owns their seed.

use std::fs::File;
use std::io::{BufWriter, Write};

/// The size of each log, in bytes.
pub(crate) const LOG_BYTES: usize = 60_000_000;

const SEED: u64 = 20_261_121;

/// Random numbers below a bound.
fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below: u64| {
        // xorshift64* gives the same numbers on every machine.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(2_685_821_657_736_338_717) >> 33) % below
    }
}

/// Writes a log. About 1 % of its lines have `ERROR`, 30 % have `GET /api/`, and a few have a rare
/// word.
pub(crate) fn write_log(mut out: BufWriter<File>, number: u64) {
    const WORDS: [&str; 8] =
        ["alpha", "bravo", "delta", "hotel", "kilo", "oscar", "sierra", "tango"];
    let mut random = random(SEED ^ (number << 32));
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

/// How many addresses the longest list has.
pub(crate) const ADDRESSES: u64 = 20_000;

/// The bytes of the one long line.
const LONG_LINE_BYTES: usize = 260_000;
/// Where the long string is in it, and how long that is.
const LONG_PART: std::ops::Range<usize> = 180_000..190_000;

/// An address of the longest list.
fn address(number: u64) -> String {
    let mut random = random(SEED ^ (number + 1) << 20);
    let mut part = || random(255);
    // A random generator's first numbers depend on little of its seed.
    let _ = (part(), part());
    format!("{}.{}.{}.{}", part() + 1, part(), part(), part() + 1)
}

/// The first addresses of the longest list, one a line.
pub(crate) fn addresses(count: u64) -> String {
    (0..count).map(|number| address(number) + "\n").collect()
}

/// Writes a log of connections, with two addresses in each line. One in a hundred is of the longest
/// list. The others begin like one of it, as addresses of the same networks do.
pub(crate) fn write_addresses(mut out: BufWriter<File>) {
    let list: Vec<String> = (0..ADDRESSES).map(address).collect();
    let mut random = random(SEED);
    let mut written = 0;
    for at in 0_u64.. {
        let [from, to] = [(); 2].map(|()| {
            let listed = list.get(usize::try_from(random(ADDRESSES)).unwrap_or_default());
            let listed = listed.map_or("", String::as_str);
            match (random(100), listed.rsplit_once('.')) {
                (0, _) | (_, None) => listed.to_owned(),
                (_, Some((network, _))) => format!("{network}.{}", random(256)),
            }
        });
        let second = at / 20;
        let line = format!(
            "2026-11-21T{:02}:{:02}:{:02}.{:03}Z gateway: accepted {from}:{} -> {to}:443 proto=tcp \
            bytes={}\n",
            second / 3600 % 24,
            second / 60 % 60,
            second % 60,
            random(1000),
            random(60_000) + 1024,
            random(900_000),
        );
        out.write_all(line.as_bytes()).expect("room on the disk");
        written += line.len();
        if written >= LOG_BYTES {
            break;
        }
    }
    out.flush().expect("room on the disk");
}

/// A long line, with its end.
pub(crate) fn long_line() -> Vec<u8> {
    let mut random = random(SEED);
    let mut line: Vec<u8> = (0..LONG_LINE_BYTES)
        .map(|_| b"abcdefghijklmnop".get(usize::try_from(random(16)).unwrap_or_default()))
        .map(|letter| letter.copied().unwrap_or(b'a'))
        .collect();
    line.push(b'\n');
    line
}

/// A long string of that line, with a newline behind it.
pub(crate) fn long_string() -> Vec<u8> {
    [long_line().get(LONG_PART).unwrap_or_default(), b"\n"].concat()
}
