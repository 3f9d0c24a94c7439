//! Requests about the agreed views, which older daemons do not know.

use std::time::Duration;

use memberd_control::message::{Reply, Request};

use crate::connection::{Connection, Daemon, ReplyTimeout};
use crate::exit::{Exit, Failure};
use crate::format;

/// How long the daemon may take. It asks the council, and waits for that no longer than this.
pub(crate) const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(10));

/// Sends the request.
pub(crate) fn ask(
    daemon: &Daemon,
    request: &Request,
    timeout: ReplyTimeout,
) -> Result<Connection, Failure> {
    Connection::ask(daemon, request, timeout).map_err(describe)
}

/// The next reply.
pub(crate) fn reply(connection: &mut Connection) -> Result<Reply, Failure> {
    connection.reply().map_err(describe)
}

/// Says what a refusal of an unknown request means: only an older daemon does not understand it.
pub(crate) fn describe(failure: Failure) -> Failure {
    let said = failure.to_string();
    let unknown = ["View", "Recover", "Leader", "Claim"]
        .iter()
        .any(|request| said.contains(&format!("unknown variant `{request}`")));
    match unknown {
        true => Failure::new(
            Exit::Version,
            "this memberd is older than memberctl: systemctl restart memberd",
        ),
        false => failure,
    }
}

/// The failure of a wait: what was waited for is not so after this time.
pub(crate) fn waited_in_vain(daemon: &Daemon, usual: Duration, not_so: &str) -> Failure {
    let limit = daemon.timeout.unwrap_or(usual);
    let limit = format::duration(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    Failure::new(Exit::TimedOut, format!("after {limit}: {not_so}"))
}
