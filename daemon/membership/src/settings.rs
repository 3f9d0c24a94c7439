//! The settings: those that all members of a group must share, and those of one member. They are
//! plain values.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The version of the protocol between members. Members of versions that are not next to each other
/// refuse each other at join.
pub const PROTOCOL_VERSION: u8 = 2;

/// Whether messages of this version can be read here. It must be this version, or next to it.
pub fn is_understood(version: u8) -> bool {
    version > 0 && version.abs_diff(PROTOCOL_VERSION) <= 1
}

/// The settings that must be the same on every member. They are compared at join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSettings {
    /// The number k of members that may crash at the same moment without one being missed. Each
    /// member has this many monitors.
    pub max_simultaneous_failures: u8,
    /// The interval of heartbeats. The default is the longest with which a member may be stopped
    /// for a second, at the worst moment, with time to spare before `failure_timeout`.
    pub heartbeat_interval: Duration,
    /// A member whose newest known heartbeat was sent longer ago than this has failed.
    pub failure_timeout: Duration,
}

impl GroupSettings {
    /// A hash of all of them, to distinguish groups of other settings.
    pub fn fingerprint(&self) -> u32 {
        let mut hasher = blake3::Hasher::new_derive_key("memberd group settings 1");
        hasher.update(&[self.max_simultaneous_failures]);
        hasher.update(&self.heartbeat_interval.as_nanos().to_be_bytes());
        hasher.update(&self.failure_timeout.as_nanos().to_be_bytes());
        let mut bytes = [0; 4];
        hasher.finalize_xof().fill(&mut bytes);
        u32::from_be_bytes(bytes)
    }
}

impl Default for GroupSettings {
    fn default() -> Self {
        GroupSettings {
            max_simultaneous_failures: 4,
            heartbeat_interval: Duration::from_millis(600),
            failure_timeout: Duration::from_millis(1_750),
        }
    }
}

/// All settings of one [`crate::Node`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Compared at join.
    pub group: GroupSettings,
    /// How long entries of failed and left members are kept, so that a late update cannot make them
    /// alive again.
    pub forget_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            group: GroupSettings::default(),
            forget_after: Duration::from_secs(24 * 60 * 60),
        }
    }
}
