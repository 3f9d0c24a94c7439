//! Suspicion: asking the other monitors at the first missed heartbeat, declaring at the deadline,
//! and doubting oneself first.

use super::Node;
use crate::detector::heartbeat::Finding;
use crate::gossip::broadcast::Source;
use crate::identity::{Incarnation, Name};
use crate::list::{Claim, Entry, Evidence, Standing};
use crate::message::Body;
use crate::ring;
use crate::time::{Instant, Now, millis};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// How many members, the nearest on the ring, are sounded when one that was never heard is silent
/// past its deadline: more than k are gone at once, and to wait for the ring to move on by k at a
/// time would take a `failure_timeout` for each step.
const SOUNDED: usize = 128;

/// What is needed to doubt.
#[derive(Debug, Default)]
pub(super) struct Suspicions {
    /// The two members heard last, and when: whoever is suspected, one of them is another.
    heard: [Option<(Name, Instant)>; 2],
    /// The members that are doubted, and, once anyone else was heard, when to declare them.
    doubted: BTreeMap<Name, Option<Instant>>,
}

impl Suspicions {
    pub(super) fn any_doubt(&self) -> bool {
        !self.doubted.is_empty()
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.doubted.values().flatten().min().copied()
    }

    pub(super) fn forgive(&mut self, stall: Duration) {
        for declare_at in self.doubted.values_mut().flatten() {
            *declare_at = *declare_at + stall;
        }
    }

    /// A member was heard. Whoever is doubted has a while more: if the fault was this machine's,
    /// they are about to be heard as well.
    fn note_heard(&mut self, name: &Name, declare_at: Instant, now: Instant) {
        let [latest, other] = &mut self.heard;
        if latest.as_ref().is_some_and(|(heard, _)| heard != name) {
            *other = latest.take();
        }
        *latest = Some((name.clone(), now));
        for (doubted, at) in &mut self.doubted {
            if doubted != name {
                at.get_or_insert(declare_at);
            }
        }
    }

    /// Whether anyone but this member was heard after the moment.
    fn heard_another_since(&self, name: &Name, moment: Instant) -> bool {
        self.heard.iter().flatten().any(|(heard, at)| heard != name && *at > moment)
    }
}

impl Node {
    /// Takes in that a member that is up was heard.
    pub(super) fn note_heard(&mut self, name: &Name, now: Now) {
        if self.suspicions.doubted.remove(name).is_some()
            && let Some(change) = self.list.trust(name, now.mono)
        {
            self.changed(&change, now);
        }
        let declare_at = now.mono + self.settings.group.failure_timeout;
        self.suspicions.note_heard(name, declare_at, now.mono);
    }

    /// Judges all that the detector found, and all doubts that have lasted.
    pub(super) fn judge(&mut self, now: Now) {
        let mut gap = false;
        for finding in self.detector.poll(now.mono) {
            match finding {
                Finding::Missing(name, incarnation) => self.ask_about(&name, incarnation, now),
                Finding::Unanswered(name, incarnation) => self.ask(&name, incarnation, now),
                Finding::Silent { name, incarnation, silent_for, suspected, ever_heard } => {
                    let stands = self.list.get(&name).is_some_and(|entry| {
                        entry.is_up() && entry.identity.incarnation == incarnation
                    });
                    if stands {
                        self.accuse(&name, silent_for, suspected, now);
                        gap |= !ever_heard;
                    }
                }
            }
        }
        if gap {
            let nearest = ring::targets(&self.list, &self.name, SOUNDED, Entry::is_up);
            self.detector.sound(
                nearest.iter().map(|entry| (&entry.identity.name, entry.identity.incarnation)),
                now.mono,
            );
        }
        self.declare_lasting_doubts(now);
    }

    /// At a missed heartbeat the member itself and its other monitors are asked; an answer can move
    /// the deadline, silence cannot.
    fn ask_about(&mut self, name: &Name, incarnation: Incarnation, now: Now) {
        let k = usize::from(self.settings.group.max_simultaneous_failures);
        let others: Vec<SocketAddr> = ring::monitors(&self.list, name, k, Entry::is_up)
            .into_iter()
            .map(|entry| entry.identity.address)
            .collect();
        self.counters.suspicions += 1;
        for address in others {
            self.send(address, Body::Ask { name: name.clone(), incarnation }, now);
        }
        self.ask(name, incarnation, now);
    }

