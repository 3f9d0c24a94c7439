//! Follows the membership's list for files and jobs: where members are, and which have failed or
//! begun anew. It owns no state.

use crate::membership::{self, Looks};
use memberd_files::Hints;
use memberd_membership::{Entry, Incarnation, MemberState, Name, VersionedTags};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

const LOOKS: Looks =
    Looks { gather: Duration::from_millis(20), at_least_every: Duration::from_secs(5) };

/// A member of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Where others reach it.
    pub(crate) address: SocketAddr,
    /// Its zone, if it names one.
    pub(crate) zone: Option<String>,
    /// All its tags.
    pub(crate) tags: VersionedTags,
    /// Which life of it.
    pub(crate) incarnation: Incarnation,
    /// Whether it is up.
    pub(crate) standing: Standing,
}

/// Whether a member is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Up,
    Failed,
    Left,
}

/// The members of the list by name. It is empty before this machine has joined, and the last one
/// when it is out of the group.
pub(crate) type Peers = Arc<BTreeMap<Name, Peer>>;

/// How long the membership may take to learn of a member that connects.
const KNOWN_LIMIT: Duration = Duration::from_secs(10);

/// Waits until the membership knows this member, at the address from which it connects. No member
/// may speak for another.
///
/// # Errors
/// When it is not known in time, or has another address.
pub(crate) async fn check_is_at(
    peers: &watch::Receiver<Peers>,
    name: &Name,
    at: IpAddr,
) -> io::Result<()> {
    let mut known = peers.clone();
    let known = known.wait_for(|peers| peers.contains_key(name));
    timeout(KNOWN_LIMIT, known).await?.map_err(io::Error::other)?;
    match is_at(peers, name, at) {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a member connects from another address than its own",
        )),
    }
}

/// Whether a member has this address.
pub(crate) fn is_at(peers: &watch::Receiver<Peers>, name: &Name, at: IpAddr) -> bool {
    peers.borrow().get(name).is_some_and(|peer| peer.address.ip().to_canonical() == at)
}

/// Passes the list on whenever it changes, until nobody looks any more or the membership ends.
pub(crate) async fn follow(membership: membership::Handle, peers: watch::Sender<Peers>) {
    let read = |snapshot: Option<membership::Snapshot>| {
        snapshot.map(|list| {
            let members = list.entries().map(|(entry, _)| peer(entry));
            Arc::new(members.collect::<BTreeMap<Name, Peer>>())
        })
    };
    membership::watch_list(membership, peers, LOOKS, read).await;
}

/// A member that this machine alone doubts counts as up: the fault may be its own.
fn peer(entry: &Entry) -> (Name, Peer) {
    let standing = match entry.state {
        MemberState::Alive | MemberState::Doubted(_) => Standing::Up,
        MemberState::Failed(_) => Standing::Failed,
        MemberState::Left => Standing::Left,
    };
    let zone = entry.zone().map(|zone| zone.as_str().to_owned());
    let (address, incarnation) = (entry.identity.address, entry.identity.incarnation);
    let tags = entry.tags.clone();
    (entry.identity.name.clone(), Peer { address, zone, tags, incarnation, standing })
}

/// What the list says of members that are not to be chosen, and who of them left by plan.
pub(super) fn hints(peers: &Peers) -> (Hints, BTreeSet<Name>) {
    let of = |standing: Standing| {
        let of_it = peers.iter().filter(move |(_, peer)| peer.standing == standing);
        of_it.map(|(name, _)| name.clone())
    };
    let planned: BTreeSet<Name> = of(Standing::Left).collect();
    let failed = of(Standing::Failed).chain(planned.iter().cloned()).collect();
    (Hints { failed, ..Hints::default() }, planned)
}

/// The members that have begun anew between two lists, and so may have lost what they had.
pub(super) fn restarted<'p>(before: &'p Peers, now: &'p Peers) -> impl Iterator<Item = &'p Name> {
    now.iter()
        .filter(|(name, peer)| {
            before.get(*name).is_some_and(|before| before.incarnation != peer.incarnation)
        })
        .map(|(name, _)| name)
}

#[cfg(test)]
pub(crate) fn peer_at(address: SocketAddr, standing: Standing) -> Peer {
    let tags = VersionedTags::default();
    Peer { address, zone: None, tags, incarnation: Incarnation(1), standing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    #[test]
    fn who_is_gone_is_not_chosen_and_who_left_will_be_back() {
        let address = "127.0.0.1:1".parse().unwrap();
        let mut now = BTreeMap::from([
            (name("a"), peer_at(address, Standing::Up)),
            (name("b"), peer_at(address, Standing::Failed)),
            (name("c"), peer_at(address, Standing::Left)),
        ]);
        let before = Arc::new(now.clone());
        let (hints, planned) = hints(&before);
        assert_eq!(hints.failed, BTreeSet::from([name("b"), name("c")]));
        assert_eq!(planned, BTreeSet::from([name("c")]));
        now.get_mut(&name("b")).unwrap().incarnation = Incarnation(2);
        now.insert(name("d"), peer_at(address, Standing::Up));
        let now = Arc::new(now);
        assert_eq!(restarted(&before, &now).collect::<Vec<_>>(), [&name("b")]);
    }
}
