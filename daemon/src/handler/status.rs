//! `memberctl status`.

use super::{Context, ended};
use crate::control::connection::{Client, ClientError};
use crate::membership::Command;
use memberd_control::message::Reply;

/// Sends how this daemon is doing.
pub(super) async fn handle(client: &mut Client, context: &Context) -> Result<(), ClientError> {
    let reply = match context.membership.ask(|reply| Command::Status { reply }).await {
        Ok(mut report) => {
            report.greps = context.greps.running();
            report.searches = context.searches.work().running;
            report.counters.push(("log_lines_lost".to_owned(), context.log.lost_lines()));
            report.counters.sort();
            Reply::Status(report)
        }
        Err(error) => ended(error),
    };
    client.send(&reply).await
}
