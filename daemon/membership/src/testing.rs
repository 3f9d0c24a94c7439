//! Small members, moments and lists for the unit tests of this crate.

use crate::identity::{Identity, Incarnation, Name};
use crate::list::{Claim, List, Update};
use crate::time::{Instant, Now, WallTime};
use std::net::SocketAddr;
use std::time::Duration;

/// The wall clock at the monotonic epoch: 2025-11-21.
const EPOCH_WALL: u64 = 1_763_688_000_000;

pub(crate) fn name(i: u8) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

pub(crate) fn address(i: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, i], 8_946))
}

pub(crate) fn identity(i: u8) -> Identity {
    Identity { name: name(i), address: address(i), incarnation: Incarnation(EPOCH_WALL) }
}

/// Member `i` is alive.
pub(crate) fn update(i: u8) -> Update {
    Update::new(identity(i), Claim::Alive)
}

/// A list of the members 0 to `size - 1`, all alive.
#[expect(dead_code, reason = "for the tests to come")]
pub(crate) fn list(size: u8) -> List {
    let mut list = List::new();
    for i in 0..size {
        list.merge(update(i), Instant::EPOCH);
    }
    list
}

/// Both clocks this many milliseconds after the epoch.
#[expect(dead_code, reason = "for the tests to come")]
pub(crate) fn at(ms: u64) -> Now {
    Now { mono: Instant::from_epoch(Duration::from_millis(ms)), wall: WallTime(EPOCH_WALL + ms) }
}
