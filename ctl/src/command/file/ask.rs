//! Requests about replicated files, which older daemons do not know. It owns no state.

use std::time::Duration;

use memberd_control::message::{FileReply, FileRequest, Reply, Request};

use super::progress::Progress;
use crate::connection::{Connection, Daemon, ReplyTimeout, older_daemon, unexpected_reply};
use crate::exit::{Exit, Failure, print_message};

/// How long the daemon may take until it says anything. It answers within 50 s.
const REPLY_TIMEOUT: ReplyTimeout = ReplyTimeout::For(Duration::from_secs(60));

/// What is said if no keeper can tell what is newest.
const MAY_BE_OLD: &str = "this may be old: no majority of the council, or no primary of the share, \
                          can be reached";

/// Sends the request.
pub(in crate::command) fn ask(
    daemon: &Daemon,
    request: FileRequest,
) -> Result<Connection, Failure> {
    Connection::ask(daemon, &Request::File(request), REPLY_TIMEOUT).map_err(older_daemon)
}

/// The next answer, or none if that was all.
pub(super) fn answer(connection: &mut Connection) -> Result<Option<FileReply>, Failure> {
    understood(connection.reply())
}

/// As [`answer`], but ends as soon as nobody reads standard output any more.
pub(in crate::command) fn answer_while_read(
    connection: &mut Connection,
) -> Result<Option<FileReply>, Failure> {
    understood(connection.reply_while_read())
}

/// The next answer that is no progress. Progress is shown.
pub(super) fn answer_after(
    connection: &mut Connection,
    progress: &mut Progress,
) -> Result<Option<FileReply>, Failure> {
    loop {
        match answer_while_read(connection)? {
            Some(FileReply::Progress(step)) => progress.show(step.done, step.total),
            reply => {
                progress.clear();
                return Ok(reply);
            }
        }
    }
}

/// Sends a request that is answered by nothing but its end.
pub(super) fn order(daemon: &Daemon, request: FileRequest) -> Result<(), Failure> {
    match answer(&mut ask(daemon, request)?)? {
        None => Ok(()),
        Some(_) => Err(unexpected_reply()),
    }
}

/// Says so if what was shown may be old.
pub(super) fn warn_if_old(is_newest: bool) {
    if !is_newest {
        print_message(MAY_BE_OLD);
    }
}

/// Does something with each, says what failed, and goes on.
pub(super) fn each<T>(
    all: &[T],
    mut act: impl FnMut(&T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let [one] = all else {
        let mut done = Ok(());
        for one in all {
            match act(one) {
                Ok(()) => {}
                Err(failure @ Failure::OutputClosed) => return Err(failure),
                Err(failure) if failure.exit() != Exit::Failed => return Err(failure),
                Err(failure) => {
                    failure.report();
                    done = Err(Failure::Reported);
                }
            }
        }
        return done;
    };
    act(one)
}

fn understood(reply: Result<Reply, Failure>) -> Result<Option<FileReply>, Failure> {
    match reply.map_err(older_daemon)? {
        Reply::File(answer) => Ok(Some(answer)),
        Reply::Done => Ok(None),
        _ => Err(unexpected_reply()),
    }
}
