//! Failure detection by heartbeats: when each watched member's newest known heartbeat was sent, and
//! what silence then means.
//!
//! The interface is small so that another detector can stand beside this one: targets in, evidence
//! in, findings out, and the moment at which it wants to be asked again.

use crate::detector::peer_clock::{PeerClock, SentAt};
use crate::identity::{Incarnation, Name};
use crate::settings::GroupSettings;
use crate::time::{Instant, Now, millis};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a monitor asks again while the heartbeat is still missing. Six rounds fit before
/// `failure_timeout`, so that a live member is found in spite of 30 % loss, and heartbeats
/// themselves can be fewer.
pub(crate) const ASK_AGAIN: Duration = Duration::from_millis(175);

/// For so long before its deadline a sounded member's other monitors are asked as well: most have
/// answered for themselves by then, and one bad link accuses nobody.
const ASK_OTHERS: Duration = Duration::from_millis(525);

/// A member to watch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Whether it has just come into the list: then its first heartbeat comes about as soon as the
    /// news of it, or it never was.
    pub newcomer: bool,
}

/// What the detector found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    /// A heartbeat is missing: the member itself and its other monitors are to be asked.
    Missing(Name, Incarnation),
    /// A sounded member has not answered: it is to be asked itself.
    Unanswered(Name, Incarnation),
    /// The deadline has passed.
    Silent {
        /// The member.
        name: Name,
        /// Its incarnation.
        incarnation: Incarnation,
        /// How long ago its newest known heartbeat was sent, in milliseconds.
        silent_for: u64,
        /// When the first heartbeat was missed: proof that this machine can hear must be newer.
        suspected: Instant,
        /// Whether anything was heard of it at all since the watch began.
        ever_heard: bool,
    },
}

/// Why a member is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// The ring says so.
    Target,
    /// The ring did say so: until the new monitor can have heard it.
    Former { until: Instant },
    /// The members between may all be gone: it is asked for a sign of life, which ends this watch.
    Sounded,
}

/// One member under watch.
#[derive(Debug, Clone)]
struct Watch {
    incarnation: Incarnation,
    newcomer: bool,
    clock: PeerClock,
    /// When the watch began.
    since: Instant,
    /// The newest send time known, by our clock.
    newest: Option<Instant>,
    /// The same by the member's own clock, to be told to others.
    newest_sent: Option<u64>,
    /// It may not be declared before this moment, whatever is known.
    not_before: Instant,
    /// When to ask about it next.
    ask_at: Instant,
    reason: Reason,
    declared: bool,
}

impl Watch {
    fn evidence(&self) -> Instant {
        self.newest.unwrap_or(self.since)
    }

    /// A newcomer that was never heard has an interval less, and so as long as one whose last
    /// heartbeat came an interval before it stopped.
    fn patience(&self, settings: &GroupSettings) -> Duration {
        if self.newcomer && self.newest.is_none() {
            settings.failure_timeout.saturating_sub(settings.heartbeat_interval)
        } else {
            settings.failure_timeout
        }
    }

    fn deadline(&self, settings: &GroupSettings) -> Instant {
        (self.evidence() + self.patience(settings)).max(self.not_before)
    }

    /// When the first heartbeat after the newest is missed: an interval, and a fifth of one for
    /// jitter. A newcomer's is due at once.
    fn missed_at(&self, settings: &GroupSettings) -> Instant {
        let due = if self.newcomer && self.newest.is_none() {
            ASK_AGAIN
        } else {
            settings.heartbeat_interval.mul_f64(1.2)
        };
        self.evidence() + due
    }
}

/// The watch over a member's targets.
#[derive(Debug, Clone)]
pub(crate) struct Detector {
    settings: GroupSettings,
    watches: BTreeMap<Name, Watch>,
}

impl Detector {
    /// A detector that watches nobody.
    pub(crate) fn new(settings: GroupSettings) -> Self {
        Detector { settings, watches: BTreeMap::new() }
    }

    /// Sets whom to watch. The clock of a new target starts now; a target that is not watched any
    /// more because the ring moved is watched on for a `failure_timeout`, so that no moment is
    /// nobody's; one that is not `up` any more is dropped at once.
    pub(crate) fn watch<'a>(
        &mut self,
        targets: impl IntoIterator<Item = (&'a Name, Target)>,
        still_up: impl Fn(&Name, Incarnation) -> bool,
        now: Instant,
    ) {
        let linger = now + self.settings.failure_timeout;
        for watch in self.watches.values_mut().filter(|watch| watch.reason == Reason::Target) {
            watch.reason = Reason::Former { until: linger };
        }
        for (name, target) in targets {
            match self.watches.get_mut(name) {
                Some(watch) if watch.incarnation == target.incarnation => {
                    watch.reason = Reason::Target;
                }
                _ => {
                    self.watches.insert(name.clone(), self.new_watch(target, Reason::Target, now));
                }
            }
        }
        self.watches.retain(|name, watch| still_up(name, watch.incarnation));
    }

