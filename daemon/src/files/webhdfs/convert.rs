//! Between the words of WebHDFS and those of files: paths, statuses and errors. It owns no state.

use crate::files::FilesError;
use memberd_files::{ClientError, FilePath, Refusal, StatusKind};
use memberd_webhdfs::{FileError, HdfsPath, Kind, Status};

/// Bytes of a block, as clients are told: that of HDFS, so that checksums are the same there. Spark
/// makes a task of each.
pub(super) const BLOCK_BYTES: u64 = 128 << 20;

/// Who owns what nobody has given an owner.
const NOBODY: &str = "memberd";

/// The permission bits of the root and of a share that does not answer.
const MODE: u16 = 0o755;

/// A path, to read there. What is no path of a share is not there.
pub(super) fn path_to_read(path: &HdfsPath) -> Result<FilePath, FileError> {
    FilePath::parse(path.as_str()).map_err(|_| FileError::NotFound(path.to_string()))
}

/// A path, to change something there.
pub(super) fn path_to_change(path: &HdfsPath) -> Result<FilePath, FileError> {
    if path.is_root() {
        return Err(FileError::Denied("the directory of all shares cannot be changed".to_owned()));
    }
    FilePath::parse(path.as_str()).map_err(|error| FileError::Invalid(error.to_string()))
}

/// A path below a share.
pub(super) fn path_in_share(path: &HdfsPath) -> Result<FilePath, FileError> {
    let path = path_to_change(path)?;
    if path.is_share() {
        let why = format!("{path} is a share: memberctl file mkdir and rm make and remove shares");
        return Err(FileError::Denied(why));
    }
    Ok(path)
}

/// A file or directory.
pub(super) fn status(found: &memberd_files::Status) -> Status {
    let shown = &found.attributes;
    let text = |name: &Option<std::sync::Arc<str>>| {
        name.as_ref().map_or_else(|| NOBODY.to_owned(), ToString::to_string)
    };
    let mut status = Status {
        modified: shown.modified_ms,
        accessed: shown.accessed_ms,
        owner: text(&shown.owner),
        group: text(&shown.group),
        permission: shown.mode,
        // Java's numbers have a sign.
        id: found.inode.0 & (u64::MAX >> 1),
        ..directory(0)
    };
    match found.kind {
        StatusKind::Directory { entries } => status.children = entries,
        StatusKind::File { length, copies, .. } => {
            status.kind = Kind::File;
            status.length = length;
            status.copies = u16::from(copies);
        }
    }
    status
}

/// A directory of which no more is known.
pub(super) fn directory(children: u64) -> Status {
    Status {
        kind: Kind::Directory,
        length: 0,
        modified: 0,
        accessed: 0,
        block_bytes: BLOCK_BYTES,
        copies: 0,
        owner: NOBODY.to_owned(),
        group: NOBODY.to_owned(),
        permission: MODE,
        id: 0,
        children,
    }
}

/// Why something at a path failed.
pub(super) fn error(path: impl std::fmt::Display, error: FilesError) -> FileError {
    let FilesError::Client(error) = error else {
        return FileError::Unavailable(error.to_string());
    };
    match error {
        ClientError::Refused(refusal) => refused(&path.to_string(), refusal),
        ClientError::NoShare(_) => FileError::NotFound(format!("{path}: {error}")),
        ClientError::Busy => FileError::Busy(error.to_string()),
        ClientError::OutOfBounds => FileError::Invalid(error.to_string()),
        ClientError::Unreadable(_) => FileError::Io(error.to_string()),
        ClientError::Closed { .. }
        | ClientError::NoView
        | ClientError::Ambiguous
        | ClientError::TooFew(_)
        | ClientError::TooSlow
        | ClientError::Changed
        | ClientError::StorageFailed => FileError::Unavailable(error.to_string()),
    }
}

/// Why a catalog refused something at a path.
pub(super) fn refused(path: &str, refusal: Refusal) -> FileError {
    let with_path = || format!("{path}: {refusal}");
    match refusal {
        Refusal::NotFound => FileError::NotFound(path.to_owned()),
        Refusal::NoParent | Refusal::IsDirectory => FileError::NotFound(with_path()),
        Refusal::NotDirectory => FileError::ParentNotDirectory(path.to_owned()),
        Refusal::Exists => FileError::Exists(path.to_owned()),
        Refusal::NotEmpty => FileError::NotEmpty(path.to_owned()),
        Refusal::TailOpen => FileError::BeingCreated(path.to_owned()),
        Refusal::Fenced(_) | Refusal::IntoItself | Refusal::OtherShare | Refusal::IsShare => {
            FileError::Denied(with_path())
        }
        Refusal::QuotaBytes(_)
        | Refusal::QuotaNames(_)
        | Refusal::DirectoryFull
        | Refusal::TooManyExtents
        | Refusal::TooLong
        | Refusal::InlineFull => FileError::NoSpace(with_path()),
        Refusal::TooOld | Refusal::Changed(_) => FileError::Unavailable(with_path()),
        _ => FileError::Io(with_path()),
    }
}

/// Whether nothing happened, and the same may succeed soon: a keeper or a holder was just lost.
pub(super) fn may_try_again(error: &FilesError) -> bool {
    let FilesError::Client(error) = error else { return false };
    matches!(
        error,
        ClientError::Closed { .. }
            | ClientError::NoView
            | ClientError::TooFew(_)
            | ClientError::TooSlow
            | ClientError::Busy
    )
}
