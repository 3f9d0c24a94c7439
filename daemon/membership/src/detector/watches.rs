//! The data about each watched member: the send time of its newest known datagram, and the meaning
//! of its silence. It owns the watches, which every detector shares.

use super::peer_clock::{PeerClock, SentAt};
use crate::identity::{Incarnation, Name};
use crate::members::Members;
use crate::message::Body;
use crate::time::{Instant, Now, millis};
use std::collections::BTreeMap;
use std::time::Duration;

/// Says when evidence is missing and when silence is final. Each detector has its own timing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// The time after the newest evidence from which further evidence is missing.
    pub(super) missed_after: Duration,
    /// The same time for a newcomer that was never heard.
    pub(super) newcomer_missed_after: Duration,
    /// The time after the newest evidence from which silence is final.
    pub(super) patience: Duration,
    /// The same time for a newcomer that was never heard.
    pub(super) newcomer_patience: Duration,
    /// The same time for a member that is probed because those between may be gone.
    pub(super) probed_patience: Duration,
    /// How long before its deadline a silent member is suspected; zero for never.
    pub(super) suspicion: Duration,
    /// The interval of repeated probes for missing evidence.
    pub(super) probe_again: Duration,
    /// The same interval for suspected members, and for those that are probed.
    pub(super) probe_again_late: Duration,
    /// How long before its deadline other members are asked about a probed member too.
    pub(super) probe_others: Duration,
}

/// A member to watch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// Its incarnation.
    pub(super) incarnation: Incarnation,
    /// Whether it has just entered the list. Its first heartbeat then arrives about as soon as the
    /// update about it, or never.
    pub(super) newcomer: bool,
}

/// A finding of the detector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Evidence is missing. The member itself and others must be asked.
    Missing(Missing),
    /// A probed member has not answered. It must be asked itself.
    Unanswered(Name, Incarnation),
    /// The member is silent for so long that it is to be suspected. It is found again with each
    /// probe.
    Suspect(Silence),
    /// The deadline has passed.
    Silent(Silence),
}

/// Evidence that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The member.
    pub(crate) name: Name,
    /// Its incarnation.
    pub(crate) incarnation: Incarnation,
    /// How often it was found missing since the newest evidence.
    pub(crate) round: u32,
    /// When evidence was first missed.
    pub(crate) missed_at: Instant,
}

/// A silence that has a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Silence {
    /// The member.
    pub(crate) name: Name,
    /// Its incarnation.
    pub(crate) incarnation: Incarnation,
    /// How long ago its newest known datagram was sent, in milliseconds.
    pub(crate) silent_ms: u64,
    /// The newest send time by the member's own clock, if any is known.
    pub(crate) newest_sent: Option<u64>,
    /// When evidence was first missed: proof that this machine can hear must be newer.
    pub(crate) missed_at: Instant,
    /// Whether anything was heard of it at all since the watch began.
    pub(crate) ever_heard: bool,
}

/// Why a member is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The ring says so.
    Target,
    /// The ring said so before. The watch lasts until the new monitor has had time to hear it.
    Former { until: Instant },
    /// All members between may be gone. It is probed, and its heartbeat ends this watch.
    Probed,
}

/// One watched member.
#[derive(Debug, Clone)]
struct Watch {
    incarnation: Incarnation,
    newcomer: bool,
    clock: PeerClock,
    /// When the watch began.
    since: Instant,
    /// The newest send time known, by our clock.
    newest: Option<Instant>,
    /// The same by the member's own clock, to be reported to others.
    newest_sent: Option<u64>,
    /// It may not be declared failed before this moment, in any case.
    not_before: Instant,
    /// When to ask about it next, and how often that was done since the newest evidence.
    probe_at: Instant,
    round: u32,
    reason: Reason,
    declared: bool,
}

impl Watch {
    fn evidence(&self) -> Instant {
        self.newest.unwrap_or(self.since)
    }

    fn is_new(&self) -> bool {
        self.newcomer && self.newest.is_none()
    }

    fn patience(&self, timing: &Timing) -> Duration {
        match self.reason {
            Reason::Probed => timing.probed_patience,
            _ if self.is_new() => timing.newcomer_patience,
            _ => timing.patience,
        }
    }

