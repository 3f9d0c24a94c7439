//! Fuzzes the agreement file. What is read is written again as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_council::Durable;

fuzz_target!(|input: &[u8]| {
    if let Ok(durable) = Durable::decode(input) {
        let again = durable.encode();
        assert_eq!(Durable::decode(&again).as_ref(), Ok(&durable));
    }
});
