//! Fuzzes messages of durable jobs between members, true or false. Each is decoded and encoded
//! again, and a member that owns a job handles it.
//!
//! The first byte of each piece says how much time passes before, in hundredths of a second.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_fuzz::job::{JobMember, table};
use memberd_fuzz::{START, pieces};
use memberd_jobs::{Message, Now, decode, encode};
use std::sync::Arc;

fn at(milliseconds: u64) -> Now {
    let wall_ms = i64::try_from(START + milliseconds).unwrap_or(i64::MAX);
    Now { boot_ms: milliseconds, wall_ms }
}

fuzz_target!(|input: &[u8]| {
    let mut now = 1_000;
    let mut member = JobMember::default();
    member.hear(at(now), Message::Table(Arc::new(table())));
    for piece in pieces(input).take(64) {
        let Some((passed, bytes)) = piece.split_first() else { continue };
        now += u64::from(*passed) * 10;
        let Ok(message) = decode(bytes) else { continue };
        let again = encode(&message).expect("it was a message");
        let same = decode(&again).expect("it was just encoded");
        assert_eq!(encode(&same).as_ref(), Ok(&again));
        member.hear(at(now), message);
    }
});