    fn deadline(&self, timing: &Timing) -> Instant {
        (self.evidence() + self.patience(timing)).max(self.not_before)
    }

    /// The time from which the next evidence is missed.
    fn missed_at(&self, timing: &Timing) -> Instant {
        let due = if self.is_new() { timing.newcomer_missed_after } else { timing.missed_after };
        self.evidence() + due
    }

    /// The time from which it is asked for. What is always late is not missing. But the answer must
    /// come before the deadline, so over long ways a member is asked early.
    fn asked_at(&self, timing: &Timing) -> Instant {
        let latency = self.clock.latency();
        let there_and_back = timing.patience.saturating_sub(latency * 2 + timing.probe_again);
        let missed_at = self.missed_at(timing);
        (missed_at + latency).min(self.evidence() + there_and_back).max(missed_at)
    }

    /// The time from which the member is suspected.
    fn suspect_at(&self, timing: &Timing) -> Option<Instant> {
        let suspects = !timing.suspicion.is_zero() && self.reason != Reason::Probed;
        suspects.then(|| self.deadline(timing) - timing.suspicion)
    }

    /// Finds what its silence means before the deadline, and when to look again.
    fn find_missing(
        &mut self,
        name: &Name,
        timing: &Timing,
        now: Instant,
        findings: &mut Vec<Finding>,
    ) {
        let probed = self.reason == Reason::Probed;
        let suspect_at = self.suspect_at(timing);
        let suspected = suspect_at.is_some_and(|at| at <= now);
        let again = if probed || suspected { timing.probe_again_late } else { timing.probe_again };
        let turns = suspect_at.filter(|at| *at > now);
        self.probe_at = turns.map_or(now + again, |at| at.min(now + again));
        if suspected {
            findings.push(Finding::Suspect(self.silence(name, timing, now)));
        }
        if probed && now + timing.probe_others < self.deadline(timing) {
            findings.push(Finding::Unanswered(name.clone(), self.incarnation));
            return;
        }
        findings.push(Finding::Missing(Missing {
            name: name.clone(),
            incarnation: self.incarnation,
            round: self.round,
            missed_at: self.missed_at(timing),
        }));
        self.round = self.round.saturating_add(1);
    }

    fn silence(&self, name: &Name, timing: &Timing, now: Instant) -> Silence {
        Silence {
            name: name.clone(),
            incarnation: self.incarnation,
            silent_ms: millis(now.since(self.evidence())),
            newest_sent: self.newest_sent,
            missed_at: self.missed_at(timing),
            ever_heard: self.newest.is_some(),
        }
    }
}

/// All watches of a member.
#[derive(Debug, Clone)]
pub(super) struct Watches {
    timing: Timing,
    watches: BTreeMap<Name, Watch>,
}

impl Watches {
    /// Starts without a watch.
    pub(super) fn new(timing: Timing) -> Self {
        Watches { timing, watches: BTreeMap::new() }
    }

    /// Sets the targets. The clock of a new target starts now. A target that the ring no longer
    /// assigns is watched on for the timing's patience, so that somebody watches it at every
    /// moment. A target that is no longer `up` is dropped at once.
    pub(super) fn watch(
        &mut self,
        targets: impl IntoIterator<Item = (Name, Target)>,
        still_up: impl Fn(&Name, Incarnation) -> bool,
        now: Instant,
    ) {
        let linger = now + self.timing.patience;
        for watch in self.watches.values_mut().filter(|watch| watch.reason == Reason::Target) {
            watch.reason = Reason::Former { until: linger };
        }
        for (name, target) in targets {
            match self.watches.get_mut(&name) {
                Some(watch) if watch.incarnation == target.incarnation => {
                    watch.reason = Reason::Target;
                }
                _ => {
                    let watch = self.new_watch(target, Reason::Target, now);
                    self.watches.insert(name, watch);
                }
            }
        }
        self.watches.retain(|name, watch| still_up(name, watch.incarnation));
    }

