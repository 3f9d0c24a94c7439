//! The detectors with their settings, for stories that hold for each. It owns no state.

use memberd_membership::{Detection, GroupSettings, Settings, SwimSettings};
use std::time::Duration;

/// SWIM with suspicion, which is its default.
pub fn with_suspicion() -> Settings {
    Settings { group: GroupSettings::swim(), ..Settings::default() }
}

/// SWIM without suspicion.
pub fn without_suspicion() -> Settings {
    let swim = SwimSettings { suspicion_timeout: Duration::ZERO, ..SwimSettings::default() };
    let group = GroupSettings { detection: Detection::Swim(swim), ..GroupSettings::swim() };
    Settings { group, ..Settings::default() }
}

/// The default settings of each detector, with its name.
pub fn detectors() -> [(&'static str, Settings); 2] {
    [("ring", Settings::default()), ("swim", with_suspicion())]
}
