//! Measures the filters of generated logs, or of the files that are named: how fast they are built,
//! how large they are beside the compressed text, and how many blocks they leave to some searches.
//!
//!     cargo run --release -p memberd-copies --example filters [FILE...]

use std::fmt::Write as _;

use memberd_copies::block::BLOCK_BYTES;
use memberd_copies::filter::{Builder, Filter};
use memberd_copies::needs::{Literal, Needs};

/// The text of a segment.
const SEGMENT_BYTES: usize = 32 * 1024 * 1024;
/// The share of the compressed text that an index may take, in percent.
const SHARE: usize = 6;
/// What else the index has for each block.
const OTHER_BYTES: usize = 80;

fn main() {
    let files: Vec<String> = std::env::args().skip(1).collect();
    println!("log        compressed    budget   filter     MB/s   us/ask   blocks left, by search");
    if files.is_empty() {
        for (name, line) in LOGS {
            measure(name, &generated(*line));
        }
    }
    for file in files {
        match std::fs::read(&file) {
            Ok(text) => text.chunks(SEGMENT_BYTES).for_each(|text| measure(&file, text)),
            Err(error) => eprintln!("{file}: {error}"),
        }
    }
}

fn measure(name: &str, text: &[u8]) {
    let blocks = cut(text);
    let compressed: usize = blocks
        .iter()
        .filter_map(|block| zstd::bulk::compress(block, 1).ok())
        .map(|b| b.len())
        .sum();
    let budget = (compressed * SHARE / 100).saturating_sub(blocks.len() * OTHER_BYTES);
    let started = processor_seconds();
    let mut builder = Builder::new(false);
    blocks.iter().for_each(|block| builder.add(block));
    let bytes = builder.finish(budget);
    let speed = text.len() as f64 / (processor_seconds() - started) / 1e6;
    let started = processor_seconds();
    for _ in 0..200 {
        let filter = Filter::parse(&bytes);
        let _ = filter.map(|filter| filter.blocks(&need("quagga-0042")));
    }
    let asked = (processor_seconds() - started) * 1e6 / 200.0;
    let Ok(filter) = Filter::parse(&bytes) else {
        println!("{name:10} no filter in {budget} bytes");
        return;
    };
    println!(
        "{name:10} {compressed:8} {:4.1} % {budget:7} {:7} {speed:8.0} {asked:8.0}   {filter:?}",
        compressed as f64 * 100.0 / text.len() as f64,
        bytes.len(),
    );
    for (what, words) in SEARCHES {
        report(what, &blocks, &filter, words);
    }
    for kind in ["hex 16", "hex 32", "uuid", "address", "user=12345", "order=1234567", "prefix"] {
        ids(kind, &blocks, &filter);
    }
}

/// The processor time of this thread: proc(5), schedstat.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|number| number.parse::<f64>().ok());
    nanoseconds.unwrap_or_default() / 1e9
}

/// How many blocks a search for all of these words reads, and how many have them.
fn report(what: &str, blocks: &[&[u8]], filter: &Filter<'_>, words: &[&str]) {
    let needs = Needs::All(words.iter().map(|word| need(word)).collect());
    let left = filter.blocks(&needs);
    let has = |block: &&&[u8]| words.iter().all(|word| finds(block, word));
    let having = blocks.iter().filter(has).count();
    println!("           {what:28} {:4} of {} ({having} have it)", left.count(), blocks.len());
}

/// The mean of blocks that are left for ids of this form which are in the log, and for such that
/// are not.
fn ids(kind: &str, blocks: &[&[u8]], filter: &Filter<'_>) {
    let mut found: Vec<String> = Vec::new();
    for block in blocks.iter().step_by(blocks.len() / 20 + 1) {
        found.extend(
            String::from_utf8_lossy(block).lines().skip(100).find_map(|line| id(kind, line)),
        );
    }
    if found.is_empty() {
        return;
    }
    let mut left = 0;
    let mut having = 0;
    for id in &found {
        left += filter.blocks(&need(id)).count();
        having += blocks.iter().filter(|block| finds(block, id)).count();
    }
    let count = found.len();
    let absent =
        (0..50u64).map(|seed| filter.blocks(&need(&absent(kind, seed))).count()).sum::<usize>();
    println!(
        "           {kind:28} {:6.1} of {} ({:.1} have it), absent {:.1}: {}",
        left as f64 / count as f64,
        blocks.len(),
        having as f64 / count as f64,
        absent as f64 / 50.0,
        found.first().map_or("", String::as_str),
    );
}

