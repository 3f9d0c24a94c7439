//! The settings: those that all members of a group must share, and those of one member. They are
//! plain values.

use crate::identity::Name;
use std::time::Duration;

/// The version of the protocol between members. Members of versions that are not next to each other
/// refuse each other at join.
pub const PROTOCOL_VERSION: u8 = 2;

/// Whether messages of this version can be read here. It must be this version, or next to it.
pub fn is_understood(version: u8) -> bool {
    version > 0 && version.abs_diff(PROTOCOL_VERSION) <= 1
}

/// The settings that must be the same on every member. They are compared at join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// The number k of members that may crash at the same moment without one being missed. Each
    /// member has at least this many monitors.
    pub max_simultaneous_failures: u8,
    /// A member whose newest known datagram was sent longer ago than this has failed. With
    /// suspicion it is suspected, and has the time of that to show that it is up.
    pub failure_timeout: Duration,
    /// The detector, with the settings that it alone has.
    pub detection: Detection,
    /// Those of the agreement on views, if it is switched on. This protocol only compares them, and
    /// spreads the news of views.
    pub agreement: Option<AgreementSettings>,
}

/// What all members must share of the settings of the agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementSettings {
    /// The founders, at most [`AgreementSettings::MAX_FOUNDERS`], in the order of their names.
    pub initial_council: Vec<Name>,
    /// The seats of a full council.
    pub council: u8,
    /// How long a leader may call itself exclusive after a majority has heard it.
    pub lease: Duration,
}

impl AgreementSettings {
    /// The most founders.
    pub const MAX_FOUNDERS: usize = 15;

    /// All of them, with the names that the configuration gives them.
    fn named(&self) -> [(&'static str, String); 3] {
        let founders: Vec<&str> = self.initial_council.iter().map(Name::as_str).collect();
        [
            ("agreement.initial_council", founders.join(", ")),
            ("agreement.council", self.council.to_string()),
            ("agreement.lease", format!("{:?}", self.lease)),
        ]
    }
}

/// How members notice that another one is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    /// Each member sends heartbeats to its monitors on the ring.
    Ring {
        /// The interval of heartbeats. The default is the longest with which a member may be
        /// stopped for a second, at the worst moment, with time to spare before `failure_timeout`.
        heartbeat_interval: Duration,
    },
    /// Each member pings its successors on the ring, which acknowledge (SWIM, DSN 2002).
    Swim(SwimSettings),
}

/// The settings of [`Detection::Swim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SwimSettings {
    /// The time in which a member pings each of its successors once.
    pub ping_interval: Duration,
    /// How long a suspected member has to show that it is up; zero for no suspicion.
    pub suspicion_timeout: Duration,
    /// How many members are asked at once to ping a silent one.
    pub indirect_pings: u8,
}

impl Default for SwimSettings {
    fn default() -> Self {
        SwimSettings {
            ping_interval: Duration::from_millis(2_500),
            suspicion_timeout: Duration::from_millis(2_500),
            indirect_pings: 3,
        }
    }
}

impl GroupSettings {
    /// The defaults of a group whose detector is SWIM.
    pub fn swim() -> Self {
        GroupSettings {
            max_simultaneous_failures: 4,
            failure_timeout: Duration::from_secs(4),
            detection: Detection::Swim(SwimSettings::default()),
            agreement: None,
        }
    }

    /// The time in which each monitor hears a member once, while nothing is lost.
    pub fn interval(&self) -> Duration {
        match self.detection {
            Detection::Ring { heartbeat_interval } => heartbeat_interval,
            Detection::Swim(swim) => swim.ping_interval,
        }
    }

    /// The age of the newest known datagram of a member at which its silence is final.
    pub fn patience(&self) -> Duration {
        match self.detection {
            Detection::Ring { .. } => self.failure_timeout,
            Detection::Swim(swim) => self.failure_timeout + swim.suspicion_timeout,
        }
    }

    /// All of them with the names that the configuration gives them, the detector first. Two groups
    /// of the same detector, and both with an agreement or without, have the same names.
    pub fn named(&self) -> Vec<(&'static str, String)> {
        // Zero would be `0ns`, which nobody writes.
        let span = |span: Duration| match span {
            Duration::ZERO => "0s".to_owned(),
            span => format!("{span:?}"),
        };
        let detector = match self.detection {
            Detection::Ring { .. } => "ring",
            Detection::Swim(_) => "swim",
        };
        let mut named = vec![
            ("detector", detector.to_owned()),
            ("max_simultaneous_failures", self.max_simultaneous_failures.to_string()),
        ];
        match self.detection {
            Detection::Ring { heartbeat_interval } => {
                named.push(("heartbeat_interval", span(heartbeat_interval)));
            }
            Detection::Swim(SwimSettings { ping_interval, suspicion_timeout, indirect_pings }) => {
                named.extend([
                    ("ping_interval", span(ping_interval)),
                    ("suspicion_timeout", span(suspicion_timeout)),
                    ("indirect_pings", indirect_pings.to_string()),
                ]);
            }
        }
        named.push(("failure_timeout", span(self.failure_timeout)));
        named.push(("agreement.enabled", self.agreement.is_some().to_string()));
        named.extend(self.agreement.iter().flat_map(AgreementSettings::named));
        named
    }

