//! The JSON objects about files. Users rely on their shapes: fields may be added, and none may
//! change, and `stat --json` of a file has just these.

use memberd_control::message::{
    FileCopies, FileEntry, FileKind, FileLacking, FileStat, FilesChecked, FilesReport, StoredExtent,
};
use serde::Serialize;

/// The copies of a file, as fields of its object.
#[derive(Debug, Serialize)]
pub(super) struct Copies<'a> {
    copies: u64,
    wanted: u64,
    members: &'a [String],
}

impl<'a> From<&'a FileCopies> for Copies<'a> {
    fn from(copies: &'a FileCopies) -> Copies<'a> {
        let FileCopies { copies, wanted, members } = copies;
        Copies { copies: *copies, wanted: *wanted, members }
    }
}

/// A file or directory.
#[derive(Debug, Serialize)]
pub(super) struct Stat<'a> {
    path: &'a str,
    r#type: FileKind,
    length: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    blake3: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directories: Option<u64>,
    #[serde(flatten)]
    copies: Option<Copies<'a>>,
}

impl<'a> From<&'a FileStat> for Stat<'a> {
    fn from(stat: &'a FileStat) -> Stat<'a> {
        let is_directory = stat.kind == FileKind::Directory;
        Stat {
            path: &stat.path,
            r#type: stat.kind,
            length: stat.length,
            blake3: stat.blake3.as_deref(),
            files: is_directory.then_some(stat.files),
            directories: is_directory.then_some(stat.directories),
            copies: stat.copies.as_ref().map(Copies::from),
        }
    }
}

/// A directory.
#[derive(Debug, Serialize)]
pub(super) struct Listing<'a> {
    path: &'a str,
    entries: Vec<Entry<'a>>,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    name: &'a str,
    r#type: FileKind,
    length: u64,
    modified: u64,
    #[serde(flatten)]
    copies: Option<Copies<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

impl<'a> Listing<'a> {
    /// A directory with its entries.
    pub(super) fn of(path: &'a str, entries: &'a [FileEntry]) -> Listing<'a> {
        let entry = |entry: &'a FileEntry| Entry {
            name: &entry.name,
            r#type: entry.kind,
            length: entry.length,
            modified: entry.modified,
            copies: entry.copies.as_ref().map(Copies::from),
            problem: entry.problem.as_deref(),
        };
        Listing { path, entries: entries.iter().map(entry).collect() }
    }
}

/// What lies on a machine's disk.
#[derive(Debug, Serialize)]
pub(super) struct Stored<'a> {
    extents: &'a [StoredExtent],
}

impl<'a> Stored<'a> {
    /// With these extents.
    pub(super) fn of(extents: &'a [StoredExtent]) -> Stored<'a> {
        Stored { extents }
    }
}

/// What a check found.
#[derive(Debug, Serialize)]
pub(super) struct Checked<'a> {
    shares: u64,
    files: u64,
    bytes: u64,
    lacking: Vec<Lacking<'a>>,
}

#[derive(Debug, Serialize)]
struct Lacking<'a> {
    path: &'a str,
    #[serde(flatten)]
    copies: Option<Copies<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'a str>,
}

impl<'a> Checked<'a> {
    /// With the files that lack copies.
    pub(super) fn of(checked: &FilesChecked, lacking: &'a [FileLacking]) -> Checked<'a> {
        let each = |lacking: &'a FileLacking| Lacking {
            path: &lacking.path,
            copies: lacking.copies.as_ref().map(Copies::from),
            problem: lacking.problem.as_deref(),
        };
        let FilesChecked { shares, files, bytes, .. } = *checked;
        Checked { shares, files, bytes, lacking: lacking.iter().map(each).collect() }
    }
}

/// The state of a machine's part.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    #[serde(flatten)]
    report: &'a FilesReport,
}

impl<'a> From<&'a FilesReport> for Report<'a> {
    fn from(report: &'a FilesReport) -> Report<'a> {
        Report { report }
    }
}
