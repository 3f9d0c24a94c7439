//! Gives each fleet loopback addresses of its own, so that fleets run side by side.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// The port of every daemon: each has an address of its own.
pub const PORT: u16 = 8946;

/// A block 127.A.B.0/24. No other fleet of this machine has it while this value exists.
#[derive(Debug)]
pub struct Block {
    prefix: [u8; 3],
    _held: TcpListener,
}

impl Block {
    /// Takes a free block.
    ///
    /// # Panics
    /// When there is none.
    pub fn take() -> Self {
        let random = RandomState::new();
        let free = (0_u32..1_000).find_map(|attempt| {
            let [a, b, ..] = random.hash_one(attempt).to_ne_bytes();
            let prefix = [127, 64 + a % 64, b];
            // A listener on the last address holds the block. No daemon gets that address.
            let listener =
                TcpListener::bind((Ipv4Addr::new(127, 64 + a % 64, b, 254), PORT)).ok()?;
            Some(Block { prefix, _held: listener })
        });
        free.expect("a free block of loopback addresses")
    }

    /// The address of the i-th daemon.
    pub fn address(&self, i: u8) -> SocketAddr {
        let [a, b, c] = self.prefix;
        (Ipv4Addr::new(a, b, c, i), PORT).into()
    }
}
