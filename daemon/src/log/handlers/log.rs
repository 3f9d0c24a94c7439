//! `memberctl log`.

use crate::control::client::{Client, ClientError};
use crate::control::refusal::refused;
use crate::log::Filter;
use crate::services::Context;
use memberd_control::message::{RefusalKind, Reply};
use tracing::info;

/// Sets what is logged, until the next start or a changed `logs.level`, and answers with what it is
/// now.
pub(crate) async fn handle(
    filter: Option<String>,
    client: &mut Client,
    context: &Context,
) -> Result<(), ClientError> {
    let reply = match filter.map(|filter| filter.parse::<Filter>()).transpose() {
        Ok(Some(filter)) => {
            info!(%filter, "the log filter changes");
            context.log.set_filter(filter);
            now(context)
        }
        Ok(None) => now(context),
        Err(error) => refused(RefusalKind::Usage, error.to_string()),
    };
    client.send(&reply).await
}

fn now(context: &Context) -> Reply {
    Reply::Log { filter: context.log.filter().to_string() }
}
