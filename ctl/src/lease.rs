//! The rules by which work under a lease begins and ends: [`Watch`]. It owns the newest lease, and
//! has no clock.
//!
//! A lease is a promise up to a moment of `CLOCK_BOOTTIME`, which goes on in suspend. Whoever waits
//! for something looks at that clock anew before each use of the lease: it may have stood still
//! itself, for any time.

mod clock;
mod guard;
mod job;
mod stream;

pub(crate) use self::clock::{Alarm, BootTime};
pub(crate) use self::guard::{FAILED, NOT_EXECUTABLE, NOT_FOUND, helper};
pub(crate) use self::job::Job;
pub(crate) use self::stream::{Heard, LeaseStream};

use std::time::Duration;

use memberd_control::message::LeaseRecord;

/// How long before the end of the lease work is asked to end: SIGTERM.
pub(crate) const TERM_LEFT: Duration = Duration::from_secs(1);

/// How long before the end of the lease work is killed: SIGKILL.
pub(crate) const KILL_LEFT: Duration = Duration::from_millis(250);

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Begin the work, with this token.
    Begin(u64),
    /// Ask the work to end.
    Terminate,
    /// Kill the work.
    Kill,
}

/// Decides when work under a lease begins and ends.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    lease: Option<LeaseRecord>,
    phase: Phase,
    /// Why there will be no renewal.
    lost: Option<String>,
    /// Whether the work has to end now, and not only when the lease runs out.
    at_once: bool,
}

/// How far the work is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Waiting,
    Works,
    Terminated,
    Killed,
}

impl Watch {
    /// Takes in a lease. One of another token is none for work that has begun.
    pub(crate) fn renew(&mut self, lease: LeaseRecord) {
        match self.lease {
            Some(known) if self.phase != Phase::Waiting && known.term != lease.term => {
                self.lose(format!("the term is {} now", lease.term));
            }
            Some(known) if known.term == lease.term => {
                let until_boot_ns = known.until_boot_ns.max(lease.until_boot_ns);
                self.lease = Some(LeaseRecord { until_boot_ns, ..lease });
            }
            _ => self.lease = Some(lease),
        }
    }

    /// The daemon gives the lease up. The work ends at once, so that its successor waits no longer.
    pub(crate) fn lose(&mut self, reason: String) {
        self.lost.get_or_insert(reason);
        self.at_once = true;
    }

    /// Nobody renews the lease any more. It still holds to its end.
    pub(crate) fn abandon(&mut self, reason: String) {
        self.lost.get_or_insert(reason);
    }

    /// What is to be done at this moment. It is asked for until there is nothing.
    pub(crate) fn step(&mut self, now: BootTime) -> Option<Step> {
        let lease = self.lease?;
        let left = BootTime(lease.until_boot_ns).since(now);
        let (phase, step) = match self.phase {
            Phase::Waiting if self.lost.is_none() && left > TERM_LEFT => {
                (Phase::Works, Step::Begin(lease.term))
            }
            Phase::Works if self.at_once || left <= TERM_LEFT => {
                self.lost.get_or_insert_with(|| "the lease was not renewed in time".to_owned());
                (Phase::Terminated, Step::Terminate)
            }
            Phase::Terminated if left <= KILL_LEFT => (Phase::Killed, Step::Kill),
            _ => return None,
        };
        self.phase = phase;
        Some(step)
    }

    /// When the next step is due, if nothing is heard before.
    pub(crate) fn due(&self) -> Option<BootTime> {
        let before = match self.phase {
            Phase::Waiting | Phase::Killed => return None,
            Phase::Works => TERM_LEFT,
            Phase::Terminated => KILL_LEFT,
        };
        Some(BootTime(self.lease?.until_boot_ns).minus(before))
    }

    /// Until when work may run that begins now, if any may.
    pub(crate) fn until(&self) -> Option<BootTime> {
        self.lease.map(|lease| BootTime(lease.until_boot_ns))
    }

    /// The number that names this hold.
    pub(crate) fn hold(&self) -> Option<u64> {
        self.lease.map(|lease| lease.hold)
    }

