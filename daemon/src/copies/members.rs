//! Follows the membership's list: who may keep copies. It owns the last list that was passed on.

use crate::membership;
use memberd_membership::{Entry, MemberState, Name, ZONE};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Changes within this time are passed on together.
const GATHER: Duration = Duration::from_millis(50);

/// The list is looked at this often even if no change was heard.
const LOOK: Duration = Duration::from_secs(10);

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
    let mut changes = membership.follow();
    while !peers.is_closed() {
        let snapshot = membership.ask(|reply| membership::Command::List { reply }).await;
        let Ok(snapshot) = snapshot else { return };
        let new: Peers = snapshot
            .map(|list| Arc::new(list.entries().filter_map(|(entry, _)| peer(entry)).collect()));
        peers.send_if_modified(|old| {
            let differs = *old != new;
            if differs {
                *old = new;
            }
            differs
        });
        match timeout(LOOK, changes.recv()).await {
            Ok(Err(RecvError::Closed)) => return,
            Ok(Ok(_) | Err(RecvError::Lagged(_))) => sleep(GATHER).await,
            Err(_) => {}
        }
        // One list has all changes.
        while changes.try_recv().is_ok() {}
    }
}

/// A member that this machine alone doubts counts as up: the fault may be its own.
fn peer(entry: &Entry) -> Option<Peer> {
    match entry.state {
        MemberState::Alive | MemberState::Doubted(_) => {}
        MemberState::Failed(_) | MemberState::Left => return None,
    }
    let tags = entry.tags.tags();
    let zone = tags.and_then(|tags| {
        let mut tags = tags.iter();
        tags.find(|(key, _)| key.as_str() == ZONE).map(|(_, value)| value.as_str().to_owned())
    });
    Some(Peer { name: entry.identity.name.clone(), address: entry.identity.address, zone })
}
