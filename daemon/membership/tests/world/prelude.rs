//! The imports that most stories need. It owns no state.

#![allow(unused_imports, reason = "each story uses its part")]

pub use super::crashes::{Crashes, subsets};
pub(crate) use super::detectors::with_each_detector;
pub use super::detectors::{Detector, with_suspicion, without_suspicion};
pub use super::environment::{is_chosen, long, seeds};
pub use super::{Network, World, address, first_incarnation, ms, name, whole_list};
pub use memberd_membership::{
    Detection, Event, GroupSettings, Identity, Incarnation, Instant, Name, Settings, SwimSettings,
};
pub use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);