    /// Whether the work has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.phase != Phase::Waiting
    }

    /// Whether the work was asked to end.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Terminated | Phase::Killed)
    }

    /// Why the lease is not renewed any more; none as long as it is.
    pub(crate) fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A lease up to this many milliseconds.
    fn lease(term: u64, until_ms: u64) -> LeaseRecord {
        LeaseRecord { term, until_boot_ns: until_ms * MS, hold: 1 }
    }

    fn at(ms: u64) -> BootTime {
        BootTime(ms * MS)
    }

    /// Work that has begun at 0 under a lease of 3 s.
    fn working() -> Watch {
        let mut watch = Watch::default();
        watch.renew(lease(7, 3_000));
        assert_eq!(watch.step(at(0)), Some(Step::Begin(7)));
        watch
    }

    #[test]
    fn work_begins_with_the_lease_and_not_before() {
        let mut watch = Watch::default();
        assert_eq!((watch.step(at(0)), watch.due()), (None, None));
        watch.renew(lease(7, 3_000));
        assert_eq!(watch.step(at(0)), Some(Step::Begin(7)));
        assert_eq!((watch.step(at(0)), watch.due()), (None, Some(at(2_000))));
    }

    /// The frame may have lain in the socket while this process, or the machine, stood still.
    #[test]
    fn no_work_begins_under_a_lease_that_is_nearly_over() {
        for now in [2_000, 2_999, 3_000, 60_000] {
            let mut watch = Watch::default();
            watch.renew(lease(7, 3_000));
            assert_eq!(watch.step(at(now)), None, "{now}");
        }
        let mut watch = Watch::default();
        watch.renew(lease(7, 3_000));
        assert_eq!(watch.step(at(1_999)), Some(Step::Begin(7)));
    }

    #[test]
    fn without_renewals_work_is_asked_at_1_s_and_killed_at_250_ms() {
        let mut watch = working();
        assert_eq!(watch.step(at(1_999)), None);
        assert_eq!(watch.step(at(2_000)), Some(Step::Terminate));
        assert_eq!((watch.step(at(2_000)), watch.due()), (None, Some(at(2_750))));
        assert_eq!(watch.step(at(2_749)), None);
        assert_eq!(watch.step(at(2_750)), Some(Step::Kill));
        assert_eq!((watch.step(at(2_750)), watch.due()), (None, None));
        assert_eq!(watch.lost(), Some("the lease was not renewed in time"));
    }

    #[test]
    fn each_renewal_moves_both_moments() {
        let mut watch = working();
        for until in [3_750, 4_500] {
            watch.renew(lease(7, until));
            assert_eq!(watch.due(), Some(at(until - 1_000)));
            assert_eq!(watch.step(at(until - 1_001)), None);
        }
        assert_eq!(watch.step(at(3_500)), Some(Step::Terminate));
    }

    /// An older frame, or one from a daemon that is wrong, does not take a promise back.
    #[test]
    fn a_lease_is_never_made_shorter() {
        let mut watch = working();
        watch.renew(lease(7, 2_000));
        assert_eq!(watch.due(), Some(at(2_000)));
    }

    /// A renewal that comes after SIGTERM does not bring the work back, but it delays SIGKILL.
    #[test]
    fn what_was_asked_to_end_ends() {
        let mut watch = working();
        assert_eq!(watch.step(at(2_100)), Some(Step::Terminate));
        watch.renew(lease(7, 5_000));
        assert_eq!((watch.step(at(2_200)), watch.due()), (None, Some(at(4_750))));
        assert_eq!(watch.step(at(4_750)), Some(Step::Kill));
    }

    #[test]
    fn a_lost_lease_ends_work_at_once_and_kills_by_the_old_end() {
        let mut watch = working();
        watch.lose("handed over to vm3".to_owned());
        assert_eq!(watch.step(at(10)), Some(Step::Terminate));
        assert_eq!(watch.due(), Some(at(2_750)));
        assert_eq!(watch.lost(), Some("handed over to vm3"));
    }

    #[test]
    fn without_a_daemon_the_lease_holds_to_its_end() {
        let mut watch = working();
        watch.abandon("memberd went away".to_owned());
        assert_eq!((watch.step(at(10)), watch.due()), (None, Some(at(2_000))));
        assert_eq!(watch.step(at(2_000)), Some(Step::Terminate));
        assert_eq!(watch.lost(), Some("memberd went away"));
    }

    /// Both steps are due at once for one that was stopped or suspended over the end.
    #[test]
    fn who_wakes_after_the_end_kills_at_once() {
        let mut watch = working();
        assert_eq!(watch.step(at(60_000)), Some(Step::Terminate));
        assert_eq!(watch.step(at(60_000)), Some(Step::Kill));
        assert_eq!(watch.step(at(60_000)), None);
    }

    /// The token of running work is in its environment, and cannot change.
    #[test]
    fn another_term_ends_the_work_of_this_one() {
        let mut watch = working();
        watch.renew(lease(8, 9_000));
        assert_eq!(watch.step(at(10)), Some(Step::Terminate));
        assert_eq!(watch.due(), Some(at(2_750)));
    }

    #[test]
    fn nothing_begins_after_the_loss() {
        let mut watch = Watch::default();
        watch.renew(lease(7, 3_000));
        watch.lose("replaced".to_owned());
        assert_eq!((watch.step(at(0)), watch.has_begun()), (None, false));
    }
}
