//! `memberctl metrics`: prints the daemon's metrics.

use std::time::Duration;

use memberd_control::message::{Reply, Request};

use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::Failure;
use crate::output::Output;

/// How long the daemon may take for its metrics.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(10));

/// Prints the metrics in Prometheus' text format.
pub(super) fn run(daemon: &Daemon) -> Result<(), Failure> {
    match Connection::ask(daemon, &Request::Metrics, REPLY_TIMEOUT)?.reply()? {
        Reply::Metrics(text) => Output::new().text(&text),
        _ => Err(unexpected_reply()),
    }
}
