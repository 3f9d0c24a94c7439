//! Failure detection: what is known of each watched member's clocks, and when its silence means
//! that it has failed.

pub(crate) mod heartbeat;
pub(crate) mod peer_clock;
