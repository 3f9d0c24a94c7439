//! The listing of the files that can be searched: what `memberctl files` asks, and what members
//! answer. It owns no state.

use crate::bounded::{at_most, cut_after};
use crate::frame::{Message, PASSED_ON_BYTES, SMALL_REQUEST_CAP};
use crate::grep::{GrepMembers, MAX_FILTER_GLOBS};
use serde::{Deserialize, Serialize};

/// The most files in one member's listing.
pub const MAX_LISTED_FILES: usize = 2_000;

/// The longest listing of one member, in bytes of CBOR.
pub const LISTING_CAP: usize = 768 * 1024;

/// Asks for the files that can be searched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesRequest {
    /// The members to ask. Other members are not told.
    pub members: GrepMembers,
    /// Globs over the exposed files. An empty list selects all of them.
    #[serde(deserialize_with = "cut_after::<_, _, MAX_FILTER_GLOBS>")]
    pub globs: Vec<String>,
    /// As [`GrepFiles::only`](crate::grep::GrepFiles::only).
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "cut_after::<_, _, MAX_FILTER_GLOBS>"
    )]
    pub only: Vec<String>,
}

impl Message for FilesRequest {
    const CAP: usize = SMALL_REQUEST_CAP + PASSED_ON_BYTES;
}

/// The files of one member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileListing {
    /// The files in the order of a search with `--rotated`, and then what cannot be searched.
    #[serde(deserialize_with = "at_most::<_, _, MAX_LISTED_FILES>")]
    pub files: Vec<FileRecord>,
    /// The journal, if it may be searched and no glob was given.
    pub journal: Option<JournalRecord>,
    /// The globs that match none of the member's exposed files.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FILTER_GLOBS>")]
    pub unmatched: Vec<String>,
    /// Whether there are more files than are listed.
    pub cut: bool,
    /// Why there is no listing, if there is none.
    pub refused: Option<String>,
}

impl Message for FileListing {
    const CAP: usize = LISTING_CAP;
}

/// A file that can be searched, or a file or directory that cannot be read. Times are in
/// milliseconds since the Unix epoch, and absent where they are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its path. Bytes that are no UTF-8 are replaced.
    pub path: String,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// When it was last written.
    pub modified: Option<i64>,
    /// How it is compressed, such as `gzip`.
    pub compression: Option<String>,
    /// The path of the file that it was rotated away from.
    pub rotated_from: Option<String>,
    /// The time of its first line with a time.
    pub first: Option<i64>,
    /// The time of its last line with a time.
    pub last: Option<i64>,
    /// In which format its first line with a time has it.
    pub format: Option<String>,
    /// Why it cannot be searched, if it cannot.
    pub problem: Option<String>,
    /// Whether that is an error for a search of it. Links that are not followed are none.
    pub is_error: bool,
}

/// A journal. Times are in milliseconds since the Unix epoch, and absent where they are not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalRecord {
    /// The time of its first entry.
    pub first: Option<i64>,
    /// The time of its last entry.
    pub last: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{HEADER_BYTES, decode, encode};

    /// Members of one version must agree on the bytes.
    #[test]
    fn the_bytes_of_a_listing_do_not_change() {
        let request = FilesRequest { globs: vec!["*.log".to_owned()], ..FilesRequest::default() };
        let bytes = encode(&request).unwrap().split_off(HEADER_BYTES);
        assert_eq!(
            bytes.escape_ascii().to_string(),
            "\\xa2gmembers\\xa3bon\\x80fnot_on\\x80dtags\\x80eglobs\\x81e*.log"
        );
        assert_eq!(decode::<FilesRequest>(&bytes).unwrap(), request);
        let request = FilesRequest { only: vec!["a".to_owned()], ..request };
        let bytes = encode(&request).unwrap().split_off(HEADER_BYTES);
        assert!(bytes.ends_with(b"eglobs\x81e*.logdonly\x81aa"));
        assert_eq!(decode::<FilesRequest>(&bytes).unwrap(), request);
        let listing = FileListing {
            files: vec![FileRecord { path: "/a".to_owned(), ..FileRecord::default() }],
            journal: Some(JournalRecord { first: Some(-1), last: None }),
            ..FileListing::default()
        };
        let bytes = encode(&listing).unwrap().split_off(HEADER_BYTES);
        assert_eq!(
            bytes.escape_ascii().to_string(),
            "\\xa5efiles\\x81\\xaadpathb/adsize\\xf6hmodified\\xf6kcompression\\xf6lrotated_from\
            \\xf6efirst\\xf6dlast\\xf6fformat\\xf6gproblem\\xf6his_error\\xf4gjour\
            nal\\xa2efirst dlast\\xf6iunmatched\\x80ccut\\xf4grefused\\xf6"
        );
        assert_eq!(decode::<FileListing>(&bytes).unwrap(), listing);
    }

    #[test]
    fn a_listing_with_too_many_files_is_refused() {
        let files = vec![FileRecord::default(); MAX_LISTED_FILES + 1];
        let bytes = encode(&FileListing { files, ..FileListing::default() }).unwrap();
        assert!(decode::<FileListing>(&bytes[HEADER_BYTES..]).is_err());
    }
}
