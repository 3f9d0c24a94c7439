//! Reports the state of a node. It owns the counters.

use super::{Node, Phase};
use crate::detector::peer_clock::PeerClock;
use crate::identity::{Identity, Incarnation, Name};
use crate::list::List;
use crate::list::tags::Tags;
use crate::settings::GroupSettings;
use crate::time::Instant;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// Where a node is on its way into the group and out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhaseName {
    /// Not in the group.
    Out,
    /// It is joining.
    Joining,
    /// In the group.
    Member,
    /// It is leaving.
    Leaving,
}

impl PhaseName {
    /// The phase as one word.
    pub fn as_str(self) -> &'static str {
        match self {
            PhaseName::Out => "out",
            PhaseName::Joining => "joining",
            PhaseName::Member => "member",
            PhaseName::Leaving => "leaving",
        }
    }
}

/// The counters of a node since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Bytes of their payload.
    pub bytes_sent: u64,
    /// Datagrams received and understood.
    pub datagrams_received: u64,
    /// Bytes of their payload.
    pub bytes_received: u64,
    /// Datagrams that were not messages.
    pub refused: u64,
    /// Updates with an incarnation that is implausibly far ahead.
    pub implausible: u64,
    /// Members that others reported alive, and that did not answer. The list never had them.
    pub unconfirmed: u64,
    /// Times that other monitors were asked about a missing heartbeat.
    pub probe_rounds: u64,
    /// Pings sent.
    pub pings: u64,
    /// Pings acknowledged.
    pub acks: u64,
    /// How many members were asked to ping a silent one.
    pub indirect_pings: u64,
    /// Members that this one suspected.
    pub suspicions: u64,
    /// How often this member refuted that it is suspected.
    pub refutations: u64,
    /// Members that this one declared failed.
    pub accusations: u64,
    /// How many times another member's list differed.
    pub repairs: u64,
    /// How many times this daemon did not run for longer than [`super::STALL`].
    pub stalls: u64,
}

impl Counters {
    pub(crate) fn count_sent(&mut self, bytes: usize) {
        self.datagrams_sent += 1;
        self.bytes_sent += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    pub(crate) fn count_received(&mut self, bytes: usize) {
        self.datagrams_received += 1;
        self.bytes_received += u64::try_from(bytes).unwrap_or(u64::MAX);
    }

    /// All counters with their names, ordered by name.
    pub fn named(&self) -> [(&'static str, u64); 16] {
        [
            ("accusations", self.accusations),
            ("acks", self.acks),
            ("bytes_received", self.bytes_received),
            ("bytes_sent", self.bytes_sent),
            ("datagrams_received", self.datagrams_received),
            ("datagrams_refused", self.refused),
            ("datagrams_sent", self.datagrams_sent),
            ("implausible", self.implausible),
            ("indirect_pings", self.indirect_pings),
            ("pings", self.pings),
            ("probe_rounds", self.probe_rounds),
            ("refutations", self.refutations),
            ("repairs", self.repairs),
            ("stalls", self.stalls),
            ("suspicions", self.suspicions),
            ("unconfirmed", self.unconfirmed),
        ]
    }
}

/// A member that exchanges heartbeats with this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// The member's identity.
    pub member: Identity,
    /// How long ago the newest known heartbeat was sent; `None` before the first.
    pub heartbeat_age: Option<Duration>,
    /// How many milliseconds its wall clock is ahead of ours, if known.
    pub clock_offset: Option<i64>,
    /// Whether its wall clock disagrees with ours.
    pub clock_disagrees: bool,
    /// Whether its list was the same at its last heartbeat.
    pub agrees: bool,
    /// Whether this node watches it.
    pub watched: bool,
    /// Whether it watches this node.
    pub watches: bool,
    /// The smallest recent delay of its datagrams, in milliseconds, if known.
    pub smallest_delay: Option<u64>,
}

impl Node {
    /// The list.
    pub fn list(&self) -> &List {
        &self.members
    }

    /// For which incarnation a datagram to this address is meant, as far as it is known: that in
    /// the list, or of somebody who is asked there whether it is a member.
    pub fn incarnation_at(&self, address: SocketAddr) -> Option<Incarnation> {
        let entry = self.members.at(address);
        let listed = entry.map(|entry| entry.identity.incarnation);
        match entry {
            Some(entry) if entry.is_alive_to_others() => listed,
            _ => self.candidates.incarnation_at(address).max(listed),
        }
    }

    /// This node's name.
    pub fn name(&self) -> &Name {
        &self.context.local.name
    }

    /// This node's address.
    pub fn address(&self) -> SocketAddr {
        self.context.local.address
    }

    /// This node's identity while it is in the group.
    pub fn member(&self) -> Option<Identity> {
        self.in_group().then(|| self.context.local.identity())
    }

    /// Where it is on its way into the group and out of it.
    pub fn phase(&self) -> PhaseName {
        match self.phase {
            Phase::Out => PhaseName::Out,
            Phase::Joining(_) | Phase::Activating { .. } => PhaseName::Joining,
            Phase::Member => PhaseName::Member,
            Phase::Leaving(_) => PhaseName::Leaving,
        }
    }

    /// The settings that it shares with its group.
    pub fn group_settings(&self) -> GroupSettings {
        self.context.settings.group.clone()
    }

    /// Whether it watches this member.
    pub fn watches(&self, name: &Name) -> bool {
        self.detector.clock(name).is_some()
    }

    /// The tags of this member.
    pub fn tags(&self) -> Tags {
        self.context.local.tags()
    }

    /// The member that suspects this one, which is alive in every list meanwhile.
    pub fn suspected_by(&self, name: &Name) -> Option<&Name> {
        self.suspicions.suspected_by(name)
    }

    /// Its counters.
    pub fn counters(&self) -> Counters {
        self.context.counters
    }

    /// The members that it watches, or that watch it.
    pub fn neighbours(&self, now: Instant) -> Vec<Neighbour> {
        let monitors = self.detector.monitors();
        let names: BTreeSet<&Name> = monitors.iter().chain(self.detector.watched()).collect();
        let entries = names.into_iter().filter_map(|name| self.members.get(name));
        entries
            .map(|entry| {
                let name = &entry.identity.name;
                let clock = self.detector.clock(name);
                Neighbour {
                    member: entry.identity.clone(),
                    heartbeat_age: self.detector.age(name, now),
                    clock_offset: clock.and_then(PeerClock::offset),
                    clock_disagrees: self.detector.is_skewed(name),
                    agrees: self.anti_entropy.agrees(name),
                    watched: clock.is_some(),
                    watches: monitors.contains(name),
                    smallest_delay: clock.and_then(PeerClock::smallest_delay),
                }
            })
            .collect()
    }
}