    /// Probes unwatched members. Each is asked for a heartbeat from now on, and counts as silent at
    /// the deadline without one. There is one round of probes at a time.
    pub(super) fn probe<'a>(
        &mut self,
        members: impl IntoIterator<Item = (&'a Name, Incarnation)>,
        now: Instant,
    ) {
        if self.watches.values().any(|watch| watch.reason == Reason::Probed && !watch.declared) {
            return;
        }
        for (name, incarnation) in members {
            if !self.watches.contains_key(name) {
                let target = Target { incarnation, newcomer: false };
                let watch = Watch { probe_at: now, ..self.new_watch(target, Reason::Probed, now) };
                self.watches.insert(name.clone(), watch);
            }
        }
    }

    fn new_watch(&self, target: Target, reason: Reason, now: Instant) -> Watch {
        let mut watch = Watch {
            incarnation: target.incarnation,
            newcomer: target.newcomer,
            clock: PeerClock::default(),
            since: now,
            newest: None,
            newest_sent: None,
            not_before: now,
            probe_at: now,
            round: 0,
            reason,
            declared: false,
        };
        watch.not_before = now + watch.patience(&self.timing);
        watch.probe_at = watch.asked_at(&self.timing);
        watch
    }

    /// Takes a datagram that came directly from a member.
    pub(super) fn heard(&mut self, name: &Name, incarnation: Incarnation, sent: SentAt, now: Now) {
        let Some(watch) =
            self.watches.get_mut(name).filter(|watch| watch.incarnation == incarnation)
        else {
            return;
        };
        let local = watch.clock.observe(now, sent);
        // Others may have said what cannot be.
        let known = watch.newest_sent.filter(|known| !watch.clock.is_ahead(now.mono, *known));
        watch.newest_sent = known.max(Some(sent.mono));
        self.note(name, local);
    }

    /// Takes a member's report about the delay of our datagrams.
    pub(super) fn on_reported_delay(&mut self, name: &Name, delay: i64) {
        if let Some(watch) = self.watches.get_mut(name) {
            watch.clock.on_reported_delay(delay);
        }
    }

    /// Takes another monitor's report: the newest send time by the member's own clock, and how long
    /// ago that was, if that is known. It can only make a deadline later. A report that is not
    /// newer by the member's own clock is not evidence. Otherwise two monitors could keep a dead
    /// member alive, because each answer's latency would make it seem younger.
    pub(super) fn hearsay(
        &mut self,
        name: &Name,
        incarnation: Incarnation,
        sent: u64,
        age: Option<Duration>,
        now: Instant,
    ) {
        let Some(watch) =
            self.watches.get_mut(name).filter(|watch| watch.incarnation == incarnation)
        else {
            return;
        };
        if watch.newest_sent >= Some(sent) || watch.clock.is_ahead(now, sent) {
            return;
        }
        let local = watch.clock.to_local(now, sent).or_else(|| Some(now - age?));
        let Some(local) = local.filter(|local| watch.newest.is_none_or(|newest| *local > newest))
        else {
            return;
        };
        watch.newest_sent = Some(sent);
        self.note(name, local);
    }

    /// Only the newest counts, so duplicates, replays and reordering have no effect. A heartbeat
    /// ends the watch of a probed member.
    fn note(&mut self, name: &Name, sent: Instant) {
        let Some(watch) = self
            .watches
            .get_mut(name)
            .filter(|watch| watch.newest.is_none_or(|newest| sent > newest))
        else {
            return;
        };
        watch.newest = Some(sent);
        watch.declared = false;
        watch.round = 0;
        watch.probe_at = watch.asked_at(&self.timing);
        if watch.reason == Reason::Probed && sent > watch.since {
            self.watches.remove(name);
        }
    }

    /// The newest send time known of a member by its own clock, and its age: the answer to a probe.
    pub(super) fn newest(
        &self,
        name: &Name,
        incarnation: Incarnation,
        now: Instant,
    ) -> Option<(u64, Duration)> {
        let watch = self.watches.get(name).filter(|watch| watch.incarnation == incarnation)?;
        Some((watch.newest_sent?, now.since(watch.newest?)))
    }

    /// How long ago it was this moment of a watched member's clock, if the member was heard.
    pub(super) fn age_of(
        &self,
        name: &Name,
        incarnation: Incarnation,
        sent: u64,
        now: Instant,
    ) -> Option<Duration> {
        let watch = self.watches.get(name).filter(|watch| watch.incarnation == incarnation)?;
        Some(now.since(watch.clock.to_local(now, sent)?))
    }

