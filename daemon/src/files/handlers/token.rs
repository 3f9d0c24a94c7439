//! Answers `memberctl file token`. It owns no state.

use super::fault::Fault;
use super::list::status;
use super::{Asked, parse};
use memberd_control::message::FileReply;
use memberd_files::{Mutation, Refusal, StatusKind, Token};

/// Raises the least token of a file if asked to, and tells it.
pub(super) async fn token(
    path: &str,
    raise_to: Option<u64>,
    asked: &mut Asked<'_>,
) -> Result<(), Fault> {
    let path = parse(path)?;
    if let Some(token) = raise_to {
        let mutation = Mutation::Fence { path: path.clone(), token: Token(token) };
        let fenced = asked.files.change(path.share().clone(), mutation).await;
        fenced.map_err(|error| Fault::of(&path, &error))?;
    }
    let (found, _) = status(&path, asked.files).await?;
    match found.kind {
        StatusKind::File { token, .. } => asked.send(FileReply::Token { least: token.0 }).await,
        StatusKind::Directory { .. } => Err(Fault::refused(&path, Refusal::IsDirectory)),
    }
}
