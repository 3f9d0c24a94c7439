//! Fuzzes key files. They give keys, or an error of one line that does not repeat them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_control::keyring::{Keyring, MOST_KEYS};

fuzz_target!(|text: &str| {
    match Keyring::parse(text) {
        Ok(keyring) => {
            let again: String =
                keyring.keys().iter().map(|key| key.to_line().to_string()).collect();
            assert!((1..=MOST_KEYS).contains(&keyring.keys().len()));
            assert_eq!(Keyring::parse(&again).expect("a printed keyring is valid"), keyring);
        }
        Err(error) => assert!(!error.to_string().contains('\n')),
    }
});