    /// What a monitor that asks about a member is to know: that it is gone, or has another
    /// incarnation, or else the newest evidence, if that was sent after `after`.
    pub(super) fn known(
        &self,
        name: &Name,
        incarnation: Incarnation,
        after: Option<u64>,
        members: &Members,
        now: Instant,
    ) -> Option<Body> {
        let entry = members.get(name)?;
        if entry.identity.incarnation > incarnation || !entry.is_alive_to_others() {
            return Some(Body::Updates(vec![entry.to_update()]));
        }
        let newest = self.newest(name, incarnation, now);
        let (sent, age) = newest.filter(|(sent, _)| Some(*sent) > after)?;
        let (name, age) = (name.clone(), millis(age));
        Some(Body::ProbeReply { name, incarnation, sent, age })
    }

    /// Whether a watched member cannot have sent anything at this moment of its clock yet.
    pub(super) fn is_ahead(&self, name: &Name, sent: u64, now: Instant) -> bool {
        self.watches.get(name).is_some_and(|watch| watch.clock.is_ahead(now, sent))
    }

    /// Looks again for a member whose deadline has passed, until another one.
    pub(super) fn watch_again(&mut self, name: &Name, until: Instant, now: Instant) {
        if let Some(watch) = self.watches.get_mut(name) {
            watch.declared = false;
            watch.not_before = until.max(watch.not_before);
            watch.probe_at = now;
        }
    }

    /// Whether evidence of a watched member is missing.
    pub(super) fn is_missing(&self, name: &Name, now: Instant) -> bool {
        self.watches.get(name).is_some_and(|watch| watch.asked_at(&self.timing) <= now)
    }

    /// Whether this watch has heard this incarnation of the member.
    pub(super) fn has_heard(&self, name: &Name, incarnation: Incarnation) -> bool {
        self.watches
            .get(name)
            .is_some_and(|watch| watch.incarnation == incarnation && watch.clock.delay().is_some())
    }

    /// The estimate of a watched member's clock.
    pub(super) fn clock(&self, name: &Name) -> Option<&PeerClock> {
        self.watches.get(name).map(|watch| &watch.clock)
    }

    /// How long ago the newest known heartbeat of a watched member was sent.
    pub(super) fn age(&self, name: &Name, now: Instant) -> Option<Duration> {
        Some(now.since(self.watches.get(name)?.newest?))
    }

    /// All watched members, including the lingering ones.
    pub(super) fn watched(&self) -> impl Iterator<Item = &Name> {
        self.watches.keys()
    }

    /// Moves every deadline by a stall of this machine. After a stall longer than the patience, all
    /// watches start again.
    pub(super) fn forgive(&mut self, stall: Duration, now: Instant) {
        for watch in self.watches.values_mut() {
            let moved = watch.deadline(&self.timing) + stall;
            watch.not_before = moved.min(now + self.timing.patience).max(watch.not_before);
        }
    }

    /// Returns the members whose silence has a meaning now. A silent member is found once.
    pub(super) fn poll(&mut self, now: Instant) -> Vec<Finding> {
        let timing = self.timing;
        let mut findings = Vec::new();
        self.watches.retain(|_, watch| match watch.reason {
            Reason::Former { until } => now < until,
            Reason::Target => true,
            Reason::Probed => !watch.declared,
        });
        for (name, watch) in self.watches.iter_mut().filter(|(_, watch)| !watch.declared) {
            if watch.deadline(&timing) <= now {
                watch.declared = true;
                findings.push(Finding::Silent(watch.silence(name, &timing, now)));
            } else if watch.probe_at <= now {
                watch.find_missing(name, &timing, now, &mut findings);
            }
        }
        findings
    }

    /// The next moment at which [`Watches::poll`] may find something.
    pub(super) fn poll_at(&self) -> Option<Instant> {
        self.watches
            .values()
            .flat_map(|watch| {
                let found =
                    (!watch.declared).then(|| watch.deadline(&self.timing).min(watch.probe_at));
                let ends = match watch.reason {
                    Reason::Former { until } => Some(until),
                    Reason::Target | Reason::Probed => None,
                };
                found.into_iter().chain(ends)
            })
            .min()
    }
}
