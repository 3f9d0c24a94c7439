//! Anti-entropy: neighbours whose lists differ exchange the differences. It owns the data about the
//! lists of others.

pub(crate) mod digest;
pub(crate) mod summary;

use super::send_updates;
use crate::calls::CallPurpose;
use crate::context::Context;
use crate::identity::Name;
use crate::list::{Entry, List, MemberState, Update};
use crate::members::Members;
use crate::message::{Body, pack};
use crate::time::Instant;
use crate::wire::CallRequest;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use summary::{Summary, bucket};

/// For this long after a change, travelling updates explain a difference.
const BROADCAST_TAKES: Duration = Duration::from_millis(200);

/// The longest pause between two comparisons with the same member. It is half an interval, but
/// SWIM's exchanges are rarer than repairs may be.
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

/// If a difference needs more datagrams than this, the members exchange whole lists over TCP.
const MAX_DATAGRAMS: usize = 8;

/// The most peers whose agreement is remembered.
const MAX_PEERS: usize = 64;

/// The data about the lists of others.
#[derive(Debug, Default)]
pub(crate) struct AntiEntropy {
    peers: BTreeMap<Name, Peer>,
}

#[derive(Debug, Default)]
struct Peer {
    /// The number of consecutive heartbeats whose hash differed.
    differed: u32,
    compared_at: Option<Instant>,
}

impl AntiEntropy {
    /// Whether a peer's list was the same at its last heartbeat.
    pub(crate) fn agrees(&self, name: &Name) -> bool {
        self.peers.get(name).is_some_and(|peer| peer.differed == 0)
    }

    /// Takes the hash of another member's list. It examines a difference that travelling updates do
    /// not explain.
    pub(crate) fn compare(
        &mut self,
        name: &Name,
        address: SocketAddr,
        hash: u32,
        members: &Members,
        context: &mut Context,
    ) {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(name) {
            self.peers.clear();
        }
        let now = context.now.mono;
        let pause = (context.group().interval() / 2).min(LONGEST_PAUSE);
        let quiet = now.since(members.last_change()) >= BROADCAST_TAKES;
        let peer = self.peers.entry(name.clone()).or_default();
        if hash == members.digest().hash {
            peer.differed = 0;
            return;
        }
        peer.differed = peer.differed.saturating_add(1);
        let lately = peer.compared_at.is_some_and(|at| now.since(at) < pause);
        if !lately && (quiet || peer.differed >= 2) {
            peer.compared_at = Some(now);
            context.counters.repairs += 1;
            context.send(address, Body::Summary(Summary::of(members)));
        }
    }
}

/// Answers the summary of another member's list, with the entries in the buckets that differ, or
/// with an exchange of whole lists.
pub(crate) fn answer_summary(
    theirs: &Summary,
    to: SocketAddr,
    members: &Members,
    context: &mut Context,
) {
    let buckets = theirs.buckets.len();
    let differing = Summary::with_buckets(members, buckets).differing(theirs);
    let differs = |update: &Update| {
        differing.get(bucket(&update.identity, buckets)).copied().unwrap_or(false)
    };
    let updates: Vec<Update> = certain(members).filter(differs).collect();
    if pack(&updates, None).len() <= MAX_DATAGRAMS {
        send_updates(&[to], &updates, context);
    } else if !context.outputs.calls.any(CallPurpose::Exchange) {
        let sender = context.local.introduction();
        let request = CallRequest::Exchange { sender, list: whole_list(members) };
        context.call(to, &request, CallPurpose::Exchange);
    }
}

/// Whether the sender of an exchange is alive here, so that its list is merged.
pub(crate) fn accepts(sender: &Update, list: &List) -> bool {
    let known = list
        .get(&sender.identity.name)
        .is_some_and(|entry| entry.identity == sender.identity && entry.is_alive_to_others());
    known && sender.claim == crate::list::Claim::Alive
}