/// The first id of a form in a line.
fn id(kind: &str, line: &str) -> Option<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let is_hex = |word: &&str| {
        word.bytes().all(|b| b.is_ascii_hexdigit()) && word.bytes().any(|b| b.is_ascii_digit())
    };
    let mut words = line.split(|c| !is_word(c));
    let numbers = |name: &str, digits: usize| {
        let at = line.find(name)? + name.len();
        let number: String = line.get(at..)?.chars().take_while(char::is_ascii_digit).collect();
        (number.len() == digits).then(|| format!("{name}{number}"))
    };
    match kind {
        "hex 16" => words.find(|word| word.len() == 16 && is_hex(word)).map(str::to_owned),
        "hex 32" => words.find(|word| word.len() == 32 && is_hex(word)).map(str::to_owned),
        "uuid" => line
            .split(|c: char| !c.is_ascii_hexdigit() && c != '-')
            .find(|id| id.len() == 36 && id.split('-').count() == 5)
            .map(str::to_owned),
        "address" => line
            .split(|c: char| !c.is_ascii_digit() && c != '.')
            .find(|id| id.len() >= 8 && id.split('.').filter(|part| !part.is_empty()).count() == 4)
            .map(str::to_owned),
        "user=12345" => numbers("user=", 5),
        "order=1234567" => numbers("order=", 7),
        _ => words.find(|word| word.len() == 16 && is_hex(word)).map(|id| id[..12].to_owned()),
    }
}

fn absent(kind: &str, seed: u64) -> String {
    let number = mix(seed + 12345);
    let other = mix(number);
    match kind {
        "hex 16" => format!("{number:016x}"),
        "hex 32" => format!("{number:016x}{other:016x}"),
        "uuid" => uuid(number, other),
        "address" => {
            format!("{}.{}.{}.{}", number % 223, other % 256, other / 256 % 256, other >> 56)
        }
        "user=12345" => format!("user={}", number % 90_000 + 10_000),
        "order=1234567" => format!("order={}", number % 9_000_000 + 1_000_000),
        _ => format!("{:012x}", number >> 16),
    }
}

fn need(word: &str) -> Needs {
    Needs::Literal(Literal {
        bytes: word.as_bytes().to_vec(),
        ignores_case: false,
        begins_word: false,
        ends_word: false,
    })
}

fn finds(block: &[u8], word: &str) -> bool {
    memchr::memmem::find(block, word.as_bytes()).is_some()
}

/// Blocks of whole lines.
fn cut(text: &[u8]) -> Vec<&[u8]> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let most = rest.len().min(BLOCK_BYTES);
        let end = match memchr::memrchr(b'\n', &rest[..most]) {
            Some(end) if most < rest.len() => end + 1,
            _ => most,
        };
        let (block, after) = rest.split_at(end);
        blocks.push(block);
        rest = after;
    }
    blocks
}

const SEARCHES: &[(&str, &[&str])] = &[
    ("rare word", &["quagga"]),
    ("rare word and number", &["quagga-0042"]),
    ("in 1 % of the blocks", &["circuit breaker opened"]),
    ("user=[0-9]+ .*timeout", &["user=", "timeout"]),
    ("FATAL", &["FATAL"]),
    ("no such word", &["xylophone"]),
    ("no literal", &[]),
];

/// Makes a line of a log from its number and four random numbers.
type Line = fn(&mut String, u64, [u64; 4]);

const LOGS: &[(&str, Line)] = &[
    ("shop", shop),
    ("web", web),
    ("json", json),
    ("kube", kube),
    ("otel", otel),
    ("tokens", tokens),
    ("system", system),
];

fn generated(line: Line) -> Vec<u8> {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < SEGMENT_BYTES {
        let random = [1, 2, 3, 4].map(|part| mix(number * 4 + part));
        line(&mut text, number, random);
        let block = text.len() / BLOCK_BYTES;
        if number % 1500 == 700 {
            match block % 100 {
                17 => text.push_str(" circuit breaker opened"),
                61 => text.push_str(" user=4711 gave up: timeout"),
                80 => text.push_str(" route withdrawn by quagga-0042"),
                _ => {}
            }
        }
        text.push('\n');
        number += 1;
    }
    text.into_bytes()
}

fn time(number: u64) -> (u64, u64, u64) {
    let second = number / 40;
    (second / 3600 % 24, second / 60 % 60, second % 60)
}

fn one<'w>(words: &[&'w str], random: u64) -> &'w str {
    words[usize::try_from(random % words.len() as u64).unwrap_or(0)]
}

const EVENTS: &[&str] = &[
    "cart updated by the customer",
    "catalog page served from the cache",
    "payment accepted by the provider",
    "stock reserved in the warehouse",
    "invoice written and queued for the printer",
];

fn shop(out: &mut String, number: u64, [a, b, c, d]: [u64; 4]) {
    let (h, m, s) = time(number);
    let _ = write!(
        out,
        "2026-11-30T{h:02}:{m:02}:{s:02}.{:06}Z vm4 INFO shop worker-{} \
         request={a:016x} user={} order={} {} in {} ms",
        b % 1_000_000,
        b % 16,
        c % 90_000 + 10_000,
        d % 9_000_000 + 1_000_000,
        one(EVENTS, c),
        d % 900,
    );
}

