//! Reads the members of a compressed file, one after the other. Each may be in another format.

use std::fs::File;
use std::io::{self, BufRead as _, Read};
use std::sync::atomic::{AtomicBool, Ordering};

use super::decoder::Decoder;
use super::head::{Compression, HEAD_BYTES};
use super::input::Input;
use super::{DecompressError, WindowClaim};

/// How long the head of a skippable frame is: its magic number and its length.
const SKIPPABLE_HEAD: u64 = 8;

/// The text of all members of a file.
pub(super) struct Members<'r> {
    state: State,
    claim: WindowClaim<'r>,
    cancel: &'r AtomicBool,
}

enum State {
    /// Before the first member, which is known.
    Beginning(Input, Compression),
    /// Behind a member.
    Between(Input),
    Within(Decoder),
    Over,
}

impl<'r> Members<'r> {
    /// Begins with the first member, which is compressed like `first`.
    ///
    /// # Errors
    /// When this format is not read.
    pub(super) fn begin(
        first: Compression,
        file: File,
        claim: WindowClaim<'r>,
        cancel: &'r AtomicBool,
    ) -> io::Result<Members<'r>> {
        match first {
            Compression::Unread(name) => Err(DecompressError::Unread(name).into()),
            Compression::Encrypted => Err(DecompressError::Encrypted.into()),
            Compression::Misnamed(name) => Err(DecompressError::Misnamed(name).into()),
            _ => Ok(Members { state: State::Beginning(Input::new(file), first), claim, cancel }),
        }
    }

    /// The decoder of a member that is compressed like this.
    fn start(&self, compression: Compression, input: Input) -> io::Result<State> {
        Decoder::new(compression, input, &self.claim).map(State::Within)
    }

    /// Goes on to the next member that has a text.
    fn next(&self, mut input: Input) -> io::Result<State> {
        loop {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(io::Error::other("cancelled"));
            }
            let mut head = [0; HEAD_BYTES];
            let head = input.peek(&mut head)?;
            match (Compression::of_head(head), head) {
                (_, []) => return Ok(State::Over),
                // Padding: of tapes, of devices, and of streams of xz.
                (_, [0, ..]) => skip_zeros(&mut input)?,
                (Some(Compression::Skippable), _) => {
                    let length = head.get(4..).and_then(|rest| rest.first_chunk());
                    let length = length.ok_or_else(DecompressError::cut)?;
                    input.skip(SKIPPABLE_HEAD + u64::from(u32::from_le_bytes(*length)))?;
                }
                (
                    Some(
                        compression @ (Compression::Gzip
                        | Compression::Zstd
                        | Compression::Xz
                        | Compression::Lzip
                        | Compression::Bzip2
                        | Compression::Lz4
                        | Compression::Lz4Legacy),
                    ),
                    _,
                ) => return self.start(compression, input),
                _ => {
                    let words = "other data follows what is compressed".to_owned();
                    return Err(DecompressError::Damaged(words).into());
                }
            }
        }
    }
}

/// Skips the zeros that are next, at most a load of them.
fn skip_zeros(input: &mut Input) -> io::Result<()> {
    let zeros = input.fill_buf()?.iter().take_while(|byte| **byte == 0).count();
    input.consume(zeros);
    Ok(())
}

impl Read for Members<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Ok(0),
                // What follows a skippable frame is not known yet.
                State::Beginning(input, Compression::Skippable) => self.next(input)?,
                State::Beginning(input, compression) => self.start(compression, input)?,
                State::Between(input) => self.next(input)?,
                State::Within(mut decoder) => match decoder.read(buffer, &self.claim) {
                    Ok(0) => State::Between(decoder.into_input()),
                    result => {
                        self.state = State::Within(decoder);
                        return result;
                    }
                },
            };
        }
    }
}
