//! Passes the membership's list on to who follows it. It owns no state: the receiver has the last
//! list.

use super::{Command, Handle, Snapshot};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// When a follower looks at the list.
#[derive(Debug, Clone, Copy)]
pub struct Looks {
    /// Changes within this time are passed on together.
    pub gather: Duration,
    /// It looks this often even if no change was heard: suspicions are no changes.
    pub at_least_every: Duration,
}

/// Passes on what `read` makes of the list, whenever that changes, until nobody looks any more or
/// the membership ends. `read` gets nothing while this machine is out of the group, and makes
/// nothing where the last list stays.
pub async fn watch_list<T: PartialEq>(
    membership: Handle,
    list: watch::Sender<T>,
    looks: Looks,
    read: impl Fn(Option<Snapshot>) -> Option<T>,
) {
    let mut changes = membership.follow();
    while !list.is_closed() {
        let snapshot = membership.ask(|reply| Command::List { reply }).await;
        let Ok(snapshot) = snapshot else { return };
        if let Some(new) = read(snapshot) {
            list.send_if_modified(|old| {
                let differs = *old != new;
                if differs {
                    *old = new;
                }
                differs
            });
        }
        match timeout(looks.at_least_every, changes.recv()).await {
            Ok(Err(RecvError::Closed)) => return,
            Ok(Ok(_) | Err(RecvError::Lagged(_))) => sleep(looks.gather).await,
            Err(_) => {}
        }
        // One list has all changes.
        while changes.try_recv().is_ok() {}
    }
}
