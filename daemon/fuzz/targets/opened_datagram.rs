//! Fuzzes datagrams of a member, true or false. Each is decoded and encoded again, and a member of
//! a group handles it.
//!
//! The first byte of each piece chooses the sender, and the second how much time passes before.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_fuzz::{address, at, check, founder, in_time, pieces};
use memberd_membership::wire;

fuzz_target!(|input: &[u8]| {
    let (mut node, mut now) = (founder(), 0);
    for piece in pieces(input).take(64) {
        let [sender, passed, bytes @ ..] = piece else { continue };
        if let Ok(message) = in_time(bytes, || wire::decode(bytes)) {
            let mut again = Vec::new();
            wire::encode(&message, &mut again);
            assert_eq!(wire::decode(&again).ok(), Some(message));
        }
        now += u64::from(*passed) * 10;
        // Both results are valid.
        let _ = node.handle_datagram(at(now), address(*sender), bytes);
        node.handle_timeout(at(now));
        check(&mut node, at(now));
    }
    let itself =
        node.list().iter().any(|entry| entry.identity.address == address(1) && entry.is_up());
    assert!(itself || node.member().is_none(), "a member is in its own list");
});
