//! Follows the membership's list for the council. It owns the last list that was passed on.

use crate::membership;
use memberd_council::{Standing, StandingState};
use memberd_membership::{Entry, MemberState, ZONE};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Changes within this time are passed on together.
const GATHER: Duration = Duration::from_millis(20);

/// The list is looked at this often even if no change was heard: suspicions are no changes.
const LOOK: Duration = Duration::from_secs(2);

/// The list, each member once. Nothing before this machine has joined.
pub(super) type Standings = Option<Arc<Vec<Standing>>>;

/// Passes the list on whenever it changes, until nobody looks any more or the membership ends.
pub(super) async fn follow(membership: membership::Handle, list: watch::Sender<Standings>) {
    let mut changes = membership.follow();
    while !list.is_closed() {
        let snapshot = membership.ask(|reply| membership::Command::List { reply }).await;
        let Ok(snapshot) = snapshot else { return };
        // Out of the group, the last list stays.
        if let Some(snapshot) = snapshot {
            let new: Vec<Standing> = snapshot.entries().map(standing).collect();
            list.send_if_modified(|old| {
                let differs = old.as_deref() != Some(&new);
                if differs {
                    *old = Some(Arc::new(new));
                }
                differs
            });
        }
        match timeout(LOOK, changes.recv()).await {
            Ok(Err(RecvError::Closed)) => return,
            Ok(Ok(_) | Err(RecvError::Lagged(_))) => sleep(GATHER).await,
            Err(_) => {}
        }
        // One list has all changes.
        while changes.try_recv().is_ok() {}
    }
}

/// A member that this machine alone doubts may be up, and the fault its own: for the council it is
/// suspected.
fn standing((entry, suspected): (&Entry, bool)) -> Standing {
    let zone = entry.tags.tags().and_then(|tags| {
        tags.iter()
            .find(|(key, _)| key.as_str() == ZONE)
            .map(|(_, value)| value.as_str().to_owned())
    });
    Standing {
        identity: entry.identity.clone(),
        state: match entry.state {
            MemberState::Alive | MemberState::Doubted(_) => StandingState::Alive,
            MemberState::Failed(_) => StandingState::Failed,
            MemberState::Left => StandingState::Left,
        },
        zone,
        suspected: suspected || matches!(entry.state, MemberState::Doubted(_)),
    }
}
