//! Follows the membership's list for the council. It owns no state.

use crate::membership::{self, Looks};
use memberd_council::{Standing, StandingState};
use memberd_membership::{Entry, MemberState};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const LOOKS: Looks =
    Looks { gather: Duration::from_millis(20), at_least_every: Duration::from_secs(2) };

/// The list, each member once. Nothing before this machine has joined.
pub(super) type Standings = Option<Arc<Vec<Standing>>>;

/// Passes the list on whenever it changes, until nobody looks any more or the membership ends.
pub(super) async fn follow(membership: membership::Handle, list: watch::Sender<Standings>) {
    // Out of the group, the last list stays.
    let read = |snapshot: Option<membership::Snapshot>| {
        snapshot.map(|list| Some(Arc::new(list.entries().map(standing).collect())))
    };
    membership::watch_list(membership, list, LOOKS, read).await;
}

/// A member that this machine alone doubts may be up, and the fault its own: for the council it is
/// suspected.
fn standing((entry, suspected): (&Entry, bool)) -> Standing {
    Standing {
        identity: entry.identity.clone(),
        state: match entry.state {
            MemberState::Alive | MemberState::Doubted(_) => StandingState::Alive,
            MemberState::Failed(_) => StandingState::Failed,
            MemberState::Left => StandingState::Left,
        },
        zone: entry.zone().map(|zone| zone.as_str().to_owned()),
        suspected: suspected || matches!(entry.state, MemberState::Doubted(_)),
    }
}
