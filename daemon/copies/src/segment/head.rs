//! The head of a stream as a file: CBOR, then the hash of it.

use super::{digest_of, is_same, names};
use crate::stream::{StreamHead, StreamId};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The longest path of a stream, in bytes: `PATH_MAX` of Linux.
const MAX_PATH_BYTES: usize = 4096;

/// The longest name of a time zone, in bytes.
pub(crate) const MAX_ZONE_BYTES: usize = 64;

/// The longest file, in bytes: two paths, a zone, and some fifteen numbers.
const MAX_FILE_BYTES: u64 = 16 * 1024;

const CHECK_BYTES: usize = 16;

/// The bytes of the file. None if they cannot be encoded.
pub(crate) fn encode(head: &StreamHead) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(head, &mut bytes).ok()?;
    let check = digest_of::<CHECK_BYTES>(head.id, &bytes);
    bytes.extend(check);
    Some(bytes)
}

/// Reads the file of stream `id`. None if it is damaged.
pub(crate) fn decode(id: StreamId, bytes: &[u8]) -> Option<StreamHead> {
    let (bytes, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
    if !is_same(&digest_of::<CHECK_BYTES>(id, bytes), check) {
        return None;
    }
    let head: StreamHead = ciborium::from_reader(bytes).ok()?;
    (head.id == id).then_some(head)
}

/// Reads the head in the directory of a stream. None if it is damaged.
///
/// # Errors
/// When it cannot be read, or is not there.
pub(crate) fn read(stream: &Path, id: StreamId) -> io::Result<Option<StreamHead>> {
    read_file(&stream.join(names::HEAD), id)
}

/// Reads a file that was the head of a stream. None if it is damaged.
///
/// # Errors
/// When it cannot be read, or is not there.
pub(crate) fn read_file(path: &Path, id: StreamId) -> io::Result<Option<StreamHead>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(decode(id, &bytes))
}

/// Whether a source may say this of a stream.
pub(crate) fn may_be_head(head: &StreamHead) -> bool {
    let fits =
        |path: &Path| path.is_absolute() && path.as_os_str().as_bytes().len() <= MAX_PATH_BYTES;
    fits(&head.path) && fits(&head.origin) && head.zone.len() <= MAX_ZONE_BYTES
}

#[cfg(test)]
mod tests {
    use super::{decode, encode, may_be_head};
    use crate::stream::{Fingerprint, StreamHead, StreamId};
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;
    use std::path::PathBuf;

    fn head(path: Vec<u8>) -> StreamHead {
        StreamHead {
            id: StreamId { device: 1, inode: 2, begun_ms: 3 },
            fingerprint: Fingerprint::of(b"a log"),
            path: OsString::from_vec(path).into(),
            origin: PathBuf::from("/srv/shop.log"),
            listed: true,
            offered: true,
            modified_ms: -5,
            zone: "Europe/Berlin".into(),
            lost_bytes: 0,
            continues: None,
        }
    }

    /// A path that is not UTF-8 comes back as it was. A changed byte is noticed, and so is the head
    /// of another stream.
    #[test]
    fn a_head_is_read_only_as_it_was_written() {
        let head = head(b"/srv/\xff.log".to_vec());
        let bytes = encode(&head).unwrap();
        assert_eq!(decode(head.id, &bytes).as_ref(), Some(&head));
        assert_eq!(decode(StreamId { device: 9, ..head.id }, &bytes), None);
        for place in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[place] ^= 4;
            assert_eq!(decode(head.id, &bytes), None, "byte {place}");
        }
    }

    /// A path that no file can have is refused.
    #[test]
    fn paths_are_absolute_and_bounded() {
        assert!(may_be_head(&head(b"/srv/shop.log".to_vec())));
        assert!(!may_be_head(&head(b"shop.log".to_vec())));
        assert!(!may_be_head(&head(vec![b'/'; 4_097])));
    }
}
