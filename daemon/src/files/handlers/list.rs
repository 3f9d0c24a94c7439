//! Answers `memberctl file ls`. It owns no state.

use super::copies::Up;
use super::fault::{Fault, words};
use super::{Asked, ask, parse};
use crate::files::{FilesError, Handle};
use memberd_control::message::{FILE_ENTRIES_PER_REPLY, FileEntry, FileKind, FileList, FileReply};
use memberd_files::{
    ClientError, FilePath, Found, Listed, Listing, Query, Refusal, ShareName, Status, StatusKind,
};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a share may take to say what it is. A closed one says nothing. Without a primary a
/// keeper answers after 3 s.
const SHARE_LIMIT: Duration = Duration::from_secs(6);

/// Lists a directory, a file, or the shares.
pub(super) async fn list(what: FileList, asked: &mut Asked<'_>) -> Result<(), Fault> {
    if what.path.trim_matches('/').is_empty() && what.path.starts_with('/') {
        return shares(asked).await;
    }
    let path = parse(&what.path)?;
    let up = if what.copies { Some(Up::look(asked.services).await?) } else { None };
    let (mut after, mut is_newest) = (None, true);
    loop {
        let (page, page_is_newest) = match page(&path, after.take(), asked).await? {
            Some(page) => page,
            None => return one(&path, up.as_ref(), asked).await,
        };
        is_newest &= page_is_newest;
        let mut entries = Vec::with_capacity(page.entries.len());
        for listed in &page.entries {
            let mut entry = entry(&listed.name, &listed.status);
            if let Some(up) = &up {
                add_copies(&mut entry, &path, listed, up, asked).await?;
            }
            entries.push(entry);
        }
        asked.send(FileReply::Entries(entries)).await?;
        match page.entries.last() {
            Some(last) if page.remaining > 0 => after = Some(last.name.to_string()),
            _ => return asked.send(FileReply::Listed { is_newest }).await,
        }
    }
}

/// A page of a directory; none if it is a file.
async fn page(
    path: &FilePath,
    after: Option<String>,
    asked: &Asked<'_>,
) -> Result<Option<(Listing, bool)>, Fault> {
    let limit = u32::try_from(FILE_ENTRIES_PER_REPLY).unwrap_or(u32::MAX);
    let query = Query::List { path: path.clone(), after, limit };
    match ask(asked.files, path.share(), query).await {
        Ok((Ok(Found::Listing(listing)), is_newest)) => Ok(Some((listing, is_newest))),
        Ok((Err(Refusal::NotDirectory), _)) => Ok(None),
        Ok((Err(refusal), _)) => Err(Fault::refused(path, refusal)),
        Ok(_) => Err(Fault::of(path, &FilesError::Ended)),
        Err(error) => Err(Fault::of(path, &error)),
    }
}

/// Adds a file's copies. One that was removed meanwhile has none.
async fn add_copies(
    entry: &mut FileEntry,
    directory: &FilePath,
    listed: &Listed,
    up: &Up,
    asked: &Asked<'_>,
) -> Result<(), Fault> {
    if entry.kind == FileKind::File
        && let Ok(path) = directory.join(&listed.name)
    {
        entry.copies = match up.whole(&path, asked).await {
            Ok(whole) => Some(whole.copies),
            Err(Fault::Refused(..)) => None,
            Err(fault) => return Err(fault),
        };
    }
    Ok(())
}

/// A file by itself.
async fn one(path: &FilePath, up: Option<&Up>, asked: &mut Asked<'_>) -> Result<(), Fault> {
    let (status, is_newest) = status(path, asked.files).await?;
    let mut entry = entry(path.name().map_or("", |name| name), &status);
    if let Some(up) = up {
        entry.copies = Some(up.whole(path, asked).await?.copies);
    }
    asked.send(FileReply::Entries(vec![entry])).await?;
    asked.send(FileReply::Listed { is_newest }).await
}

/// What has a name.
pub(super) async fn status(path: &FilePath, files: &Handle) -> Result<(Status, bool), Fault> {
    match ask(files, path.share(), Query::Status(path.clone())).await {
        Ok((Ok(Found::Status(status)), is_newest)) => Ok((*status, is_newest)),
        Ok((Err(refusal), _)) => Err(Fault::refused(path, refusal)),
        Ok(_) => Err(Fault::of(path, &FilesError::Ended)),
        Err(error) => Err(Fault::of(path, &error)),
    }
}

/// Lists the shares, each as its keepers say that it is.
async fn shares(asked: &mut Asked<'_>) -> Result<(), Fault> {
    let mut asking = JoinSet::new();
    for (share, keepers) in asked.files.shares() {
        let files = asked.files.clone();
        asking.spawn(async move {
            let answer = timeout(SHARE_LIMIT, share_entry(&share, &files)).await;
            answer.unwrap_or_else(|_| {
                let closed = ClientError::Closed { share: share.clone(), keepers: keepers.keepers };
                (unknown(&share, &FilesError::Client(closed)), true)
            })
        });
    }
    let mut entries = Vec::new();
    while let Some(answer) = asking.join_next().await {
        entries.push(answer.map_err(|_| Fault::failed(FilesError::Ended.to_string()))?);
    }
    let is_newest = entries.iter().all(|(_, is_newest)| *is_newest);
    let mut entries: Vec<FileEntry> = entries.into_iter().map(|(entry, _)| entry).collect();
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    asked.send(FileReply::Entries(entries)).await?;
    asked.send(FileReply::Listed { is_newest }).await
}

/// A share as an entry, and whether that is the newest.
async fn share_entry(share: &ShareName, files: &Handle) -> (FileEntry, bool) {
    let Ok(path) = FilePath::parse(&format!("/{share}")) else {
        return (unknown(share, &FilesError::Ended), true);
    };
    match files.ask(share.clone(), Query::Status(path), true).await {
        Ok((Found::Status(status), is_newest)) => (entry(share.as_str(), &status), is_newest),
        Ok(_) => (unknown(share, &FilesError::Ended), true),
        Err(error) => (unknown(share, &error), true),
    }
}

fn unknown(share: &ShareName, error: &FilesError) -> FileEntry {
    FileEntry {
        name: share.to_string(),
        kind: FileKind::Directory,
        problem: Some(format!("/{share}: {}", words(error))),
        ..FileEntry::default()
    }
}

fn entry(name: &str, status: &Status) -> FileEntry {
    let (kind, length) = match status.kind {
        StatusKind::Directory { entries } => (FileKind::Directory, entries),
        StatusKind::File { length, .. } => (FileKind::File, length),
    };
    FileEntry {
        name: name.to_owned(),
        kind,
        length,
        modified: status.attributes.modified_ms,
        mode: status.attributes.mode,
        copies: None,
        problem: None,
    }
}
