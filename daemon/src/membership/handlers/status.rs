//! `memberctl status`.

use crate::control::client::{Client, ClientError};
use crate::control::convert::status_report;
use crate::control::permissions::Door;
use crate::control::refusal::ended;
use crate::membership::Command;
use crate::services::Context;
use memberd_control::message::Reply;

/// Sends how this daemon is doing, as far as who comes by this door may know.
pub(crate) async fn handle(
    client: &mut Client,
    door: &Door,
    context: &Context,
) -> Result<(), ClientError> {
    let reply = match context.membership.ask(|reply| Command::Status { reply }).await {
        Ok(status) => {
            let mut report = status_report(&status);
            report.keys = context
                .caller
                .seal
                .keys()
                .map(|keys| keys.all().map(|key| key.id.to_string()).collect())
                .unwrap_or_default();
            report.greps = context.greps.running(door.access);
            report.searches = context.searches.work().running;
            report.warnings.extend(context.warnings());
            report.counters.push(("log_lines_lost".to_owned(), context.log.lost_lines()));
            report.counters.sort();
            Reply::Status(Box::new(report))
        }
        Err(error) => ended(error),
    };
    client.send(&reply).await
}