/// All entries that are certain.
pub(crate) fn whole_list(list: &List) -> Vec<Update> {
    certain(list).collect()
}

/// Doubted members are left out, because their entries would say that they are alive.
fn certain(list: &List) -> impl Iterator<Item = Update> {
    let is_certain = |entry: &&Arc<Entry>| !matches!(entry.state, MemberState::Doubted(_));
    list.iter().filter(is_certain).map(|entry| entry.to_update())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::list::{Claim, FailureEvidence};
    use crate::testing::{Fixture, address, identity, list, name, update};

    #[test]
    fn a_difference_in_a_quiet_time_is_looked_into_once_a_pause() {
        let mut fixture = Fixture::new(3);
        let mut anti_entropy = AntiEntropy::default();
        fixture.pass(1_000);
        for _ in 0..3 {
            let (members, context) = (&fixture.members, &mut fixture.context);
            anti_entropy.compare(&name(1), address(1), 7, members, context);
        }
        let sent = fixture.sent();
        assert_eq!(sent.len(), 1);
        assert!(matches!(sent[0], (to, Body::Summary(_)) if to == address(1)));
        assert!(!anti_entropy.agrees(&name(1)));
    }

    #[test]
    fn one_difference_just_after_a_change_is_explained_by_it() {
        let mut fixture = Fixture::new(3);
        let mut anti_entropy = AntiEntropy::default();
        fixture.members.merge(update(9), &mut fixture.context);
        let (members, context) = (&fixture.members, &mut fixture.context);
        anti_entropy.compare(&name(1), address(1), 7, members, context);
        assert_eq!(fixture.sent(), []);
        let (members, context) = (&fixture.members, &mut fixture.context);
        anti_entropy.compare(&name(1), address(1), 7, members, context);
        assert_eq!(fixture.sent().len(), 1);
    }

    #[test]
    fn an_equal_hash_is_agreement() {
        let mut fixture = Fixture::new(3);
        let mut anti_entropy = AntiEntropy::default();
        let hash = fixture.members.digest().hash;
        let (members, context) = (&fixture.members, &mut fixture.context);
        anti_entropy.compare(&name(1), address(1), hash, members, context);
        assert!(anti_entropy.agrees(&name(1)));
        assert!(!anti_entropy.agrees(&name(2)));
    }

    #[test]
    fn a_small_difference_is_answered_with_updates() {
        let mut fixture = Fixture::new(5);
        let theirs = Summary::with_buckets(&list(4), 8);
        answer_summary(&theirs, address(1), &fixture.members, &mut fixture.context);
        let sent = fixture.sent();
        assert_eq!(sent.len(), 1);
        assert!(sent[0].1.updates().contains(&update(4)));
    }

    #[test]
    fn a_large_difference_is_answered_with_one_call_at_a_time() {
        let mut fixture = Fixture::new(250);
        let theirs = Summary { buckets: vec![0] };
        for _ in 0..2 {
            answer_summary(&theirs, address(1), &fixture.members, &mut fixture.context);
        }
        assert_eq!(fixture.sent(), []);
        assert!(fixture.context.outputs.calls.poll().is_some());
        assert_eq!(fixture.context.outputs.calls.poll(), None);
    }

    #[test]
    fn doubted_members_are_left_out_and_the_gone_are_not_accepted() {
        let mut fixture = Fixture::new(3);
        let evidence = FailureEvidence { detected_by: name(0), silent_ms: 1_750 };
        fixture.members.doubt(&name(1), evidence.clone(), &mut fixture.context);
        assert_eq!(whole_list(&fixture.members).len(), 2);
        assert!(accepts(&update(2), &fixture.members));
        let failed = Update::new(identity(2), Claim::Failed(evidence));
        assert!(!accepts(&failed, &fixture.members));
        fixture.members.merge(failed, &mut fixture.context);
        assert!(!accepts(&update(2), &fixture.members));
    }
}
