//! Answers `memberctl file rm`, `mv` and `mkdir`. It owns no state.

use super::fault::Fault;
use super::{Asked, ask, parse};
use crate::files::FilesError;
use memberd_council::KeeperCount;
use memberd_files::{FilePath, Found, Mutation, Query, Refusal, RenameHow, StatusKind};

/// The permission bits of a new directory.
const MODE: u16 = 0o755;

/// Removes a name, or a share.
pub(super) async fn remove(
    path: String,
    recursive: bool,
    asked: &mut Asked<'_>,
) -> Result<(), Fault> {
    let path = parse(&path)?;
    let removed = match (path.is_share(), recursive) {
        (true, false) => return Err(Fault::refused(&path, Refusal::IsShare)),
        (true, true) => asked.files.remove_share(path.share().clone()).await,
        (false, recursive) => {
            let mutation = Mutation::Delete { path: path.clone(), recursive, only: None };
            asked.files.change(path.share().clone(), mutation).await.map(drop)
        }
    };
    removed.map_err(|error| Fault::of(&path, &error))?;
    asked.done().await
}

/// Gives a file or directory another name.
pub(super) async fn rename(
    from: &str,
    to: &str,
    replace: bool,
    asked: &mut Asked<'_>,
) -> Result<(), Fault> {
    let (from, to) = (parse(from)?, parse(to)?);
    if from.is_share() {
        return Err(Fault::failed(format!("{from}: a share keeps its name")));
    }
    if from.share() != to.share() {
        return Err(Fault::failed(format!(
            "{from}: {to} is in another share: copy it with get and put, then remove it"
        )));
    }
    let (to, how) = match replace {
        true => (into_directory(&from, to, asked).await?, RenameHow::Overwrite),
        false => (to, RenameHow::Plain),
    };
    let mutation = Mutation::Rename { from: from.clone(), to: to.clone(), how };
    match asked.files.change(from.share().clone(), mutation).await {
        Ok(_) => asked.done().await,
        Err(error) => {
            let names = format!("{from} to {to}");
            Err(Fault::of(&names, &error))
        }
    }
}

/// The new name: if a directory has it, the name in that.
async fn into_directory(
    from: &FilePath,
    to: FilePath,
    asked: &Asked<'_>,
) -> Result<FilePath, Fault> {
    let found = ask(asked.files, to.share(), Query::Status(to.clone())).await;
    let is_directory = match found {
        Ok((Ok(Found::Status(status)), _)) => matches!(status.kind, StatusKind::Directory { .. }),
        Ok(_) => false,
        Err(error) => return Err(Fault::of(&to, &error)),
    };
    match from.name() {
        Some(name) if is_directory => {
            to.join(name).map_err(|error| Fault::failed(format!("{to}/{name}: {error}")))
        }
        _ => Ok(to),
    }
}

/// Makes a directory and those above it, or a share.
pub(super) async fn make_directory(path: &str, asked: &mut Asked<'_>) -> Result<(), Fault> {
    let path = parse(path)?;
    let made: Result<(), FilesError> = match path.is_share() {
        true => asked.files.add_share(path.share().clone(), KeeperCount::THREE).await,
        false => {
            let mutation = Mutation::MakeDirectory { path: path.clone(), mode: MODE };
            asked.files.change(path.share().clone(), mutation).await.map(drop)
        }
    };
    made.map_err(|error| Fault::of(&path, &error))?;
    asked.done().await
}
