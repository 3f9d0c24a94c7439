//! Answers `memberctl leader --hold` and `memberctl run --leader`: it tells the lease of this
//! machine. It owns no state.

use crate::agreement::holds::Held;
use crate::agreement::{Command, Handle, Holding};
use crate::boot_time;
use crate::control::client::{Client, ClientError};
use crate::control::permissions::ListenerPolicy;
use crate::control::refusal::{ended, refused};
use crate::membership::Ended;
use memberd_control::message::{LeaseLost, LeaseRecord, RefusalKind, Reply};

/// Tells each lease until it is lost. A client that reads slowly gets only the newest.
pub(super) async fn handle(
    client: &mut Client,
    policy: &ListenerPolicy,
    handle: &Handle,
) -> Result<(), ClientError> {
    let _place = match policy.followers.try_enter_as(client.source()) {
        Ok(place) => place,
        Err(full) => return client.send(&refused(RefusalKind::Failed, full.to_string())).await,
    };
    let Ok(Holding { hold, mut held }) = handle.ask(Command::Hold).await else {
        return client.send(&ended(Ended)).await;
    };
    loop {
        let now = held.borrow_and_update().clone();
        match now {
            Held::Waiting => {}
            Held::Lease { term, until } => {
                let until_boot_ns = boot_time::nanos(until);
                client
                    .send(&Reply::Lease(LeaseRecord { term: term.0, until_boot_ns, hold }))
                    .await?;
            }
            Held::Lost { term, reason } => {
                return client.send(&Reply::LeaseLost(LeaseLost { term: term.0, reason })).await;
            }
        }
        tokio::select! {
            changed = held.changed() => if changed.is_err() {
                return client.send(&ended(Ended)).await;
            },
            () = client.gone() => return Ok(()),
        }
    }
}
