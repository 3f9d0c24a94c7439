//! Finds out whether named introducers are of the group that this member is in. It owns no state.

use super::{Command, Ended, MembershipService};
use crate::peer::MEMBERSHIP;
use memberd_membership::{CALL_TIMEOUT, CallError, Elsewhere, Inquiry, MAX_CALL};
use memberd_transport::Caller;
use std::net::SocketAddr;
use tokio::task::JoinSet;

/// The most addresses that are asked. Their answers have up to [`MAX_CALL`] bytes each.
const MOST_ASKED: usize = 4;

impl MembershipService {
    /// Says why no introducer at these addresses is of this member's group, and how to change to
    /// theirs. `None` if one is of it.
    ///
    /// # Errors
    /// When the daemon is shutting down.
    pub(super) async fn elsewhere(
        &self,
        mut addresses: Vec<SocketAddr>,
    ) -> Result<Option<String>, Ended> {
        let inquire = |reply| Command::Inquire { addresses: addresses.clone(), reply };
        let Some(inquiry) = self.handle.ask(inquire).await? else { return Ok(None) };
        addresses.truncate(MOST_ASKED);
        let mut answers = JoinSet::new();
        for address in addresses.iter().copied() {
            let (inquiry, caller) = (inquiry.clone(), self.caller.clone());
            answers.spawn(async move { (address, ask(&inquiry, address, &caller).await) });
        }
        let mut reasons = Vec::new();
        while let Some(answer) = answers.join_next().await {
            match answer {
                Ok((_, Ok(()))) => return Ok(None),
                Ok((address, Err(reason))) => reasons.push(format!("{address} {reason}")),
                Err(error) => reasons.push(format!("an inquiry broke off: {error}")),
            }
        }
        let to = addresses.first().map(ToString::to_string).unwrap_or_default();
        let (own, reasons) = (inquiry.own(), reasons.join("; "));
        Ok(Some(format!(
            "already in a group as {own}, but {reasons}: to change, memberctl leave, then \
            memberctl join {to}"
        )))
    }
}

async fn ask(inquiry: &Inquiry, address: SocketAddr, caller: &Caller) -> Result<(), Elsewhere> {
    let call = caller.call(address, MEMBERSHIP, inquiry.payload(), MAX_CALL, CALL_TIMEOUT);
    let reply = call.await.map_err(|error| CallError::Unreachable(error.to_string()));
    inquiry.judge(reply.as_deref().map_err(Clone::clone))
}