    /// Sounds members that are not watched: each is asked for a sign of life from now on, and is
    /// silent at the deadline if none came. One sounding at a time.
    pub(crate) fn sound<'a>(
        &mut self,
        members: impl IntoIterator<Item = (&'a Name, Incarnation)>,
        now: Instant,
    ) {
        if self.watches.values().any(|watch| watch.reason == Reason::Sounded && !watch.declared) {
            return;
        }
        for (name, incarnation) in members {
            if !self.watches.contains_key(name) {
                let target = Target { incarnation, newcomer: false };
                let watch = Watch { ask_at: now, ..self.new_watch(target, Reason::Sounded, now) };
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
            ask_at: now,
            reason,
            declared: false,
        };
        watch.not_before = now + watch.patience(&self.settings);
        watch.ask_at = watch.missed_at(&self.settings);
        watch
    }

    /// Takes in a datagram that came straight from a member.
    pub(crate) fn heard(&mut self, name: &Name, incarnation: Incarnation, sent: SentAt, now: Now) {
        let Some(watch) =
            self.watches.get_mut(name).filter(|watch| watch.incarnation == incarnation)
        else {
            return;
        };
        let local = watch.clock.observe(now, sent);
        watch.newest_sent = watch.newest_sent.max(Some(sent.mono));
        self.note(name, local);
    }

    /// Takes in what a member says of the delay of our datagrams to it.
    pub(crate) fn told_delay(&mut self, name: &Name, delay: i64) {
        if let Some(watch) = self.watches.get_mut(name) {
            watch.clock.told(delay);
        }
    }

    /// Takes in what another monitor knows: the newest send time by the member's own clock, and its
    /// age there. It can move a deadline, never bring it nearer. What is not newer by the member's
    /// own clock is no news: else two monitors that ask each other would keep a dead member alive,
    /// younger by the answer's latency each time.
    pub(crate) fn hearsay(
        &mut self,
        name: &Name,
        incarnation: Incarnation,
        sent: u64,
        age: Duration,
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
        let local = watch.clock.to_local(now, sent).unwrap_or(now - age);
        watch.newest_sent = Some(sent);
        self.note(name, local);
    }

    /// Only the newest counts, so duplicates, replays and reordering do nothing. A sounded member
    /// that gave a sign of life is done with.
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
        watch.ask_at = watch.missed_at(&self.settings);
        if watch.reason == Reason::Sounded && sent > watch.since {
            self.watches.remove(name);
        }
    }

    /// The newest send time known of a member by its own clock, and its age: what an asking monitor
    /// is told.
    pub(crate) fn newest(
        &self,
        name: &Name,
        incarnation: Incarnation,
        now: Instant,
    ) -> Option<(u64, Duration)> {
        let watch = self.watches.get(name).filter(|watch| watch.incarnation == incarnation)?;
        Some((watch.newest_sent?, now.since(watch.newest?)))
    }

    /// Whether this incarnation of the member has been heard by this watch.
    pub(crate) fn has_heard(&self, name: &Name, incarnation: Incarnation) -> bool {
        self.watches
            .get(name)
            .is_some_and(|watch| watch.incarnation == incarnation && watch.clock.delay().is_some())
    }

    /// What is known of a watched member's clock.
    pub(crate) fn clock(&self, name: &Name) -> Option<&PeerClock> {
        self.watches.get(name).map(|watch| &watch.clock)
    }

    /// How long ago the newest known heartbeat of a watched member was sent.
    pub(crate) fn age(&self, name: &Name, now: Instant) -> Option<Duration> {
        Some(now.since(self.watches.get(name)?.newest?))
    }

    /// Everyone under watch, the lingering included.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &Name> {
        self.watches.keys()
    }

    /// This machine was stalled: every deadline moves by the stall. After one longer than
    /// `failure_timeout` all start anew.
    pub(crate) fn forgive(&mut self, stall: Duration, now: Instant) {
        for watch in self.watches.values_mut() {
            let moved = watch.deadline(&self.settings) + stall;
            watch.not_before = moved.min(now + self.settings.failure_timeout).max(watch.not_before);
        }
    }

    /// What silence means by now. A silent member is found once.
    pub(crate) fn poll(&mut self, now: Instant) -> Vec<Finding> {
        let settings = self.settings;
        let mut findings = Vec::new();
        self.watches.retain(|_, watch| match watch.reason {
            Reason::Former { until } => now < until,
            Reason::Target => true,
            Reason::Sounded => !watch.declared,
        });
        for (name, watch) in self.watches.iter_mut().filter(|(_, watch)| !watch.declared) {
            if watch.deadline(&settings) <= now {
                watch.declared = true;
                findings.push(Finding::Silent {
                    name: name.clone(),
                    incarnation: watch.incarnation,
                    silent_for: millis(now.since(watch.evidence())),
                    suspected: watch.missed_at(&settings),
                    ever_heard: watch.newest.is_some(),
                });
            } else if watch.ask_at <= now {
                watch.ask_at = now + ASK_AGAIN;
                let alone =
                    watch.reason == Reason::Sounded && now + ASK_OTHERS < watch.deadline(&settings);
                let finding = if alone { Finding::Unanswered } else { Finding::Missing };
                findings.push(finding(name.clone(), watch.incarnation));
            }
        }
        findings
    }

    /// When [`Detector::poll`] may next find something.
    pub(crate) fn poll_at(&self) -> Option<Instant> {
        self.watches
            .values()
            .flat_map(|watch| {
                let found =
                    (!watch.declared).then(|| watch.deadline(&self.settings).min(watch.ask_at));
                let ends = match watch.reason {
                    Reason::Former { until } => Some(until),
                    Reason::Target | Reason::Sounded => None,
                };
                found.into_iter().chain(ends)
            })
            .min()
    }
}
