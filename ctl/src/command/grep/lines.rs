//! Reads patterns and globs, one a line, from an argument or from a file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;

use memberd_control::grep::MAX_PATTERN_BYTES;

/// The most bytes that are read from a file. Members accept half of that in total.
const MAX_FILE_BYTES: u64 = 2 * MAX_PATTERN_BYTES as u64;

/// Patterns of longer files stay in one piece, which needs less memory.
const MOST_SPLIT_BYTES: usize = 64 * 1024;

/// The lines of a text. A text without newlines is one line, even an empty text.
pub(super) fn of_text(text: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec)
}

/// The patterns of a file, each of which may be several, one a line. `-` is standard input, and an
/// empty file has no patterns.
///
/// # Errors
/// When the file cannot be read, with the text of grep.
pub(super) fn patterns_of_file(name: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    Ok(match text_of_file(name)? {
        Some(text) if text.len() > MOST_SPLIT_BYTES => vec![text],
        text => text.iter().flat_map(|text| of_text(text)).collect(),
    })
}

/// The lines of a file. `-` is standard input, and an empty file has no lines.
///
/// # Errors
/// When the file cannot be read, with the text of grep.
pub(super) fn of_file(name: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    Ok(text_of_file(name)?.iter().flat_map(|text| of_text(text)).collect())
}

/// The text of a file without its last newline, or none if it is empty.
fn text_of_file(name: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let shown = String::from_utf8_lossy(name);
    let read = if name == b"-" {
        read(io::stdin().lock())
    } else {
        File::open(OsStr::from_bytes(name)).and_then(read)
    };
    let mut bytes = read.map_err(|error| format!("{shown}: {}", reason(&error)))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(format!("{shown}: longer than {MAX_FILE_BYTES} bytes"));
    }
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
    }
    Ok(Some(bytes))
}

fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The system's error message, without the number.
fn reason(error: &io::Error) -> String {
    let message = error.to_string();
    message.split_once(" (os error").map_or(message.clone(), |(reason, _)| reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn file(content: &[u8]) -> Result<Vec<Vec<u8>>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        of_file(file.path().as_os_str().as_bytes())
    }

    #[test]
    fn a_file_has_a_pattern_on_each_line_and_an_empty_one_none() {
        assert_eq!(file(b"").unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(file(b"\n").unwrap(), [b""]);
        assert_eq!(file(b"a\n\xff\r\n\nb").unwrap(), [&b"a"[..], b"\xff\r", b"", b"b"]);
    }

    #[test]
    fn an_unreadable_file_has_the_error_of_grep() {
        assert_eq!(of_file(b"/no/such").unwrap_err(), "/no/such: No such file or directory");
        assert_eq!(of_file(b"/").unwrap_err(), "/: Is a directory");
        let long = vec![b'a'; 9_000_000];
        assert!(file(&long).unwrap_err().ends_with("longer than 8388608 bytes"));
    }
}
