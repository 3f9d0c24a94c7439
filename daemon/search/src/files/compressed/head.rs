//! Recognizes how a file is compressed: by its first bytes, and by its name only where the format
//! has no magic number.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// How many bytes are enough to recognize a member. The longest are those of a zstd frame's header.
pub(super) const HEAD_BYTES: usize = 18;

/// How many bytes are examined to find out whether a file is text.
const TEXT_BYTES: usize = 512;

/// The largest text that the header of a `.lzma` file may announce, in bytes. xz takes larger
/// numbers for another format, too.
const MAX_LZMA_TEXT: u64 = 1 << 38;

/// How a file, or a member of it, is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    /// RFC 1952.
    Gzip,
    /// RFC 8878, 3.1.1.
    Zstd,
    /// A frame without text, of zstd (RFC 8878, 3.1.2) or lz4. What follows it decides.
    Skippable,
    /// The .xz file format, version 1.2.1.
    Xz,
    /// The format of LZMA Utils. It has no magic number.
    Lzma,
    /// The lzip format, version 1.
    Lzip,
    Bzip2,
    /// The lz4 frame format, version 1.6.
    Lz4,
    /// The frames of `lz4 -l` and of Linux kernels.
    Lz4Legacy,
    /// Recognized, but not read.
    Unread(&'static str),
    /// Encrypted, as its name says.
    Encrypted,
    /// Neither text nor in the format that its name says.
    Misnamed(&'static str),
}

/// How formats begin that are recognized and not read.
const UNREAD: [(&[u8], &str); 7] = [
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x1f\x9d", "compress"),
    (b"\x89LZO\0\r\n\x1a\n", "lzop"),
    (b"LRZI\0", "lrzip"),
    (b"\xff\x06\0\0sNaPpY", "snappy"),
];

/// What a file is that ends like this, if its content is neither text nor of a known format.
const NAMED: [(&[u8], Compression); 13] = [
    (b".br", Compression::Unread("brotli")),
    (b".gpg", Compression::Encrypted),
    (b".pgp", Compression::Encrypted),
    (b".gz", Compression::Misnamed("gzip")),
    (b".zst", Compression::Misnamed("zstd")),
    (b".xz", Compression::Misnamed("xz")),
    (b".lzma", Compression::Misnamed("lzma")),
    (b".lz", Compression::Misnamed("lzip")),
    (b".bz2", Compression::Misnamed("bzip2")),
    (b".lz4", Compression::Misnamed("lz4")),
    (b".Z", Compression::Misnamed("compress")),
    (b".7z", Compression::Misnamed("7z")),
    (b".zip", Compression::Misnamed("zip")),
];

impl Compression {
    /// How `file` is compressed, which is called `path`. None for text, and for what is of no known
    /// format.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn of(file: &File, path: &Path) -> io::Result<Option<Compression>> {
        let mut head = [0; TEXT_BYTES];
        let short = read_head(file, 0, head.get_mut(..HEAD_BYTES).unwrap_or_default())?;
        if let Some(known) = Compression::of_head(head.get(..short).unwrap_or_default()) {
            return Ok(Some(known));
        }
        let name = path.file_name().unwrap_or_default().as_bytes();
        let Some((_, named)) = NAMED.iter().find(|(ending, _)| name.ends_with(ending)) else {
            return Ok(None);
        };
        let read = read_head(file, 0, &mut head)?;
        let head = head.get(..read).unwrap_or_default();
        if name.ends_with(b".lzma") && is_lzma(head) {
            return Ok(Some(Compression::Lzma));
        }
        Ok((!is_text(head)).then_some(*named))
    }

    /// How a member is compressed that begins with `head`.
    pub(super) fn of_head(head: &[u8]) -> Option<Compression> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Compression::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Compression::Zstd),
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Skippable),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compression::Xz),
            [b'L', b'Z', b'I', b'P', 1, ..] => Some(Compression::Lzip),
            // The digits of pi begin a block, and those of its square root end a stream.
            [b'B', b'Z', b'h', b'1'..=b'9', b'1', b'A', b'Y', b'&', b'S', b'Y', ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, b'r', b'E', b'8', b'P', 0x90, ..] => {
                Some(Compression::Bzip2)
            }
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Compression::Lz4),
            [0x02, 0x21, 0x4c, 0x18, ..] => Some(Compression::Lz4Legacy),
            [0x1e | 0x22..=0x27, 0xb5, 0x2f, 0xfd, ..] => {
                Some(Compression::Unread("zstd before 0.8"))
            }
            _ => UNREAD
                .iter()
                .find(|(magic, _)| head.starts_with(magic))
                .map(|(_, name)| Compression::Unread(name)),
        }
    }
}

/// Reads the bytes of `file` from `at`. Fewer come back only at its end.
pub(super) fn read_head(file: &File, at: u64, head: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = head.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + read as u64)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

/// Whether these bytes can be the header of a `.lzma` file: the rules by which liblzma tells such
/// files from others (`lzma_lzma_decoder_init`, "picky").
fn is_lzma(head: &[u8]) -> bool {
    let Some((properties, rest)) = head.split_first() else { return false };
    let Some((dictionary, rest)) = rest.split_first_chunk() else { return false };
    let Some((text, _)) = rest.split_first_chunk() else { return false };
    let (dictionary, text) = (u32::from_le_bytes(*dictionary), u64::from_le_bytes(*text));
    // A power of two, or the sum of one and the next smaller.
    let lowest = dictionary & dictionary.wrapping_neg();
    let rest = dictionary ^ lowest;
    let is_round =
        dictionary == u32::MAX || dictionary != 0 && (rest == 0 || rest == lowest.wrapping_shl(1));
    *properties < 225 && is_round && (text == u64::MAX || text < MAX_LZMA_TEXT)
}

/// Whether these first bytes of a file are text: they have no control characters that text does not
/// have. Bytes beyond ASCII are text in some encoding.
fn is_text(head: &[u8]) -> bool {
    head.iter().all(|byte| !matches!(byte, 0..=6 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f))
}
