//! Fuzzes state files: any bytes, with a valid checksum and without.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd::state::State;

fuzz_target!(|input: &[u8]| {
    let Some((kind, body)) = input.split_first() else { return };
    let whole = [&b"memberd1"[..], blake3::hash(body).as_bytes(), body].concat();
    let bytes = if kind % 2 == 0 { body } else { &whole };
    if let Some(state) = State::from_bytes(bytes) {
        let again = state.to_bytes().expect("memory encodes");
        assert_eq!(State::from_bytes(&again), Some(state));
    }
});
