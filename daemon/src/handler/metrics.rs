//! `memberctl metrics`.

use super::context::Context;
use super::refusal::ended;
use crate::control::client::{Client, ClientError};
use crate::metrics::report;
use memberd_control::message::Reply;

/// Sends what is measured.
pub(super) async fn handle(client: &mut Client, context: &Context) -> Result<(), ClientError> {
    let reply = match report::text(context).await {
        Ok(text) => Reply::Metrics(text),
        Err(error) => ended(error),
    };
    client.send(&reply).await
}
