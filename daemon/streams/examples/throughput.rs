//! How much of a processor questions over access logs take: nanoseconds a line, and seconds for
//! 600 MB, without reading files. `cargo run --release -p memberd-streams --example throughput`.

use memberd_streams::{Fold, Gather, Limits, LineTime, Plan, Query};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// How many lines there are at a time. They do not fit in the processor's caches.
const LINES: u32 = 300_000;

/// Ten files of the comparison with other programs have so many bytes together.
const BYTES: f64 = 600e6;

/// The best of so many runs counts.
const RUNS: u32 = 5;

const QUERIES: [(&str, &str); 11] = [
    ("lines alone", "| count"),
    ("Q2: member, status, windows", "| nginx | count by member, status every 10s"),
    ("Q3: clients and their bytes", "| nginx | count, sum(bytes) by client | top 10 by count"),
    ("paths", "| nginx | count by path"),
    ("percentile of the tail", "| nginx | p99(rt) by status"),
    ("different clients", "| nginx | distinct(client) by status"),
    ("a condition", "| nginx | where status >= 500 and path startswith '/a' | count by path"),
    ("a template", "| parse '\"* * *\" * ' as method, path, _, status | count by status"),
    ("a regular expression", "| regex '\" (?P<status>[0-9]{3}) ' | count by status"),
    ("json", "| json | count, sum(bytes) by status, request.method"),
    ("logfmt", "| logfmt | count, sum(bytes) by status, method"),
];

/// Numbers that look drawn, and are the same in each run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

const STATUSES: [u16; 12] = [200, 200, 200, 200, 200, 200, 200, 301, 304, 404, 500, 503];
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// What a request left behind, as a line of the stage's format.
fn line(stage: &str, number: u32, draw: &mut Draw) -> Vec<u8> {
    let seconds = number / 1_000;
    let stamp = format!("13:{:02}:{:02}", seconds / 60 % 60, seconds % 60);
    let client = draw.below(192_000);
    let client = format!("10.{}.{}.{}", client >> 16, client >> 8 & 255, client & 255);
    let status = STATUSES[usize::try_from(draw.below(12)).unwrap_or_default()];
    let path = format!("/api/v1/items/{}", draw.below(900));
    let bytes = draw.below(100_000);
    let referer = format!("https://shop.example/list?page={}", draw.below(50));
    let rt = draw.below(999);
    let rid = draw.below(1 << 30);
    let text = match stage {
        "json" => format!(
            "{{\"time\":\"2026-11-30T{stamp}Z\",\"client\":\"{client}\",\
             \"request\":{{\"method\":\"GET\",\"path\":\"{path}\"}},\"status\":{status},\
             \"bytes\":{bytes},\"agent\":\"{AGENT}\",\"rt\":0.{rt:03},\"rid\":\"{rid:016x}\"}}"
        ),
        "logfmt" => format!(
            "time=2026-11-30T{stamp}Z client={client} method=GET path={path} status={status} \
             bytes={bytes} agent=\"{AGENT}\" rt=0.{rt:03} rid={rid:016x}"
        ),
        _ => format!(
            "{client} - - [30/Nov/2026:{stamp} +0000] \"GET {path} HTTP/1.1\" {status} {bytes} \
             \"{referer}\" \"{AGENT}\" rt=0.{rt:03} rid={rid:016x}"
        ),
    };
    text.into_bytes()
}

/// Reads the minute and the second: as much as a reader of stamps must, whose day has not changed.
struct Stamp;

impl LineTime for Stamp {
    fn milliseconds(&mut self, line: &[u8]) -> Option<i64> {
        let stamp = memchr::memchr(b'[', line)? + 1;
        let digits = |at: usize| {
            let [tens, ones] = line.get(stamp + at..stamp + at + 2)? else { return None };
            Some(i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
        };
        Some((digits(15)? * 60 + digits(18)?) * 1_000)
    }
}

/// The processor time of this thread: other programs run beside it.
fn processor() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Runs one query. Its format is its first stage.
fn measure(name: &str, text: &str) -> Result<(), Box<dyn Error>> {
    let stage = text.split_whitespace().nth(1).unwrap_or_default();
    let mut draw = Draw(1);
    let lines: Vec<Vec<u8>> = (0..LINES).map(|number| line(stage, number, &mut draw)).collect();
    let bytes: usize = lines.iter().map(Vec::len).sum();
    let limits = Limits { groups: 1_000_000, bytes: 1 << 30 };
    let plan = Arc::new(Plan::new(&Query::parse(text)?)?);
    let (mut folded, mut merged) = (Duration::MAX, Duration::MAX);
    let (mut rows, mut sent) = (0, 0);
    for _ in 0..RUNS {
        let mut fold = Fold::new(plan.clone(), "web-1", limits);
        let start = processor();
        for line in &lines {
            fold.line(line, &mut Stamp)?;
        }
        folded = folded.min(processor() - start);
        let start = processor();
        let mut gather = Gather::new(plan.clone(), limits);
        sent = 0;
        for partial in fold.into_partials() {
            sent += partial.len();
            gather.partial("web-1", &partial)?;
        }
        rows = gather.finish()?.rows.len();
        merged = merged.min(processor() - start);
    }
    let line = folded.as_secs_f64() * 1e9 / f64::from(LINES);
    let average = f64::from(u32::try_from(bytes)?) / f64::from(LINES);
    println!(
        "{name:28} {average:4.0} {line:6.0} {:6.2} {rows:7} {sent:9} {:9.1}",
        line * BYTES / average / 1e9,
        merged.as_secs_f64() * 1e3
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("{LINES} lines, the best of {RUNS} runs");
    println!("bytes and ns a line, s for 600 MB, rows, bytes sent, ms to send, merge and sort");
    QUERIES.iter().try_for_each(|(name, text)| measure(name, text))
}