    /// Asks a member for a sign of life.
    fn ask(&mut self, name: &Name, incarnation: Incarnation, now: Now) {
        if let Some(entry) =
            self.list.get(name).filter(|entry| entry.identity.incarnation == incarnation)
        {
            let address = entry.identity.address;
            self.send(address, Body::Ask { name: name.clone(), incarnation }, now);
        }
    }

    /// The deadline has passed. Without a sign that this machine can hear at all, the member is
    /// only doubted.
    fn accuse(&mut self, name: &Name, silent_for: u64, suspected: Instant, now: Now) {
        let evidence = Evidence { accuser: self.name.clone(), silent_for };
        let two_of_us = self.list.digest().count <= 2;
        if two_of_us || self.suspicions.heard_another_since(name, suspected) {
            self.declare(name, evidence, now);
        } else if let Some(change) = self.list.doubt(name, evidence, now.mono) {
            self.suspicions.doubted.insert(name.clone(), None);
            self.changed(&change, now);
        }
    }

    fn declare(&mut self, name: &Name, evidence: Evidence, now: Now) {
        if let Some(entry) = self.list.get(name) {
            let update = entry.with_claim(Claim::Failed(evidence));
            self.suspicions.doubted.remove(name);
            self.counters.accusations += 1;
            self.merge(update, Source::FirstHand, now);
        }
    }

    /// Doubts that have lasted although another member was heard meanwhile: those about this
    /// member's own charges are right. The others came from the ring moving on while nobody was
    /// heard; they are other members' charges, and if they are gone, those say so.
    fn declare_lasting_doubts(&mut self, now: Now) {
        let lasting: Vec<Name> = self
            .suspicions
            .doubted
            .iter()
            .filter(|(_, declare_at)| declare_at.is_some_and(|at| at <= now.mono))
            .map(|(name, _)| name.clone())
            .collect();
        if lasting.is_empty() {
            return;
        }
        let k = usize::from(self.settings.group.max_simultaneous_failures);
        let charges: BTreeSet<Name> =
            ring::targets(&self.list, &self.name, k, Entry::is_told_alive)
                .into_iter()
                .map(|entry| entry.identity.name.clone())
                .collect();
        for name in lasting {
            self.suspicions.doubted.remove(&name);
            let standing = self.list.get(&name).map(|entry| entry.standing.clone());
            if let Some(Standing::Doubted(evidence)) = standing {
                if charges.contains(&name) {
                    self.declare(&name, evidence, now);
                } else if let Some(change) = self.list.trust(&name, now.mono) {
                    self.changed(&change, now);
                }
            }
        }
    }

    /// Doubts about members that are not doubted in the list any more (declared by others, back, or
    /// gone) end.
    pub(super) fn drop_settled_doubts(&mut self) {
        let list = &self.list;
        self.suspicions.doubted.retain(|name, _| {
            list.get(name).is_some_and(|entry| matches!(entry.standing, Standing::Doubted(_)))
        });
    }

    /// Another monitor asks about a member: the member itself answers with a heartbeat, whoever
    /// knows its end with that, and its other monitors with the newest send time.
    pub(super) fn answer(
        &mut self,
        name: &Name,
        incarnation: Incarnation,
        to: SocketAddr,
        now: Now,
    ) {
        if *name == self.name {
            if incarnation == self.incarnation {
                let asker = self.list.at(to).map(|entry| entry.identity.name.clone());
                let delay = asker.and_then(|asker| self.detector.clock(&asker)?.delay());
                self.send(
                    to,
                    Body::Heartbeat { hash: self.list.digest().hash, delay, news: Vec::new() },
                    now,
                );
            } else {
                self.send(to, Body::News(vec![self.introduction()]), now);
            }
            return;
        }
        let Some(entry) = self.list.get(name) else { return };
        if entry.identity.incarnation > incarnation || !entry.is_told_alive() {
            let update = entry.to_update();
            self.send(to, Body::News(vec![update]), now);
        } else if let Some((sent, age)) = self.detector.newest(name, incarnation, now.mono) {
            self.send(
                to,
                Body::Answer { name: name.clone(), incarnation, sent, age: millis(age) },
                now,
            );
        }
    }
}
