//! Measures what the node does not count itself: changes, detection times and lateness. It owns
//! these figures.

use super::status::Status;
use super::traffic::Totals;
use crate::metrics::histogram::Histogram;
use memberd_membership::{Counters, Incarnation, MemberEvent, MemberEventKind, Name, Now};
use std::time::Duration;

/// Bounds around the patience of both detectors, up to the times promised for every list.
const DETECTION: &[Duration] = &milliseconds([
    500, 1_000, 1_500, 1_700, 1_750, 1_800, 1_900, 2_000, 2_500, 3_000, 4_000, 4_250, 5_000, 6_000,
    6_500, 6_750, 8_000, 10_000, 15_000,
]);

const DISSEMINATION: &[Duration] =
    &milliseconds([1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 6_000]);

const LATENESS: &[Duration] = &milliseconds([1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500]);

/// A join that seems to take longer, in milliseconds, was timed by a wrong clock.
const MOST_DISSEMINATION: u64 = 60_000;

const fn milliseconds<const N: usize>(counts: [u64; N]) -> [Duration; N] {
    let mut durations = [Duration::ZERO; N];
    let mut index = 0;
    while index < N {
        durations[index] = Duration::from_millis(counts[index]);
        index += 1;
    }
    durations
}

/// All figures at one moment, for the metrics.
#[derive(Debug)]
pub struct Measured {
    /// The figures that `memberctl status` shows.
    pub status: Status,
    /// The node's own counters.
    pub counters: Counters,
    /// The datagrams by kind.
    pub traffic: Totals,
    /// Datagrams that the seal refused, by cause.
    pub refusals: Vec<(&'static str, u64)>,
    /// Changes of the list.
    pub events: Events,
    /// The age of a member's newest known datagram at which this one declares it failed.
    pub patience: Duration,
    /// The time from sending the newest known datagram to the accusation, for the accusations of
    /// this member.
    pub detection: Histogram,
    /// The time from a join, by the newcomer's wall clock, until this list shows the newcomer.
    pub dissemination: Histogram,
    /// How late the protocol loop woke up.
    pub lateness: Histogram,
}

/// Changes of the list since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Events {
    /// Joins.
    pub joined: u64,
    /// Failures, including those that a quick return revealed.
    pub failed: u64,
    /// Leaves.
    pub left: u64,
    /// Members that an operator had forgotten.
    pub forgotten: u64,
}

/// The figures that grow while the daemon runs.
#[derive(Debug)]
pub(super) struct Gauges {
    pub(super) events: Events,
    pub(super) detection: Histogram,
    pub(super) dissemination: Histogram,
    pub(super) lateness: Histogram,
}

impl Gauges {
    pub(super) fn new() -> Self {
        Gauges {
            events: Events::default(),
            detection: Histogram::new(DETECTION),
            dissemination: Histogram::new(DISSEMINATION),
            lateness: Histogram::new(LATENESS),
        }
    }

    /// Counts a change of this member's list. The member is in the group since `own`.
    pub(super) fn note(
        &mut self,
        event: &MemberEvent,
        this: &Name,
        own: Option<Incarnation>,
        now: Now,
    ) {
        match &event.kind {
            MemberEventKind::Joined => {
                self.events.joined += 1;
                let taken = now.wall.0.checked_sub(event.member.incarnation.0);
                // Members of the list that the join took over are not new.
                let later = own.is_some_and(|own| event.member.incarnation > own);
                if let Some(taken) = taken.filter(|taken| later && *taken <= MOST_DISSEMINATION) {
                    self.dissemination.observe(Duration::from_millis(taken));
                }
            }
            MemberEventKind::Failed(evidence) => {
                self.events.failed += 1;
                if evidence.detected_by == *this {
                    self.detection.observe(Duration::from_millis(evidence.silent_ms));
                }
            }
            MemberEventKind::Restarted => self.events.failed += 1,
            MemberEventKind::Left => self.events.left += 1,
        }
    }
}
