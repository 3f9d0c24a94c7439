//! The text of compressed files, within bounds of memory and size: one member after the other, in
//! whatever formats.

mod decoder;
mod head;
mod input;
mod lz4_legacy;
mod lzma;
mod members;
mod zstd_window;

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::sync::atomic::AtomicBool;

use crate::memory::NoMemory;
pub(crate) use head::Compression;
use members::Members;

/// How many bytes are a mebibyte.
const MEBIBYTE: u64 = 1024 * 1024;

/// The window that every file may have, in bytes. Those of gzip are smaller.
const FREE_WINDOW: u64 = MEBIBYTE / 2;

/// What a decoder needs beside its window, in bytes.
const BESIDE_WINDOW: u64 = MEBIBYTE / 2;

/// The size that every file may decompress to, in bytes.
const FREE_SIZE: u64 = 64 * MEBIBYTE;

/// Larger texts may have this many times the file's own size. Logs reach 10 to 50, and bombs 1,000
/// (gzip) and more.
const MAX_RATIO: u64 = 250;

/// Asks for the right to hold a window of this many bytes in place of a former one. It fails if
/// others have the memory for too long.
pub(crate) type WindowClaim<'r> = Box<dyn Fn(usize) -> io::Result<()> + 'r>;

/// Why decompression ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecompressError {
    #[error("is compressed with {0}, which is not read: use gzip, bzip2, lz4, xz or zstd")]
    Unread(&'static str),
    #[error("is encrypted, so it cannot be read")]
    Encrypted,
    #[error("is no text, and not in the format that its name says ({0}), so it cannot be read")]
    Misnamed(&'static str),
    #[error("cannot be decompressed to its end: {0}")]
    Damaged(String),
    #[error("cannot be decompressed: it needs more memory than can be had")]
    TooMuchMemory,
    #[error(
        "needs {mebibytes} MiB of memory to be decompressed, and {reason}: the rest of the file \
        was not searched"
    )]
    Taken { mebibytes: usize, reason: NoMemory },
    #[error(
        "needs {mebibytes} MiB of memory to be decompressed, for which limits.search_memory must \
        be {setting}MiB or more: the rest of the file was not searched"
    )]
    NoRoom { mebibytes: usize, setting: usize },
    #[error(
        "needs {0} MiB of memory to be decompressed, and other files that are sorted by time, or \
        other searches, have it: the rest of the file was not searched"
    )]
    TakenByMerge(usize),
    #[error("decompresses to more than {} MiB, which is over {MAX_RATIO} times its size: the rest \
    was not searched", .0 / MEBIBYTE)]
    Bomb(u64),
}

impl From<DecompressError> for io::Error {
    fn from(error: DecompressError) -> io::Error {
        io::Error::other(error)
    }
}

impl DecompressError {
    /// The file ends within a member.
    fn cut() -> DecompressError {
        DecompressError::Damaged("it breaks off".to_owned())
    }
}

impl Compression {
    /// The decompressed text of `file`, which has `size` bytes: all its members, one after the
    /// other. It calls `claim` before it takes more memory than every file may have.
    ///
    /// # Errors
    /// When this format is not read.
    pub(crate) fn decompress<'r>(
        self,
        file: File,
        size: u64,
        claim: WindowClaim<'r>,
        cancel: &'r AtomicBool,
    ) -> io::Result<impl Read + use<'r>> {
        let inner = Members::begin(self, file, claim, cancel)?;
        let limit = size.saturating_mul(MAX_RATIO).max(FREE_SIZE);
        Ok(Bounded { inner, left: limit, limit })
    }
}

/// Claims the memory for a window of this many bytes, unless every file may have it. One that grows
/// is copied when it does, so that half of it is there twice. How large a window may be is for the
/// claim to say.
fn claim_window(claim: &WindowClaim<'_>, window: u64, grows: bool) -> io::Result<()> {
    if window <= FREE_WINDOW {
        return Ok(());
    }
    let copied = if grows { window / 2 } else { 0 };
    let bytes = window.saturating_add(copied).saturating_add(BESIDE_WINDOW);
    claim(usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// A decompressor's output, up to a limit.
struct Bounded<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer).map_err(in_words)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => self.left = left,
            None => return Err(DecompressError::Bomb(self.limit).into()),
        }
        Ok(read)
    }
}

/// What zstd and lzma-rust2 say of a window that is too large.
const TOO_LARGE: [&str; 2] = ["too much memory", "dict size too large"];

/// Converts a decompressor's error. Errors of the file below it stay what they are.
fn in_words(error: io::Error) -> io::Error {
    let is_ours = matches!(error.get_ref(), Some(inner) if inner.is::<DecompressError>());
    if is_ours || error.raw_os_error().is_some() {
        return error;
    }
    let words = error.to_string();
    match error.kind() {
        ErrorKind::OutOfMemory => DecompressError::TooMuchMemory.into(),
        _ if TOO_LARGE.iter().any(|part| words.contains(part)) => {
            DecompressError::TooMuchMemory.into()
        }
        ErrorKind::UnexpectedEof => DecompressError::cut().into(),
        _ => DecompressError::Damaged(words).into(),
    }
}

#[cfg(test)]
#[path = "compressed/samples.rs"]
mod samples;
#[cfg(test)]
#[path = "compressed/tests.rs"]
mod tests;
