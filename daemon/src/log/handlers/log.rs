//! Answers `memberctl log`. It owns no state.

use crate::control::client::{Client, ClientError};
use crate::control::refusal::refused;
use crate::log::Filter;
use crate::services::Services;
use memberd_control::message::{RefusalKind, Reply};
use tracing::info;

/// Sets the filter until the next start or a changed `logs.level`, and answers with the present
/// filter.
pub(crate) async fn handle(
    filter: Option<String>,
    client: &mut Client,
    services: &Services,
) -> Result<(), ClientError> {
    let reply = match filter.map(|filter| filter.parse::<Filter>()).transpose() {
        Ok(Some(filter)) => {
            info!(%filter, "the log filter changes");
            services.log.set_filter(filter);
            now(services)
        }
        Ok(None) => now(services),
        Err(error) => refused(RefusalKind::Usage, error.to_string()),
    };
    client.send(&reply).await
}

fn now(services: &Services) -> Reply {
    Reply::Log { filter: services.log.filter().to_string() }
}
