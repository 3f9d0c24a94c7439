//! Follows who is in the agreed view, who of them is up, and who leads. It owns no state.

use super::without::Without;
use crate::agreement::{Handle, Shown};
use crate::files::members::{Peers, Standing};
use memberd_jobs::{MemberId, MemberState, Name};
use memberd_transport::Caller;
use tokio::sync::watch;

/// Who leads the jobs: the elected leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lead {
    /// The term of its election.
    pub(super) term: u32,
    /// Who.
    pub(super) name: Name,
    /// Whether it was elected in its present process. One that was started anew in the meantime has
    /// the view of its last one still.
    pub(super) is_sure: bool,
}

/// The group, as this member sees it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Group {
    /// This member. None before it has joined.
    pub(super) own: Option<MemberId>,
    /// The members of the agreed view.
    pub(super) members: Vec<MemberState>,
    /// Who leads.
    pub(super) lead: Option<Lead>,
}

/// Passes on the group whenever it changes, until nobody looks any more, or the membership or the
/// agreement ends.
pub(super) async fn follow(
    own: Name,
    agreement: Handle,
    mut peers: watch::Receiver<Peers>,
    groups: watch::Sender<Group>,
    caller: Caller,
) {
    let mut shown = agreement.shown().clone();
    let mut without = Without::default();
    loop {
        let listed = Peers::clone(&peers.borrow_and_update());
        let group = group(&own, &shown.borrow_and_update(), &listed, &without);
        without.ask(&own, &group, &listed, &caller);
        groups.send_if_modified(|old| {
            let differs = *old != group;
            if differs {
                *old = group;
            }
            differs
        });
        tokio::select! {
            changed = shown.changed() => if changed.is_err() { return },
            changed = peers.changed() => if changed.is_err() { return },
            () = groups.closed() => return,
            () = without.changed() => {}
        }
    }
}

/// A member is up if the list says so of the stay that the view has.
fn group(own: &Name, shown: &Shown, peers: &Peers, without: &Without) -> Group {
    let id = |name: &Name, incarnation| MemberId { name: name.clone(), incarnation };
    let members = shown.view.members.iter().map(|member| {
        let listed = peers.get(&member.name);
        let is_alive = listed.is_some_and(|peer| {
            peer.standing == Standing::Up && peer.incarnation == member.incarnation
        });
        MemberState {
            member: id(&member.name, member.incarnation),
            is_alive,
            has_jobs: !without.has_none(&member.name, member.incarnation),
            tags: listed.map(|peer| peer.tags.clone()).unwrap_or_default(),
        }
    });
    let is_exclusive =
        shown.leader.as_ref().is_some_and(|leader| leader.name == *own) && shown.exclusive;
    let lead = shown.view.leader.as_ref().and_then(|leader| {
        // Epochs have 32 bits. A group has had a billion elections before that matters.
        let term = u32::try_from(shown.view.term.0).ok()?;
        Some(Lead { term, name: leader.name.clone(), is_sure: is_exclusive })
    });
    Group {
        own: peers.get(own).map(|peer| id(own, peer.incarnation)),
        members: members.collect(),
        lead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::members::peer_at;
    use memberd_council::{Term, View, Voter, VoterId};
    use memberd_membership::{Identity, Incarnation};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    fn shown(leader: &str, exclusive: bool) -> Shown {
        let address = "127.0.0.1:1".parse().unwrap();
        let member = |one: &str, incarnation| Identity {
            name: name(one),
            address,
            incarnation: Incarnation(incarnation),
        };
        let leader = Voter { name: name(leader), id: VoterId(7) };
        let mut view = View::genesis(&[name("a"), name("b"), name("c")]);
        view.term = Term(5);
        view.leader = Some(leader.clone());
        view.members = vec![member("a", 1), member("b", 1), member("c", 2)];
        Shown { view: Arc::new(view), leader: Some(leader), exclusive }
    }

    #[test]
    fn who_is_listed_as_up_in_its_present_stay_is_alive() {
        let address = "127.0.0.1:1".parse().unwrap();
        let peers: Peers = Arc::new(BTreeMap::from([
            (name("a"), peer_at(address, Standing::Up)),
            (name("b"), peer_at(address, Standing::Failed)),
            (name("c"), peer_at(address, Standing::Up)),
        ]));
        let group = group(&name("a"), &shown("a", true), &peers, &Without::default());
        let alive: Vec<bool> = group.members.iter().map(|member| member.is_alive).collect();
        assert_eq!(alive, [true, false, false], "c began anew, and the view has the old one");
        assert_eq!(group.own, Some(MemberId { name: name("a"), incarnation: Incarnation(1) }));
        assert_eq!(group.lead, Some(Lead { term: 5, name: name("a"), is_sure: true }));
    }

    #[test]
    fn only_who_holds_its_lease_is_sure_to_lead() {
        let lead = |own: &str, leader: &str, exclusive| {
            let shown = shown(leader, exclusive);
            let group = group(&name(own), &shown, &Arc::default(), &Without::default());
            assert_eq!(group.own, None);
            group.lead.unwrap()
        };
        assert!(!lead("a", "a", false).is_sure);
        assert!(!lead("a", "b", true).is_sure);
        assert_eq!(lead("a", "b", true).name, name("b"));
    }
}
