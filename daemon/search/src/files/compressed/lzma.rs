//! Decompresses one stream of xz, one member of lzip, or a `.lzma` file.

use std::io::{self, BufRead as _, ErrorKind};

use lzma_rust2::{Action, LzipStream, LzmaStream, Status, StreamResult, XzStream};

use super::input::Input;
use super::{DecompressError, WindowClaim, claim_window};

/// The least that these decoders count beside the window, in KiB.
const BESIDE_KIB: u32 = 10;

/// The memory that every file may have, in KiB: [`FREE_WINDOW`](super::FREE_WINDOW).
const FREE_KIB: u32 = 512;

/// A stream that is being decompressed.
pub(super) struct LzmaDecoder {
    stream: Stream,
    input: Input,
    /// The memory that it may have, in KiB.
    limit_kib: u32,
    is_over: bool,
    /// What is wrong behind the text that was handed on.
    failure: Option<io::Error>,
}

enum Stream {
    Xz(XzStream),
    Lzip(LzipStream),
    Lzma(LzmaStream),
}

/// What one call of a stream did.
struct Step {
    used: usize,
    made: usize,
    is_over: bool,
    failure: Option<io::Error>,
}

impl LzmaDecoder {
    pub(super) fn of_xz(input: Input) -> LzmaDecoder {
        LzmaDecoder::new(Stream::Xz(XzStream::new_mem_limit(false, FREE_KIB)), input)
    }

    pub(super) fn of_lzip(input: Input) -> LzmaDecoder {
        LzmaDecoder::new(Stream::Lzip(LzipStream::new_mem_limit(false, FREE_KIB)), input)
    }

    pub(super) fn of_lzma(input: Input) -> LzmaDecoder {
        LzmaDecoder::new(Stream::Lzma(LzmaStream::new_mem_limit(FREE_KIB, None)), input)
    }

    fn new(stream: Stream, input: Input) -> LzmaDecoder {
        LzmaDecoder { stream, input, limit_kib: FREE_KIB, is_over: false, failure: None }
    }

    /// Reads more of the text; nothing at its end.
    pub(super) fn read(&mut self, buffer: &mut [u8], claim: &WindowClaim<'_>) -> io::Result<usize> {
        while !self.is_over {
            if let Some(failure) = self.failure.take() {
                self.heal(failure, claim)?;
            }
            let input = self.input.fill_buf()?;
            let is_last = input.is_empty();
            let Step { used, made, is_over, failure } = self.stream.step(input, buffer);
            self.input.consume(used);
            self.is_over = is_over;
            self.failure = failure;
            if is_over {
                self.input.unread(self.stream.unused())?;
            }
            if made > 0 {
                return Ok(made);
            }
            if is_last && !is_over && self.failure.is_none() {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }

    /// Goes on after a failure if only the limit of memory was too small.
    fn heal(&mut self, failure: io::Error, claim: &WindowClaim<'_>) -> io::Result<()> {
        if failure.kind() != ErrorKind::OutOfMemory {
            return Err(failure);
        }
        let needed_kib = self.stream.needed_kib();
        if needed_kib <= self.limit_kib {
            // The system has no memory.
            return Err(DecompressError::TooMuchMemory.into());
        }
        claim_window(claim, u64::from(needed_kib.saturating_sub(BESIDE_KIB)) * 1024, true)?;
        self.limit_kib = needed_kib;
        self.stream.set_limit(needed_kib);
        Ok(())
    }

    /// The rest of the file, behind the stream.
    pub(super) fn into_input(self) -> Input {
        self.input
    }
}

impl Stream {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let action = if input.is_empty() { Action::Finish } else { Action::Run };
        let (used, made) = self.totals();
        let result = match self {
            Stream::Xz(stream) => stream.process(input, output, action),
            Stream::Lzip(stream) => stream.process(input, output, action),
            Stream::Lzma(stream) => stream.process(input, output, action),
        };
        match result {
            Ok(StreamResult { bytes_consumed, bytes_produced, status }) => Step {
                used: bytes_consumed,
                made: bytes_produced,
                is_over: status == Status::StreamEnd,
                failure: None,
            },
            // It may have used and made some before it failed.
            Err(failure) => {
                let (used_now, made_now) = self.totals();
                let bytes = |before: u64, now: u64, most: usize| {
                    usize::try_from(now - before).unwrap_or(usize::MAX).min(most)
                };
                Step {
                    used: bytes(used, used_now, input.len()),
                    made: bytes(made, made_now, output.len()),
                    is_over: false,
                    failure: Some(failure),
                }
            }
        }
    }

    /// How many bytes it has used and made.
    fn totals(&self) -> (u64, u64) {
        match self {
            Stream::Xz(stream) => (stream.total_in(), stream.total_out()),
            Stream::Lzip(stream) => (stream.total_in(), stream.total_out()),
            Stream::Lzma(stream) => (stream.total_in(), stream.total_out()),
        }
    }

    /// How many of the last bytes do not belong to it, once it is over.
    fn unused(&self) -> usize {
        match self {
            Stream::Xz(_) => 0,
            Stream::Lzip(stream) => stream.unused_input().len(),
            Stream::Lzma(stream) => stream.unused_input().len(),
        }
    }

    /// The memory that it needs, in KiB.
    fn needed_kib(&self) -> u32 {
        let needed = match self {
            Stream::Xz(stream) => stream.memory_usage(),
            Stream::Lzip(stream) => stream.memory_usage(),
            Stream::Lzma(stream) => stream.memory_usage(),
        };
        needed.unwrap_or(u32::MAX)
    }

    fn set_limit(&mut self, limit_kib: u32) {
        match self {
            Stream::Xz(stream) => stream.set_mem_limit(limit_kib),
            Stream::Lzip(stream) => stream.set_mem_limit(limit_kib),
            Stream::Lzma(stream) => stream.set_mem_limit(limit_kib),
        }
    }
}
