//! Follows the membership's list: who may keep copies. It owns no state.

use crate::membership::{self, Looks};
use memberd_membership::{Entry, MemberState, Name};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const LOOKS: Looks =
    Looks { gather: Duration::from_millis(50), at_least_every: Duration::from_secs(10) };

/// A member that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its name.
    pub(crate) name: Name,
    /// Where others reach it.
    pub(crate) address: SocketAddr,
    /// Its zone, if it names one.
    pub(crate) zone: Option<String>,
}

/// The members that are up, this one included, by name. None before this machine has joined.
pub(crate) type Peers = Option<Arc<Vec<Peer>>>;

/// Passes the list on whenever it changes, until nobody looks any more or the membership ends.
pub(crate) async fn follow(membership: membership::Handle, peers: watch::Sender<Peers>) {
    let read = |snapshot: Option<membership::Snapshot>| {
        let up = |list: membership::Snapshot| {
            list.entries().filter_map(|(entry, _)| peer(entry)).collect()
        };
        Some(snapshot.map(|list| Arc::new(up(list))))
    };
    membership::watch_list(membership, peers, LOOKS, read).await;
}

/// A member that this machine alone doubts counts as up: the fault may be its own.
fn peer(entry: &Entry) -> Option<Peer> {
    match entry.state {
        MemberState::Alive | MemberState::Doubted(_) => {}
        MemberState::Failed(_) | MemberState::Left => return None,
    }
    let zone = entry.zone().map(|zone| zone.as_str().to_owned());
    Some(Peer { name: entry.identity.name.clone(), address: entry.identity.address, zone })
}
