//! Requests about durable jobs, which older daemons do not know. It owns no state.

use std::time::Duration;

use memberd_control::message::{Reply, Request};
use memberd_control::streams::{StreamReply, StreamRequest, StreamStatus};

use crate::connection::{Connection, Daemon, ReplyTimeout, older_daemon, unexpected_reply};
use crate::exit::{Exit, Failure};

/// How long the daemon may take. It waits for the leader and for the disks of a majority.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(60));

/// Sends a request, and returns the answer.
///
/// # Errors
/// When it is not carried out.
pub(super) fn ask(daemon: &Daemon, request: StreamRequest) -> Result<StreamReply, Failure> {
    let asked = Connection::ask(daemon, &Request::Stream(request), REPLY_TIMEOUT);
    match asked.and_then(|mut connection| connection.reply()).map_err(older_daemon)? {
        Reply::Stream(StreamReply::Failed { reason }) => Err(Failure::new(Exit::Failed, reason)),
        Reply::Stream(reply) => Ok(reply),
        _ => Err(unexpected_reply()),
    }
}

/// Sends a request that is answered by nothing but its end.
pub(super) fn order(daemon: &Daemon, request: StreamRequest) -> Result<(), Failure> {
    match ask(daemon, request)? {
        StreamReply::Done => Ok(()),
        _ => Err(unexpected_reply()),
    }
}

/// All about a job.
pub(in crate::command) fn status(daemon: &Daemon, name: &str) -> Result<StreamStatus, Failure> {
    match ask(daemon, StreamRequest::Status { name: name.to_owned() })? {
        StreamReply::Status(status) => Ok(*status),
        _ => Err(unexpected_reply()),
    }
}

/// The name of a job on the command line.
///
/// # Errors
/// When no job can be called so, in one line.
pub(super) fn name(text: &str) -> Result<String, String> {
    match memberd_control::streams::is_stream_name(text) {
        true => Ok(text.to_owned()),
        false => Err("the name of a job has 1 to 64 letters, digits and . _ -".to_owned()),
    }
}
