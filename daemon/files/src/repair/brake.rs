//! Who is gone since when, and the brake for the moment when many are. Owns until when it holds.

use crate::view::FilesView;
use memberd_council::BootTime;
use memberd_membership::Name;
use std::collections::BTreeMap;
use std::time::Duration;

/// Members that are gone within this span are gone together.
const TOGETHER: Duration = Duration::from_secs(60);
/// How long the brake holds.
const HOLDS: Duration = Duration::from_secs(600);

/// A member of some set that is not in the view.
#[derive(Debug, Clone)]
pub(super) struct Gone {
    pub(super) since: BootTime,
    /// Whether it left by plan.
    pub(super) is_planned: bool,
    pub(super) zone: Option<String>,
}

impl Gone {
    pub(super) fn since(since: BootTime) -> Self {
        Gone { since, is_planned: false, zone: None }
    }
}

/// Holds back the repair of what has two copies left, while a rack or more is gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Brake {
    until: Option<BootTime>,
}

impl Brake {
    /// Until when it holds.
    pub(super) fn until(&self, now: BootTime) -> Option<BootTime> {
        self.until.filter(|until| *until > now)
    }

    /// The view has changed from an old one. Whether the brake holds from now on, or longer.
    pub(super) fn look(
        &mut self,
        now: BootTime,
        view: &FilesView,
        old: &FilesView,
        gone: &BTreeMap<Name, Gone>,
    ) -> bool {
        let together = || gone.values().filter(|one| now.since(one.since) <= TOGETHER);
        let count = together().count();
        let all = view.members.len() + count;
        let is_quarter = count >= 2 && count * 4 > all;
        let of_zone =
            |zone: &str| together().filter(|one| one.zone.as_deref() == Some(zone)).count();
        let is_empty =
            |zone: &str| !view.members.values().any(|member| member.zone.as_deref() == Some(zone));
        let zones = old.members.values().filter_map(|member| member.zone.as_deref());
        let is_rack = { zones }.any(|zone| is_empty(zone) && of_zone(zone) >= 2);
        if is_quarter || is_rack {
            self.until = Some(now + HOLDS);
        }
        is_quarter || is_rack
    }
}
