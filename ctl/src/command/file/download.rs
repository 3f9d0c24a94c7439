//! Reads a file of the group, and hands its bytes on as they come. It owns no state.

use memberd_control::message::{FileRead, FileReply, FileRequest};

use super::ask;
use super::progress::Progress;
use crate::connection::{Daemon, unexpected_reply};
use crate::exit::{Exit, Failure};

/// Reads it. Fewer or more bytes than were announced are a failure.
pub(super) fn read(
    daemon: &Daemon,
    what: FileRead,
    progress: &mut Progress,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let path = what.path.clone();
    let mut connection = ask::ask(daemon, FileRequest::Read(what))?;
    let Some(FileReply::Length { length, is_newest }) = ask::answer_while_read(&mut connection)?
    else {
        return Err(unexpected_reply());
    };
    ask::warn_if_old(is_newest);
    let mut done = 0_u64;
    while let Some(answer) = ask::answer_while_read(&mut connection)? {
        let FileReply::Bytes(bytes) = answer else { return Err(unexpected_reply()) };
        take(&bytes)?;
        done = done.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        progress.show(done, Some(length));
    }
    progress.clear();
    match done == length {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Failed,
            format!("{path}: {done} of {length} bytes came: read it again"),
        )),
    }
}
