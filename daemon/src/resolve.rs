//! Resolves introducers, written `host:port`, to addresses. It owns no state.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::timeout;
use tracing::warn;

/// How long the resolver may take for one name.
const LIMIT: Duration = Duration::from_secs(5);

/// The addresses of introducers, and the names that have none.
#[derive(Debug, Default)]
pub struct Resolved {
    /// Addresses, in the order of the names.
    pub addresses: Vec<SocketAddr>,
    /// One line for each name that has no address.
    pub problems: Vec<String>,
}

/// Resolves `host:port` names. It keeps only addresses of the family of `own`, this member's
/// address.
pub async fn resolve(names: &[String], own: SocketAddr) -> Resolved {
    let mut resolved = Resolved::default();
    for name in names {
        match timeout(LIMIT, lookup_host(name.as_str())).await {
            Ok(Ok(found)) => {
                let usable: Vec<SocketAddr> =
                    found.filter(|address| address.is_ipv4() == own.is_ipv4()).collect();
                if usable.is_empty() {
                    let family = if own.is_ipv4() { "IPv4" } else { "IPv6" };
                    resolved.problems.push(format!(
                        "introducer {name}: no {family} address, and this member uses {family}"
                    ));
                }
                resolved.addresses.extend(usable);
            }
            Ok(Err(error)) => resolved.problems.push(format!("introducer {name}: {error}")),
            Err(_) => {
                resolved.problems.push(format!(
                    "introducer {name}: no answer from the resolver within {} s",
                    LIMIT.as_secs()
                ));
            }
        }
    }
    resolved
}

/// Resolves the introducers of the settings, and logs the problems.
pub async fn resolve_configured(names: &[String], own: SocketAddr) -> Vec<SocketAddr> {
    let resolved = resolve(names, own).await;
    for problem in resolved.problems {
        warn!("{problem}");
    }
    resolved.addresses
}
