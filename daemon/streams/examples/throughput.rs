//! How much of a processor questions over access logs take: nanoseconds a line, and seconds for
//! 600 MB, without reading files. `cargo run --release -p memberd-streams --example throughput`.

use memberd_streams::{Fold, Gather, Limits, LineTime, Plan, Query};
use rustix::time::{ClockId, clock_gettime};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// How many lines there are at a time. They do not fit in the processor's caches.
const LINES: u32 = 300_000;

/// A file of the comparison has as many bytes, together with nine others.
const BYTES: f64 = 600e6;

const QUERIES: [(&str, &str); 8] = [
    ("lines alone", "| count"),
    ("Q2: member, status, windows", "| nginx | count by member, status every 10s"),
    ("Q3: clients and their bytes", "| nginx | count, sum(bytes) by client | top 10 by count"),
    ("paths", "| nginx | count by path"),
    ("percentile of the tail", "| nginx | p99(rt) by status"),
    ("a condition", "| nginx | where status >= 500 and path startswith '/a' | count by path"),
    ("a template", "| parse '\"* * *\" * ' as method, path, _, status | count by status"),
    ("a regular expression", "| regex '\" (?P<status>[0-9]{3}) ' | count by status"),
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

fn log() -> Vec<Vec<u8>> {
    let mut draw = Draw(1);
    let statuses = [200, 200, 200, 200, 200, 200, 200, 301, 304, 404, 500, 503];
    let line = |number: u32| {
        let seconds = number / 1_000;
        let (minute, second) = (seconds / 60 % 60, seconds % 60);
        let client = draw.below(192_000);
        let status = statuses[usize::try_from(draw.below(12)).unwrap_or_default()];
        format!(
            "10.{}.{}.{} - - [30/Nov/2026:13:{minute:02}:{second:02} +0000] \
             \"GET /api/v1/items/{} HTTP/1.1\" {status} {} \"https://shop.example/list?page={}\" \
             \"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\" \
             rt=0.{:03} rid={:016x}",
            client >> 16,
            client >> 8 & 255,
            client & 255,
            draw.below(900),
            draw.below(100_000),
            draw.below(50),
            draw.below(999),
            draw.below(1 << 30),
        )
        .into_bytes()
    };
    (0..LINES).map(line).collect()
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

fn main() -> Result<(), Box<dyn Error>> {
    let lines = log();
    let bytes: usize = lines.iter().map(Vec::len).sum();
    let limits = Limits { groups: 1_000_000, bytes: 1 << 30 };
    println!("{LINES} lines of {} bytes on average", bytes / lines.len());
    for (name, text) in QUERIES {
        let plan = Arc::new(Plan::new(&Query::parse(text)?)?);
        let mut best = f64::INFINITY;
        let (mut groups, mut sent) = (0, 0);
        for _ in 0..5 {
            let mut fold = Fold::new(plan.clone(), "web-1", limits);
            let start = processor();
            for line in &lines {
                fold.line(line, &mut Stamp)?;
            }
            best = best.min((processor() - start).as_secs_f64());
            let mut gather = Gather::new(plan.clone(), limits);
            sent = 0;
            for partial in fold.into_partials() {
                sent += partial.len();
                gather.partial(&partial)?;
            }
            groups = gather.finish()?.rows.len();
        }
        let nanoseconds = best * 1e9 / f64::from(LINES);
        #[allow(clippy::cast_precision_loss)]
        let whole = best * BYTES / bytes as f64;
        println!(
            "{name:30} {nanoseconds:6.0} ns a line  {whole:5.2} s for 600 MB  {groups:6} rows  \
             {sent:8} bytes sent"
        );
    }
    Ok(())
}
