//! Answers `memberctl file stat`, and hashes contents. It owns no state.

use super::copies::{Up, Whole};
use super::fault::Fault;
use super::list::status;
use super::{Asked, ask, parse};
use crate::files::FilesError;
use memberd_control::message::{FileKind, FileProgress, FileReply, FileStat, FileStatRequest};
use memberd_files::{
    ClientError, Content, FilePath, Found, Generation, Query, Status, StatusKind, Totals,
};
use std::time::Duration;
use tokio::time::Instant;

/// How often a file that changes while it is hashed is hashed anew.
const TRIES: usize = 3;

/// How often the client hears how far a hash is.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Tells all about a file or directory.
pub(super) async fn stat(what: FileStatRequest, asked: &mut Asked<'_>) -> Result<(), Fault> {
    let path = parse(&what.path)?;
    let (found, is_newest) = status(&path, asked.files).await?;
    let stat = match found.kind {
        StatusKind::Directory { .. } => directory(&path, &found, is_newest, asked).await?,
        StatusKind::File { .. } if what.hash => {
            let (whole, blake3) = hashed(&path, asked).await?;
            FileStat { blake3: Some(blake3), ..file(&path, whole) }
        }
        StatusKind::File { .. } => {
            let whole = Up::look(asked.services).await?.whole(&path, asked).await?;
            file(&path, whole)
        }
    };
    asked.send(FileReply::Stat(Box::new(stat))).await
}

async fn directory(
    path: &FilePath,
    found: &Status,
    is_newest: bool,
    asked: &Asked<'_>,
) -> Result<FileStat, Fault> {
    let query = Query::Summary(path.clone());
    let (totals, totals_are_newest) = match ask(asked.files, path.share(), query).await {
        Ok((Ok(Found::Summary(totals)), is_newest)) => (totals, is_newest),
        Ok((Err(refusal), _)) => return Err(Fault::refused(path, refusal)),
        Ok(_) => return Err(Fault::of(path, &FilesError::Ended)),
        Err(error) => return Err(Fault::of(path, &error)),
    };
    let Totals { bytes, files, directories, .. } = totals;
    Ok(FileStat {
        path: path.to_string(),
        kind: FileKind::Directory,
        length: bytes,
        modified: found.attributes.modified_ms,
        mode: found.attributes.mode,
        files,
        // The directory is none of those below it.
        directories: directories.saturating_sub(1),
        is_newest: is_newest && totals_are_newest,
        ..FileStat::default()
    })
}

fn file(path: &FilePath, whole: Whole) -> FileStat {
    let Whole { first, extents, copies, is_newest } = whole;
    let Status { kind, attributes, .. } = first.status;
    let mut stat = FileStat {
        path: path.to_string(),
        modified: attributes.modified_ms,
        mode: attributes.mode,
        extents,
        copies: Some(copies),
        is_newest,
        ..FileStat::default()
    };
    if let StatusKind::File { length, generation, token, .. } = kind {
        (stat.length, stat.generation, stat.token) = (length, generation.0, token.0);
    }
    stat
}

/// What a file consists of, and blake3 of its content in hexadecimal.
pub(super) async fn hashed(
    path: &FilePath,
    asked: &mut Asked<'_>,
) -> Result<(Whole, String), Fault> {
    let up = Up::look(asked.services).await?;
    let mut whole = up.whole(path, asked).await?;
    for _ in 0..TRIES {
        let known = match &whole.first.content {
            Content::Inline(bytes) => Some(blake3::hash(bytes)),
            Content::Extents(extents) => match extents.as_slice() {
                [one] if whole.first.is_all => Some(blake3::Hash::from_bytes(one.root)),
                _ => None,
            },
            Content::Both { .. } => None,
        };
        if let Some(hash) = known {
            return Ok((whole, hash.to_hex().to_string()));
        }
        let hash = read_all(path, asked).await?;
        let again = up.whole(path, asked).await?;
        if generation(&again) == generation(&whole) {
            return Ok((again, hash.to_hex().to_string()));
        }
        whole = again;
    }
    Err(Fault::of(path, &FilesError::Client(ClientError::Changed)))
}

fn generation(whole: &Whole) -> Option<Generation> {
    match whole.first.status.kind {
        StatusKind::File { generation, .. } => Some(generation),
        StatusKind::Directory { .. } => None,
    }
}

/// Hashes what a file has now. The client hears how far it is.
async fn read_all(path: &FilePath, asked: &mut Asked<'_>) -> Result<blake3::Hash, Fault> {
    let of = |error| Fault::of(path, &error);
    let mut reading = asked.files.read(path.clone(), 0, None).await.map_err(of)?;
    let (mut hasher, mut done, mut told) = (blake3::Hasher::new(), 0_u64, Instant::now());
    let total = Some(reading.length());
    while let Some(bytes) = reading.next().await.map_err(of)? {
        hasher.update(&bytes);
        done = done.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            asked.send(FileReply::Progress(FileProgress { done, total })).await?;
        }
    }
    Ok(hasher.finalize())
}
