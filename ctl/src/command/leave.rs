//! `memberctl leave`: has the daemon leave the group.

use std::time::Duration;

use memberd_control::message::{Reply, Request};

use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::Failure;
use crate::output::Output;

/// How long a leave may take. It waits for one member's acknowledgement.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(60));

/// Leaves the group.
pub(super) fn run(daemon: &Daemon) -> Result<(), Failure> {
    match Connection::ask(daemon, &Request::Leave, REPLY_TIMEOUT)?.reply()? {
        Reply::Left { was_member: true } => Output::new().line("left the group"),
        Reply::Left { was_member: false } => Output::new().line("was not in a group"),
        _ => Err(unexpected_reply()),
    }
}
