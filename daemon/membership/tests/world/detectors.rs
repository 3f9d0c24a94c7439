//! The detectors with their settings and promises, for stories that hold for each. It owns no
//! state.

use memberd_membership::{Detection, GroupSettings, Settings, SwimSettings};
use std::time::Duration;

/// A detector, and what it promises.
#[derive(Debug, Clone)]
pub struct Detector {
    pub name: &'static str,
    pub settings: Settings,
    /// Any *k* crashes are in some list by then, and in every list.
    pub some_list: Duration,
    pub every_list: Duration,
    /// Any number of crashes is in every list by then, and either side of a split has noticed it.
    pub many: Duration,
    /// After a split, every list is whole again by then.
    pub heals: Duration,
    /// Lists that differ for another reason than a failure are equal again by then.
    pub agrees: Duration,
    /// A member may stand still for so long.
    pub stands_still: Duration,
}

impl Detector {
    /// Heartbeats, the default.
    pub fn ring() -> Self {
        let settings = Settings::default();
        Detector {
            name: "ring",
            some_list: Duration::from_secs(2),
            every_list: Duration::from_secs(6),
            many: Duration::from_secs(10),
            heals: Duration::from_secs(5),
            agrees: Duration::from_secs(2),
            stands_still: settings.group.failure_timeout
                - settings.group.interval()
                - Duration::from_millis(10),
            settings,
        }
    }

    /// SWIM with suspicion, which is its default.
    pub fn swim() -> Self {
        Detector {
            name: "swim",
            settings: with_suspicion(),
            some_list: Duration::from_secs(10),
            every_list: Duration::from_secs(15),
            many: Duration::from_secs(25),
            heals: Duration::from_secs(15),
            agrees: Duration::from_secs(6),
            stands_still: Duration::from_millis(4_900),
        }
    }

    /// Each of them.
    pub fn all() -> [Detector; 2] {
        [Detector::ring(), Detector::swim()]
    }
}

/// SWIM with suspicion.
pub fn with_suspicion() -> Settings {
    Settings { group: GroupSettings::swim(), ..Settings::default() }
}

/// SWIM without suspicion.
pub fn without_suspicion() -> Settings {
    let swim = SwimSettings { suspicion_timeout: Duration::ZERO, ..SwimSettings::default() };
    let group = GroupSettings { detection: Detection::Swim(swim), ..GroupSettings::swim() };
    Settings { group, ..Settings::default() }
}

/// Makes a test of each story for each detector, in a module of its name.
macro_rules! with_each_detector {
    ($($story:ident),* $(,)?) => {
        mod ring {
            $(#[test] fn $story() { super::$story(&super::Detector::ring()); })*
        }
        mod swim {
            $(#[test] fn $story() { super::$story(&super::Detector::swim()); })*
        }
    };
}
pub(crate) use with_each_detector;
