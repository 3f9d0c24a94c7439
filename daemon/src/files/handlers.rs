//! Answers `memberctl file`. Each kind of request has a file of its own. It owns no state.

mod check;
mod copies;
mod fault;
mod list;
mod merge;
mod names;
mod read;
mod stat;
mod status;
mod stored;
mod token;
mod write;

use super::{FilesError, Handle};
use crate::control::client::{Client, ClientError};
use crate::control::refusal::refused;
use crate::services::Services;
use fault::Fault;
use memberd_control::message::{FileReply, FileRequest, RefusalKind, Reply};
use memberd_files::{ClientError as OperationError, FilePath, Found, Query, Refusal, ShareName};

/// What the handlers have.
struct Asked<'r> {
    client: &'r mut Client,
    files: &'r Handle,
    services: &'r Services,
}

impl Asked<'_> {
    async fn send(&mut self, reply: FileReply) -> Result<(), Fault> {
        Ok(self.client.send(&Reply::File(reply)).await?)
    }

    /// Ends a request that has no answer but its end.
    async fn done(&mut self) -> Result<(), Fault> {
        Ok(self.client.send(&Reply::Done).await?)
    }
}

/// Carries out a request about replicated files.
///
/// # Errors
/// When the client has disconnected or hangs.
pub(crate) async fn handle(
    request: FileRequest,
    client: &mut Client,
    services: &Services,
) -> Result<(), ClientError> {
    let files = match services.files.handle() {
        Ok(files) => files,
        Err(off) => return client.send(&refused(RefusalKind::Failed, off.to_string())).await,
    };
    let mut asked = Asked { client: &mut *client, files, services };
    match carry_out(request, &mut asked).await {
        Ok(()) => Ok(()),
        Err(Fault::Client(error)) => Err(error),
        Err(Fault::Refused(kind, words)) => client.send(&refused(kind, words)).await,
    }
}

async fn carry_out(request: FileRequest, asked: &mut Asked<'_>) -> Result<(), Fault> {
    match request {
        FileRequest::Put(put) => write::put(put, asked).await,
        FileRequest::Append(append) => write::append(append, asked).await,
        FileRequest::Read(what) => read::read(what, asked).await,
        FileRequest::List(what) => list::list(what, asked).await,
        FileRequest::Stat(what) => stat::stat(what, asked).await,
        FileRequest::Remove { path, recursive } => names::remove(path, recursive, asked).await,
        FileRequest::Rename { from, to, replace } => {
            names::rename(&from, &to, replace, asked).await
        }
        FileRequest::MakeDirectory { path } => names::make_directory(&path, asked).await,
        FileRequest::Stored => stored::stored(asked).await,
        FileRequest::Merge { path } => merge::merge(&path, asked).await,
        FileRequest::Check { share } => check::check(share, asked).await,
        FileRequest::Status => status::status(asked).await,
        FileRequest::Token { path, raise_to } => token::token(&path, raise_to, asked).await,
    }
}

/// Asks the catalog of a share, as its primary has it, or any keeper if no primary answers. What
/// the catalog refuses is no failure. Also says whether the answer is the newest.
async fn ask(
    files: &Handle,
    share: &ShareName,
    query: Query,
) -> Result<(Result<Found, Refusal>, bool), FilesError> {
    match files.ask(share.clone(), query, true).await {
        Ok((Found::Refused(refusal), is_newest)) => Ok((Err(refusal), is_newest)),
        Ok((found, is_newest)) => Ok((Ok(found), is_newest)),
        Err(FilesError::Client(OperationError::Refused(refusal))) => Ok((Err(refusal), true)),
        Err(error) => Err(error),
    }
}

/// A path of a request.
fn parse(path: &str) -> Result<FilePath, Fault> {
    FilePath::parse(path).map_err(|error| {
        let share = path.split('/').find(|name| !name.is_empty()).unwrap_or_default();
        let words = match ShareName::new(share) {
            Err(_) if path.starts_with('/') && !share.is_empty() => {
                format!("{path}: the name of a share has 1 to 64 letters, digits and . _ -")
            }
            _ => format!("{path}: {error}"),
        };
        Fault::Refused(RefusalKind::Usage, words)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_path_is_told_from_a_wrong_share() {
        let told = |path: &str| match parse(path) {
            Err(Fault::Refused(RefusalKind::Usage, words)) => words,
            other => panic!("{other:?}"),
        };
        assert!(told("/a b/x").ends_with("letters, digits and . _ -"));
        assert!(told("/").ends_with("a path begins with / and the name of a share"));
        assert!(told("/apps/..").contains("\"..\" is no name"));
        assert!(parse("/apps//x/").is_ok());
    }
}
