//! Answers `memberctl run --once`: it claims a key. It owns no state.

use crate::agreement::{Command, Handle};
use crate::control::client::{Client, ClientError};
use crate::control::refusal::{ended, refused};
use crate::membership::Ended;
use memberd_control::message::{ClaimRequest, ClaimedRecord, RefusalKind, Reply};
use memberd_council::{ClaimError, Name};
use std::time::Duration;
use tokio::time::timeout;

/// How long a majority may take. An election may be on its way.
const LIMIT: Duration = Duration::from_secs(10);

/// Claims the key, and says who has it.
pub(crate) async fn handle(
    request: ClaimRequest,
    client: &mut Client,
    handle: &Handle,
) -> Result<(), ClientError> {
    // The claim is abandoned when the receiver is dropped.
    let reply = tokio::select! {
        reply = claim(request, handle) => reply,
        () = client.gone() => return Ok(()),
    };
    client.send(&reply.unwrap_or_else(ended)).await
}

async fn claim(request: ClaimRequest, handle: &Handle) -> Result<Reply, Ended> {
    let ClaimRequest { key, retry } = request;
    let asked = handle.ask(|reply| Command::Claim { key, retry, reply });
    let settled = match timeout(LIMIT, asked).await {
        Ok(settled) => settled?,
        Err(_) => {
            let told = handle.ask(Command::Tell).await?;
            let missing: Vec<&str> = told.status.missing.iter().map(Name::as_str).collect();
            let missing = match missing.as_slice() {
                [] => String::new(),
                names => format!(": {} not reached", names.join(", ")),
            };
            let words = format!("no majority of the council decided on the key in time{missing}");
            return Ok(refused(RefusalKind::TimedOut, words));
        }
    };
    Ok(match settled {
        Ok(settled) => Reply::Claimed(ClaimedRecord {
            by_us: settled.by_us,
            by: settled.claim.holder.name.to_string(),
            term: settled.term.0,
        }),
        Err(error @ ClaimError::Key) => refused(RefusalKind::Usage, error.to_string()),
        Err(error @ (ClaimError::TooMany | ClaimError::NotInView)) => {
            refused(RefusalKind::Failed, error.to_string())
        }
    })
}
