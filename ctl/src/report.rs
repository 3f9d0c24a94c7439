//! Fetches a daemon's status report, and formats what `status` and `top` show of it.

pub(crate) mod neighbours;
pub(crate) mod views;

use std::time::Duration;

use memberd_control::message::{Reply, Request, StatusReport};

use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::Failure;
use crate::format;

/// How long the daemon may take for its report.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(10));

/// How a daemon's warning begins that tries to join by itself.
const NOT_YET: &str = "not in the group yet";

/// Fetches the report.
pub(crate) fn fetch(daemon: &Daemon) -> Result<StatusReport, Failure> {
    match Connection::ask(daemon, &Request::Status, REPLY_TIMEOUT)?.reply()? {
        Reply::Status(report) => Ok(*report),
        _ => Err(unexpected_reply()),
    }
}

/// One line about the daemon's place in the group.
pub(crate) fn headline(report: &StatusReport) -> String {
    let name = format::printable(&report.name);
    let tries = || report.warnings.iter().any(|warning| warning.starts_with(NOT_YET));
    match (report.phase.as_str(), &report.id) {
        ("out", _) if tries() => format!("{name} is not in the group yet, and goes on trying"),
        ("out", _) => format!("{name} is not in a group: memberctl join, or join_on_start = true"),
        ("member", Some(id)) => format!("{name} is a member, {}", format::printable(id)),
        (phase, _) => format!("{name} is {}", format::printable(phase)),
    }
}
