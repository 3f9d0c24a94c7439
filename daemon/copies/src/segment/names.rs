//! The names of directories and files: `SOURCE/DEVICE-INODE-BEGUN/OFFSET.open`.

use crate::stream::StreamId;
use std::path::{Path, PathBuf};

/// The file that says what the source says of the stream.
pub(crate) const HEAD: &str = "head";

/// What a file is while it is written.
pub(crate) const TEMPORARY: &str = "tmp";

/// What the head of a stream becomes that was dropped for lack of room.
const DROPPED: &str = "dropped";

/// Whether blocks are appended to a segment, or it is rewritten with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    Open,
    Sealed,
}

impl Form {
    fn ending(self) -> &'static str {
        match self {
            Form::Open => "open",
            Form::Sealed => "sealed",
        }
    }
}

/// The directory of a stream, in that of its source.
pub(crate) fn stream_directory(source: &Path, id: StreamId) -> PathBuf {
    let StreamId { device, inode, begun_ms } = id;
    source.join(format!("{device}-{inode}-{begun_ms}"))
}

/// The stream whose directory has this name.
pub(crate) fn stream_id(name: &str) -> Option<StreamId> {
    let mut numbers = name.split('-').map(number);
    let id =
        StreamId { device: numbers.next()??, inode: numbers.next()??, begun_ms: numbers.next()?? };
    numbers.next().is_none().then_some(id)
}

/// The file of a segment, in the directory of its stream. Its text begins at `begin`.
pub(crate) fn segment_file(stream: &Path, begin: u64, form: Form) -> PathBuf {
    stream.join(format!("{begin:020}.{}", form.ending()))
}

/// The file that will be a sealed segment.
pub(crate) fn temporary_segment(stream: &Path, begin: u64) -> PathBuf {
    stream.join(format!("{begin:020}.{TEMPORARY}"))
}

/// What is left of a stream that was dropped for lack of room, in the directory of the stream: its
/// head, with where its text ended, and when that was last written.
pub(crate) fn dropped_file(stream: &Path, end: u64, written_ms: u64) -> PathBuf {
    stream.join(format!("{end}-{written_ms}.{DROPPED}"))
}

/// Where the text ended that the file with this name stands for, and when it was last written.
pub(crate) fn dropped(name: &str) -> Option<(u64, u64)> {
    let (end, written_ms) = name.strip_suffix(DROPPED)?.strip_suffix('.')?.split_once('-')?;
    Some((number(end)?, number(written_ms)?))
}

/// Where the text of the segment with this name begins.
pub(crate) fn segment(name: &str) -> Option<(u64, Form)> {
    let (digits, ending) = name.split_once('.')?;
    let form = [Form::Open, Form::Sealed].into_iter().find(|form| form.ending() == ending)?;
    Some((number(digits).filter(|_| digits.len() == 20)?, form))
}

/// Whether a file with this name is left from a crash.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ending == TEMPORARY)
}

fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::{
        Form, dropped, dropped_file, is_temporary, segment, segment_file, stream_directory,
        stream_id,
    };
    use crate::stream::StreamId;
    use std::path::Path;

    /// Each name is read as what it was written for, and no other name is.
    #[test]
    fn names_say_what_a_file_is() {
        let id = StreamId { device: 0, inode: u64::MAX, begun_ms: 1_763_688_033_123 };
        let directory = stream_directory(Path::new("vm1"), id);
        assert_eq!(directory.to_str(), Some("vm1/0-18446744073709551615-1763688033123"));
        let name = directory.file_name().and_then(|name| name.to_str()).unwrap();
        assert_eq!(stream_id(name), Some(id));
        for other in ["", "1-2", "1-2-3-4", "1-2-+3", "1--3", "1-2-18446744073709551616", "head"] {
            assert_eq!(stream_id(other), None, "{other}");
        }
        let file = segment_file(Path::new(""), 77, Form::Sealed);
        assert_eq!(file.to_str(), Some("00000000000000000077.sealed"));
        assert_eq!(segment("00000000000000000077.sealed"), Some((77, Form::Sealed)));
        assert_eq!(segment("18446744073709551615.open"), Some((u64::MAX, Form::Open)));
        for other in ["77.open", "00000000000000000077", "00000000000000000077.tmp", "head", "."] {
            assert_eq!(segment(other), None, "{other}");
        }
        assert!(is_temporary("head.tmp") && is_temporary("00000000000000000077.tmp"));
        let file = dropped_file(Path::new(""), 7, u64::MAX);
        assert_eq!(file.to_str(), Some("7-18446744073709551615.dropped"));
        assert_eq!(dropped("7-18446744073709551615.dropped"), Some((7, u64::MAX)));
        for other in ["7.dropped", "7-1-2.dropped", "-1.dropped", "7-1dropped", "7-1.open"] {
            assert_eq!(dropped(other), None, "{other}");
        }
        assert!(!is_temporary("head") && !is_temporary("tmp"));
    }
}
