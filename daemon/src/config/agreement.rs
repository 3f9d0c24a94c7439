//! Checks the section `[agreement]`: the agreed views under an elected leader. It owns no state.

use super::problems::{Problems, span};
use super::raw;
use memberd_council::Settings;
use memberd_membership::{AgreementSettings, GroupSettings, Name};
use std::ops::RangeInclusive;
use std::time::Duration;
use toml::Spanned;

const SEATS: RangeInclusive<usize> = Settings::MIN_COUNCIL..=Settings::MAX_COUNCIL;
const LEASES: RangeInclusive<Duration> = Settings::MIN_LEASE..=Settings::MAX_LEASE;

/// The settings of the agreed views.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Whether there are any.
    pub enabled: bool,
    /// The founders, ordered by name.
    pub initial_council: Vec<Name>,
    /// The seats of a full council.
    pub council: u8,
    /// How long a leader may call itself exclusive after a majority has heard it.
    pub lease: Duration,
    /// Whether this machine may have a seat.
    pub vote: bool,
}

impl Agreement {
    /// What all members must share, while there are agreed views.
    pub(super) fn shared(&self) -> Option<AgreementSettings> {
        self.enabled.then(|| AgreementSettings {
            initial_council: self.initial_council.clone(),
            council: self.council,
            lease: self.lease,
        })
    }
}

/// Reads the section. The default of the council holds a majority after as many crashes at once as
/// the group bears.
pub(super) fn agreement(
    raw: &raw::Agreement,
    name: Option<&Name>,
    group: &GroupSettings,
    problems: &mut Problems,
) -> Agreement {
    let default = Settings::default();
    let enabled = raw.enabled.as_ref().is_some_and(|set| *set.get_ref());
    let initial_council = founders(raw.initial_council.as_ref(), problems);
    if enabled && raw.initial_council.is_none() {
        let why = "not set: name the machines that found the views, such as [\"vm1\", \"vm2\", \
                   \"vm3\"], the same on all machines";
        problems.add_missing("agreement.initial_council", why);
    }
    let vote = raw.vote.as_ref().is_none_or(|set| *set.get_ref());
    if let (Some(set), Some(name)) = (&raw.vote, name)
        && !vote
        && initial_council.contains(name)
    {
        let why = format!("false, but {name} is in agreement.initial_council, which must vote");
        problems.add(set, "agreement.vote", why);
    }
    let crashes = usize::from(group.max_simultaneous_failures);
    let seats = (2 * crashes + 1).clamp(*SEATS.start(), *SEATS.end());
    let seats = raw.council.as_ref().map_or(seats, |set| {
        if !SEATS.contains(set.get_ref()) {
            let (least, most) = (SEATS.start(), SEATS.end());
            let why = format!("{} is not between {least} and {most}", set.get_ref());
            problems.add(set, "agreement.council", why);
        }
        *set.get_ref()
    });
    let lease = span(raw.lease.as_ref(), "agreement.lease", &LEASES, problems);
    if let (Some(set), Some(lease)) = (&raw.lease, lease)
        && !LEASES.contains(&lease)
    {
        let why = format!("{:?} is not between 500ms and 60s", set.get_ref());
        problems.add(set, "agreement.lease", why);
    }
    Agreement {
        enabled,
        initial_council,
        council: u8::try_from(seats).unwrap_or(u8::MAX),
        lease: lease.unwrap_or(default.lease),
        vote,
    }
}

fn founders(set: Option<&Spanned<Vec<Spanned<String>>>>, problems: &mut Problems) -> Vec<Name> {
    let key = "agreement.initial_council";
    let Some(set) = set else { return Vec::new() };
    let mut founders: Vec<Name> = Vec::new();
    for entry in set.get_ref() {
        match Name::new(entry.get_ref()) {
            Ok(name) if founders.contains(&name) => {
                problems.add(entry, key, format!("{name} is listed twice"));
            }
            Ok(name) => founders.push(name),
            Err(error) => problems.add(entry, key, error),
        }
    }
    let most = AgreementSettings::MAX_FOUNDERS;
    if set.get_ref().is_empty() {
        problems.add(set, key, "empty: name at least one machine, and better three");
    } else if set.get_ref().len() > most {
        problems.add(set, key, format!("at most {most} machines can found the views"));
    }
    founders.sort();
    founders
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(lines: &str) -> Result<Agreement, String> {
        let text = format!("[node]\nname = 'vm1'\naddress = '127.0.0.1'\n[agreement]\n{lines}");
        let config = Config::parse("m.toml", &text).map_err(|error| error.to_string())?;
        assert_eq!(config.group.agreement.is_some(), config.agreement.enabled);
        Ok(config.agreement)
    }

    #[test]
    fn it_is_off_unless_it_is_switched_on() {
        let off = read("").unwrap();
        assert!(!off.enabled && off.vote);
        assert_eq!((off.council, off.lease), (9, Duration::from_secs(3)));
        let on = read("enabled = true\ninitial_council = ['vm3', 'vm1', 'vm2']").unwrap();
        let names: Vec<&str> = on.initial_council.iter().map(Name::as_str).collect();
        assert_eq!(names, ["vm1", "vm2", "vm3"], "their order does not matter");
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        let founded = "enabled = true\ninitial_council = ['vm1', 'vm2']\n";
        for (lines, key, words) in [
            ("enabled = true", "agreement.initial_council", "not set: name the machines"),
            ("initial_council = []", "agreement.initial_council", "empty"),
            ("initial_council = ['a', 'a']", "agreement.initial_council", "a is listed twice"),
            ("initial_council = ['a b']", "agreement.initial_council", "a b"),
            (&format!("{founded}vote = false"), "agreement.vote", "vm1 is in agreement."),
            (&format!("{founded}council = 2"), "agreement.council", "2 is not between 3 and 15"),
            (&format!("{founded}council = 16"), "agreement.council", "16 is not between 3 and 15"),
            (&format!("{founded}lease = '100ms'"), "agreement.lease", "not between 500ms and 60s"),
            (&format!("{founded}lease = '3'"), "agreement.lease", "write \"3s\""),
        ] {
            let error = read(lines).unwrap_err();
            assert!(error.contains(key) && error.contains(words), "{lines}: {error}");
        }
    }
}