fn web(out: &mut String, number: u64, [a, b, c, d]: [u64; 4]) {
    let (h, m, s) = time(number);
    let _ = write!(
        out,
        "{}.{}.{}.{} - - [30/Nov/2026:{h:02}:{m:02}:{s:02} +0000] \"GET /api/{}/{} HTTP/1.1\" \
         {} {} \"https://shop.example/cart\" \"Mozilla/5.0 (X11; Linux x86_64; rv:143.0) \
         Gecko/20100101 Firefox/143.0\" 0.{:03}",
        a % 220 + 1,
        a / 256 % 256,
        a >> 20 & 255,
        a >> 30 & 255,
        one(&["items", "cart", "search"], b),
        b / 8 % 40_000,
        one(&["200", "200", "304", "404", "503"], c),
        c / 8 % 60_000,
        d % 1000,
    );
}

fn uuid(a: u64, b: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b & 0xfff,
        b >> 16
    )
}

fn json(out: &mut String, number: u64, [a, b, c, d]: [u64; 4]) {
    let (h, m, s) = time(number);
    let _ = write!(
        out,
        "{{\"time\":\"2026-11-30T{h:02}:{m:02}:{s:02}.{:03}Z\",\"level\":\"info\",\
         \"service\":\"billing\",\"request_id\":\"{}\",\
         \"user\":{},\"message\":\"{}\",\"cents\":{},\"duration_ms\":{}}}",
        d % 1000,
        uuid(a, b),
        c % 90_000 + 10_000,
        one(EVENTS, c),
        d % 20_000,
        d >> 32 & 1023,
    );
}

fn kube(out: &mut String, number: u64, [a, b, c, d]: [u64; 4]) {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let (h, m, s) = time(number);
    // A pod lives for a while.
    let pod = mix(number / 5000 * 50 + a % 50);
    let mut name = String::new();
    let mut rest = pod;
    for _ in 0..5 {
        name.push(char::from(LETTERS[usize::try_from(rest % 27).unwrap_or(0)]));
        rest /= 27;
    }
    let _ = write!(
        out,
        "2026-11-30T{h:02}:{m:02}:{s:02}.{:09}Z stdout F I1130 {h:02}:{m:02}:{s:02}.{:06} 1 \
         controller.go:{}] \"Reconciled\" \
         pod=\"prod/checkout-7d9f8b6c5-{name}\" uid=\"{}\" took=\"{}.{:06}ms\" generation={}",
        b % 1_000_000_000,
        b % 1_000_000,
        c % 30 + 100,
        uuid(mix(pod + 1), mix(pod + 2)),
        d % 90,
        d >> 20 & 0xfffff,
        c >> 40 & 63,
    );
}

fn otel(out: &mut String, number: u64, [a, b, c, d]: [u64; 4]) {
    let (h, m, s) = time(number);
    // Each trace has several spans.
    let trace = mix(number / 6);
    let _ = write!(
        out,
        "{h:02}:{m:02}:{s:02}.{:03} INFO [checkout,{:016x}{:016x},{c:016x}] \
         c.e.shop.OrderService : {} user={}",
        b % 1000,
        trace,
        mix(trace),
        one(EVENTS, a),
        d % 90_000 + 10_000,
    );
}

fn tokens(out: &mut String, number: u64, [a, b, c, d]: [u64; 4]) {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let (h, m, s) = time(number);
    let mut token = String::new();
    for mut part in [a, b] {
        for _ in 0..10 {
            token.push(char::from(LETTERS[usize::try_from(part % 62).unwrap_or(0)]));
            part /= 62;
        }
    }
    let _ = write!(
        out,
        "2026-11-30 {h:02}:{m:02}:{s:02},{:03} INFO session={token} user={} {}",
        c % 1000,
        d % 90_000 + 10_000,
        one(EVENTS, c),
    );
}

fn system(out: &mut String, number: u64, [a, b, c, _]: [u64; 4]) {
    let (h, m, s) = time(number);
    let _ = write!(out, "Nov 30 {h:02}:{m:02}:{s:02} web3 ");
    let _ = match a % 3 {
        0 => write!(
            out,
            "sshd[{}]: Accepted publickey for deploy from 10.2.{}.{} port {} ssh2: \
             ED25519 SHA256:uQ3rBAnDWbEeHmn1qWFnCkUDRfKqC3hbAvzaUjOmGmg",
            number / 100,
            b % 4,
            b / 4 % 250,
            c % 30_000 + 30_000
        ),
        1 => write!(out, "systemd[1]: Started session-{}.scope - Session of deploy.", number / 100),
        _ => write!(
            out,
            "kernel: [UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:5e:01:0a \
             SRC=203.0.113.{} DST=198.51.100.7 LEN=40 TTL=24{} SPT={}",
            b % 250,
            b % 4,
            c % 30_000 + 30_000
        ),
    };
}

/// splitmix64.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
