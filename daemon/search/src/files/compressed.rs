//! Recognizes compressed files by their first bytes, and decompresses them within bounds of memory
//! and size.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt as _;

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;

/// The most memory that the decompression of a file may need, as a power of two: 16 MiB. xz -7 and
/// zstd -19 need that much.
const WINDOW_LOG: u32 = 24;

/// The size that every file may decompress to, in bytes.
const FREE_SIZE: u64 = 64 * 1024 * 1024;

/// Larger texts may have this many times the file's own size. Logs reach 10 to 50, and bombs 1,000
/// (gzip) and more.
const MAX_RATIO: u64 = 250;

/// How many compressed bytes are read at once.
const READ_BYTES: usize = 32 * 1024;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
    Xz,
    /// Recognized, but not supported.
    Bzip2,
    /// Recognized, but not supported.
    Lz4,
}

/// Why decompression ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecompressError {
    #[error("is compressed with {0}, which is not read: use gzip, zstd or xz")]
    Unknown(&'static str),
    #[error("cannot be decompressed to its end: {0}")]
    Damaged(String),
    #[error(
        "cannot be decompressed: it needs more than {} MiB of memory",
        (1 << WINDOW_LOG) / (1024 * 1024)
    )]
    TooMuchMemory,
    #[error("decompresses to more than {} MiB, which is over {MAX_RATIO} times its size: the rest \
    was not searched", .0 / (1024 * 1024))]
    Bomb(u64),
}

impl From<DecompressError> for io::Error {
    fn from(error: DecompressError) -> io::Error {
        io::Error::other(error)
    }
}

impl Compression {
    /// How `file` is compressed. None when its first bytes are of no known format.
    pub(crate) fn of(file: &File) -> io::Result<Option<Compression>> {
        let mut head = [0; 10];
        let mut read = 0;
        while let Some(rest) = head.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, read as u64)? {
                0 => break,
                more => read += more,
            }
        }
        Ok(match head {
            [0x1f, 0x8b, 8, ..] => Some(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compression::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y'] => {
                Some(Compression::Bzip2)
            }
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Compression::Lz4),
            _ => None,
        })
    }

    /// The decompressed text of `file`, which has `size` bytes: all its streams, one after the
    /// other.
    pub(crate) fn decompress(self, file: File, size: u64) -> io::Result<impl Read> {
        let file = BufReader::with_capacity(READ_BYTES, file);
        let inner: Box<dyn Read> = match self {
            Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
            Compression::Xz => {
                Box::new(XzReader::new_mem_limit(file, true, (1 << WINDOW_LOG) / 1024 + 1024))
            }
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(file)?;
                decoder.window_log_max(WINDOW_LOG)?;
                Box::new(decoder)
            }
            Compression::Bzip2 => return Err(DecompressError::Unknown("bzip2").into()),
            Compression::Lz4 => return Err(DecompressError::Unknown("lz4").into()),
        };
        let limit = size.saturating_mul(MAX_RATIO).max(FREE_SIZE);
        Ok(Bounded { inner, left: limit, limit })
    }
}

/// A decompressor's output, up to a limit.
struct Bounded {
    inner: Box<dyn Read>,
    left: u64,
    limit: u64,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer).map_err(|error| in_words(&error))?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(DecompressError::Bomb(self.limit).into()),
        }
        Ok(read)
    }
}

/// Converts a decompressor's error. Errors of the file below it stay what they are.
fn in_words(error: &io::Error) -> io::Error {
    if let Some(number) = error.raw_os_error() {
        return io::Error::from_raw_os_error(number);
    }
    let words = error.to_string();
    match error.kind() {
        ErrorKind::OutOfMemory => DecompressError::TooMuchMemory.into(),
        _ if words.contains("too much memory") => DecompressError::TooMuchMemory.into(),
        ErrorKind::UnexpectedEof => DecompressError::Damaged("it breaks off".to_owned()).into(),
        _ => DecompressError::Damaged(words).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// The decompressed text of these bytes, and the error at its end.
    fn decompressed(bytes: &[u8]) -> (Vec<u8>, Option<String>) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let compression = Compression::of(&file).unwrap().expect("compressed");
        let mut out = Vec::new();
        let result = compression
            .decompress(file, bytes.len() as u64)
            .and_then(|mut reader| reader.read_to_end(&mut out));
        (out, result.err().map(|error| error.to_string()))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn several_streams_in_one_file_are_one_text() {
        assert_eq!(
            decompressed(&[gzip(b"a\n"), gzip(b"b\n")].concat()),
            (b"a\nb\n".to_vec(), None)
        );
        let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
        assert_eq!(
            decompressed(&[zstd(b"a\n"), zstd(b"b\n")].concat()),
            (b"a\nb\n".to_vec(), None)
        );
    }

    #[test]
    fn a_file_that_breaks_off_gives_what_it_has_and_an_error() {
        let text: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
        let whole = gzip(&text);
        let (out, error) = decompressed(whole.get(..whole.len() / 2).unwrap());
        assert!(!out.is_empty() && text.starts_with(&out));
        assert_eq!(error.as_deref(), Some("cannot be decompressed to its end: it breaks off"));
        let (out, error) = decompressed(&[gzip(b"good\n"), b"garbage".to_vec()].concat());
        assert_eq!(out, b"good\n");
        assert!(error.unwrap().starts_with("cannot be decompressed to its end: "));
    }

    #[test]
    fn bombs_end_at_the_limit() {
        let zeros = vec![0; 80 * 1024 * 1024];
        for bomb in [gzip(&zeros), zstd::encode_all(zeros.as_slice(), 3).unwrap()] {
            let (out, error) = decompressed(&bomb);
            assert!(out.len() as u64 <= (bomb.len() as u64 * MAX_RATIO).max(FREE_SIZE));
            assert!(error.unwrap().contains("times its size: the rest was not searched"));
        }
    }

    #[test]
    fn what_needs_too_much_memory_is_refused() {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(26).unwrap();
        encoder.write_all(&vec![b'x'; 1000]).unwrap();
        let (_, error) = decompressed(&encoder.finish().unwrap());
        assert_eq!(
            error.as_deref(),
            Some("cannot be decompressed: it needs more than 16 MiB of memory")
        );
    }

    #[test]
    fn text_is_not_taken_for_compressed() {
        for text in [&b""[..], b"BZh is no header", b"\x1f\x8b", b"a log\n"] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(text).unwrap();
            assert_eq!(Compression::of(&file).unwrap(), None);
        }
    }
}
