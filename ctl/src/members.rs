//! Fetches the list of the members from the daemon, and orders names.

use std::time::Duration;

use memberd_control::message::{MemberRecord, Reply, Request};
pub(crate) use memberd_control::name_order::natural;

use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::{Exit, Failure};

/// How long the daemon may take for its list.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(10));

/// The most members that are taken from a daemon.
const MEMBERS_CAP: usize = 1_000_000;

/// Fetches the list, with the failed and left members if `all`. The daemon orders it by name.
pub(crate) fn fetch(daemon: &Daemon, all: bool) -> Result<Vec<MemberRecord>, Failure> {
    let mut connection = Connection::ask(daemon, &Request::List { all }, REPLY_TIMEOUT)?;
    let mut members = Vec::new();
    loop {
        match connection.reply()? {
            Reply::Members(part) if members.len() + part.len() <= MEMBERS_CAP => {
                members.extend(part);
            }
            Reply::Members(_) => {
                let message = format!("memberd lists more than {MEMBERS_CAP} members: restart it");
                return Err(Failure::new(Exit::Failed, message));
            }
            Reply::Done => return Ok(members),
            _ => return Err(unexpected_reply()),
        }
    }
}
