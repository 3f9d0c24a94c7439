//! Helpers that the fuzz targets share: a member of a group, keys, and limits of time. They own no
//! state.

pub mod job;

use memberd_control::keyring::Keyring;
use memberd_membership::{
    AgreementSettings, Call, GroupSettings, Instant, MAX_DATAGRAM, MAX_ENTRIES, Name, Node, Now,
    Output, Settings, WallTime, wire,
};
use memberd_transport::SealingKeys;
use rustix::time::{ClockId, clock_gettime};
use std::net::SocketAddr;
use std::time::Duration;

/// The wall clock at the start, in milliseconds since the Unix epoch.
pub const START: u64 = 1_763_688_033_123;

/// A small log to search. `examples/seeds.rs` writes it.
pub const SAMPLE_LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/seeds/machine.1.log");

/// The directory of the kept stream whose files are fuzzed.
pub const COPY_STREAM: &str = "1-2-3";

/// Questions over logs whose partial sums are fuzzed. All states of groups are among them.
pub const STATS_QUESTIONS: [&str; 3] = [
    "| logfmt | count, sum(v), min(v), max(v), p50(v), distinct(v) by k, time every 1s over 2s",
    "| json | count, avg(a.b) by member | top 3 by count",
    "| distinct(line), p99(length(line))",
];

/// Whose log it is.
pub fn copy_source() -> Name {
    Name::new("vm1").expect("a name")
}

/// The address of the member with this number.
pub fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, number], 8_946))
}

/// The clocks at this many milliseconds after the start.
pub fn at(milliseconds: u64) -> Now {
    Now {
        mono: Instant::from_epoch(Duration::from_millis(milliseconds)),
        wall: WallTime(START + milliseconds),
    }
}

/// A keyring of two keys.
pub fn keys() -> SealingKeys {
    let text = format!("memberd-key:{}\nmemberd-key:{}\n", "a".repeat(64), "b".repeat(64));
    let keyring = Keyring::parse(&text).expect("two keys");
    SealingKeys::new(&keyring).expect("not empty")
}

/// Settings of a group that agrees on views.
pub fn settings() -> Settings {
    let agreement = AgreementSettings {
        initial_council: vec![Name::new("vm1").expect("a name")],
        council: 9,
        lease: Duration::from_secs(3),
    };
    let group = GroupSettings { agreement: Some(agreement), ..GroupSettings::default() };
    Settings { group, ..Settings::default() }
}

/// The node `vm1`, which has founded a group that agrees on views.
pub fn founder() -> Node {
    let mut node = Node::new(settings(), Name::new("vm1").expect("a name"), address(1), None, 7);
    node.join(at(0), Vec::new(), Vec::new()).expect("it was out");
    check(&mut node, at(0));
    assert!(node.member().is_some());
    node
}

/// How far a member's incarnation may be ahead of its wall clock, in milliseconds: 366 days, as in
/// the protocol, and a second for incarnations that begin within one millisecond.
const MOST_AHEAD: u64 = 366 * 24 * 60 * 60 * 1_000 + 1_000;

/// Takes all outputs of a node at this time, and checks them.
pub fn check(node: &mut Node, now: Now) {
    let mut payload = Vec::new();
    while let Some(output) = node.poll_output(&mut payload) {
        if let Output::Transmit(transmit) = output {
            assert!(payload.len() <= MAX_DATAGRAM && transmit.to != node.address());
            wire::decode(&payload).expect("what a node says is readable");
        }
    }
    assert!(node.list().iter().count() <= MAX_ENTRIES);
    // With a larger incarnation the member could not come back, or others would not believe it.
    if let Some(itself) = node.member() {
        assert!(
            itself.incarnation.0 <= now.wall.0 + MOST_AHEAD,
            "{itself} is no incarnation at {}",
            now.wall.0
        );
    }
}

/// Takes the outputs of a node up to its first call, which is returned.
pub fn next_call(node: &mut Node) -> Option<Call> {
    let mut payload = Vec::new();
    std::iter::from_fn(|| node.poll_output(&mut payload)).find_map(|output| match output {
        Output::Call(call) => Some(call),
        Output::Event(_) | Output::Transmit(_) => None,
    })
}

/// How long one datagram of up to 1,200 bytes may take to be read.
const TIME_LIMIT: Duration = Duration::from_millis(1);

/// How many times a slow input is tried, because the machine may have been busy.
const TRIES: usize = 20;

/// Reads a datagram. It panics unless one of [`TRIES`] tries takes at most a millisecond of this
/// thread's time.
pub fn in_time<T>(datagram: &[u8], mut read: impl FnMut() -> T) -> T {
    let limit = TIME_LIMIT * u32::try_from(datagram.len() / 1_201 + 1).unwrap_or(u32::MAX);
    let mut least = Duration::MAX;
    for _ in 0..TRIES {
        let start = processor_time();
        let done = read();
        least = least.min(processor_time().saturating_sub(start));
        if least <= limit {
            return done;
        }
    }
    panic!("{} bytes take {least:?} to read", datagram.len());
}

/// The processor time of this thread, from clock_gettime(2) with CLOCK_THREAD_CPUTIME_ID.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Splits the input into pieces. Each piece begins with its length in two bytes.
pub fn pieces(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = input.split_first_chunk::<2>()?;
        let (piece, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
        input = rest;
        Some(piece)
    })
}
