//! `memberctl metrics`.

use crate::control::client::{Client, ClientError};
use crate::control::refusal::ended;
use crate::metrics::report;
use crate::services::Context;
use memberd_control::message::Reply;

/// Sends what is measured.
pub(crate) async fn handle(client: &mut Client, context: &Context) -> Result<(), ClientError> {
    let reply = match report::text(context).await {
        Ok(text) => Reply::Metrics(text),
        Err(error) => ended(error),
    };
    client.send(&reply).await
}
