//! Fuzzes a stranger's datagrams. None opens, and refusing one takes at most a millisecond.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_fuzz::{START, address, in_time, keys, pieces};
use memberd_membership::Incarnation;
use memberd_transport::Opener;
use std::sync::LazyLock;

fuzz_target!(|input: &[u8]| {
    static KEYS: LazyLock<memberd_transport::SealingKeys> = LazyLock::new(keys);
    // The member is in its third incarnation, so that the opener tries all known incarnations.
    let mut opener = Opener::new(address(1), Some(Incarnation(START)));
    opener.begin(Incarnation(START + 1));
    opener.begin(Incarnation(START + 2));
    for piece in pieces(input) {
        let mut bytes = piece.to_vec();
        // The stranger knows the id of a key.
        if let [1 | 2, k0, k1, k2, k3, ..] = bytes.as_mut_slice() {
            [*k0, *k1, *k2, *k3] = KEYS.first().id.0;
        }
        assert!(in_time(piece, || opener.open(&KEYS, address(2), &mut bytes).is_err()));
    }
});
