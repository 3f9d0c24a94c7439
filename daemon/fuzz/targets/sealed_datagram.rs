//! A stranger's datagrams: none is opened, whatever it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd::seal::datagram::Opener;
use memberd_fuzz::{address, keys, pieces};
use std::sync::LazyLock;

fuzz_target!(|input: &[u8]| {
    static KEYS: LazyLock<memberd::seal::keyring::SealingKeys> = LazyLock::new(keys);
    let mut opener = Opener::new(address(1), None);
    for piece in pieces(input) {
        let mut bytes = piece.to_vec();
        // As if it knew a key's id.
        if let [1, k0, k1, k2, k3, ..] = bytes.as_mut_slice() {
            [*k0, *k1, *k2, *k3] = KEYS.first().id.0;
        }
        assert!(opener.open(&KEYS, address(2), &mut bytes).is_err());
    }
});