    /// A hash of all of them, to distinguish groups of other settings. That of the ring is as it
    /// was before there was another detector. That without an agreement is as it was before there
    /// was one.
    pub fn fingerprint(&self) -> u32 {
        let mut hasher = blake3::Hasher::new_derive_key("memberd group settings 1");
        hasher.update(&[self.max_simultaneous_failures]);
        hasher.update(&self.interval().as_nanos().to_be_bytes());
        hasher.update(&self.failure_timeout.as_nanos().to_be_bytes());
        if let Detection::Swim(swim) = self.detection {
            hasher.update(b"swim");
            hasher.update(&swim.suspicion_timeout.as_nanos().to_be_bytes());
            hasher.update(&[swim.indirect_pings]);
        }
        if let Some(agreement) = &self.agreement {
            hasher.update(b"agreement");
            for (name, value) in agreement.named() {
                for text in [name, &value] {
                    hasher.update(&(text.len() as u64).to_be_bytes());
                    hasher.update(text.as_bytes());
                }
            }
        }
        let mut bytes = [0; 4];
        hasher.finalize_xof().fill(&mut bytes);
        u32::from_be_bytes(bytes)
    }
}

impl Default for GroupSettings {
    fn default() -> Self {
        GroupSettings {
            max_simultaneous_failures: 4,
            failure_timeout: Duration::from_millis(1_750),
            detection: Detection::Ring { heartbeat_interval: Duration::from_millis(600) },
            agreement: None,
        }
    }
}

/// All settings of one [`crate::Node`].
#[derive(Debug, Clone, PartialEq, Eq)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_suspicion_is_named_as_the_settings_write_it() {
        let swim = SwimSettings { suspicion_timeout: Duration::ZERO, ..SwimSettings::default() };
        let group = GroupSettings { detection: Detection::Swim(swim), ..GroupSettings::swim() };
        let named = group.named();
        assert!(named.contains(&("suspicion_timeout", "0s".to_owned())), "{named:?}");
        assert!(named.contains(&("ping_interval", "2.5s".to_owned())), "{named:?}");
    }

    #[test]
    fn each_setting_changes_the_fingerprint_and_a_name() {
        let swim = SwimSettings::default();
        let of = |swim| GroupSettings { detection: Detection::Swim(swim), ..GroupSettings::swim() };
        let second = Duration::from_secs(1);
        let other = [
            GroupSettings::default(),
            GroupSettings { max_simultaneous_failures: 3, ..GroupSettings::swim() },
            GroupSettings { failure_timeout: second, ..GroupSettings::swim() },
            of(SwimSettings { ping_interval: second, ..swim }),
            of(SwimSettings { suspicion_timeout: second, ..swim }),
            of(SwimSettings { indirect_pings: 2, ..swim }),
        ];
        for settings in other {
            assert_ne!(settings.fingerprint(), GroupSettings::swim().fingerprint());
            assert_ne!(settings.named(), GroupSettings::swim().named());
        }
    }

    #[test]
    fn each_setting_of_the_agreement_changes_the_fingerprint() {
        let founders = |names: &[&str]| -> Vec<Name> {
            names.iter().map(|name| Name::new(name).unwrap()).collect()
        };
        let agreement = AgreementSettings {
            initial_council: founders(&["vm1", "vm2", "vm3"]),
            council: 9,
            lease: Duration::from_secs(3),
        };
        let of = |agreement| GroupSettings { agreement, ..GroupSettings::default() };
        let all = [
            of(None),
            of(Some(AgreementSettings { council: 7, ..agreement.clone() })),
            of(Some(AgreementSettings { lease: Duration::from_secs(2), ..agreement.clone() })),
            of(Some(AgreementSettings {
                initial_council: founders(&["vm1", "vm2", "vm4"]),
                ..agreement.clone()
            })),
            of(Some(agreement)),
        ];
        for (place, one) in all.iter().enumerate() {
            for other in &all[..place] {
                assert_ne!(one.fingerprint(), other.fingerprint());
                assert_ne!(one.named(), other.named());
            }
        }
        assert_eq!(all[0].fingerprint(), 2_652_485_389, "without one it is as it ever was");
    }
}
