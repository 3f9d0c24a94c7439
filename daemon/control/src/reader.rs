//! Reads frames one after the other into memory that is used again, each with one call where it is
//! there: the header of the next frame is read with it. Or only how a frame begins, so that the
//! rest can go elsewhere without a copy of it here.

use std::io::{ErrorKind, Read};

use crate::frame::{FrameError, HEADER_BYTES, length};

/// The memory that is taken for a frame before its bytes have come: what a piece of grep's output
/// needs.
const RESERVED: usize = 256 * 1024 + 1024;

/// How much of a frame is its beginning, in bytes, header included: more than stands before a piece
/// of grep's output.
const BEGINNING: usize = 512;

/// A reader of frames, blocking.
#[derive(Debug)]
pub struct FrameReader<R> {
    reader: R,
    memory: Vec<u8>,
    /// How much of the memory is the frame that was handed out.
    used: usize,
    /// How much of it was read.
    filled: usize,
}

impl<R: Read> FrameReader<R> {
    /// Nothing is read yet.
    pub fn new(reader: R) -> Self {
        FrameReader { reader, memory: Vec::new(), used: 0, filled: 0 }
    }

    /// What is read from.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// What is read from, for writing to it.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Whether a part of the next frame has come already.
    pub fn has_begun(&self) -> bool {
        self.filled > self.used
    }

    /// The body of the next frame, of at most `cap` bytes. The memory used grows with the bytes
    /// that have come, never with the length that was announced.
    ///
    /// # Errors
    /// [`FrameError::TooLong`], [`FrameError::Closed`], [`FrameError::CutShort`]; what the reader
    /// returned, a timeout included, as [`FrameError::Io`].
    pub fn body(&mut self, cap: usize) -> Result<&[u8], FrameError> {
        let end = self.end(cap, HEADER_BYTES)?;
        self.fill(end, end + HEADER_BYTES)?;
        self.used = end;
        Ok(self.memory.get(HEADER_BYTES..end).unwrap_or_default())
    }

    /// How the body of the next frame begins, and how long it is. The frame stays the next one.
    ///
    /// # Errors
    /// As [`FrameReader::body`].
    pub fn begin(&mut self, cap: usize) -> Result<(&[u8], usize), FrameError> {
        let end = self.end(cap, BEGINNING)?;
        let beginning = end.min(BEGINNING);
        self.fill(beginning, BEGINNING)?;
        Ok((self.memory.get(HEADER_BYTES..beginning).unwrap_or_default(), end - HEADER_BYTES))
    }

    /// The body of the next frame as far as it was read, what the rest is read from, and how many
    /// bytes that is: those are the caller's to take before the frame after it can be read.
    ///
    /// # Errors
    /// As [`FrameReader::body`].
    pub fn leave(&mut self, cap: usize) -> Result<(&[u8], &R, usize), FrameError> {
        let end = self.end(cap, HEADER_BYTES)?;
        self.used = end.min(self.filled);
        Ok((
            self.memory.get(HEADER_BYTES..self.used).unwrap_or_default(),
            &self.reader,
            end - self.used,
        ))
    }

    /// Where the next frame ends in the memory, at whose beginning it is then; up to `most` bytes
    /// are read for its header.
    fn end(&mut self, cap: usize, most: usize) -> Result<usize, FrameError> {
        self.memory.copy_within(self.used..self.filled, 0);
        self.filled -= std::mem::take(&mut self.used);
        self.fill(HEADER_BYTES, most)?;
        let header = self.memory.first_chunk().copied().unwrap_or_default();
        Ok(HEADER_BYTES + length(header, cap)?)
    }

    /// Reads until there are `least` bytes, and no more than `most`.
    fn fill(&mut self, least: usize, most: usize) -> Result<(), FrameError> {
        while self.filled < least {
            if self.memory.len() == self.filled {
                self.memory.resize(RESERVED.max(2 * self.filled), 0);
            }
            let most = most.min(self.memory.len());
            match self.reader.read(self.memory.get_mut(self.filled..most).unwrap_or_default()) {
                Ok(0) if self.filled == 0 => return Err(FrameError::Closed),
                Ok(0) => return Err(FrameError::CutShort),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(FrameError::Io(error)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Message, decode, encode};
    use crate::message::Reply;

    /// Gives so many bytes at a time.
    struct Slow<'b>(&'b [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = buffer.len().min(self.1);
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn frames_come_one_after_the_other_however_their_bytes_come() {
        let output =
            |count| Reply::GrepOutput { member: "vm3".to_owned(), bytes: vec![b'x'; count] };
        let replies =
            [output(3), Reply::Done, output(600_000), output(0), output(70_000), Reply::Done];
        let wire: Vec<u8> = replies.iter().flat_map(|reply| encode(reply).unwrap()).collect();
        for at_once in [1, 3, 4, 5, 7, 4096, usize::MAX] {
            let mut reader = FrameReader::new(Slow(&wire, at_once));
            for reply in &replies {
                assert_eq!(decode::<Reply>(reader.body(Reply::CAP).unwrap()).unwrap(), *reply);
            }
            assert!(!reader.has_begun());
            assert!(matches!(reader.body(Reply::CAP), Err(FrameError::Closed)));
        }
    }

    #[test]
    fn a_frame_that_was_begun_is_read_on_with_or_left_to_the_caller() {
        let replies: Vec<Reply> = [3, 600_000, 0, 500, 501, 470, 70_000]
            .map(|count| Reply::GrepOutput { member: "vm3".to_owned(), bytes: vec![b'x'; count] })
            .into();
        let wire: Vec<u8> = replies.iter().flat_map(|reply| encode(reply).unwrap()).collect();
        for (at_once, every) in [1, 3, 7, 511, 512, 4096, usize::MAX]
            .into_iter()
            .flat_map(|at_once| [(at_once, 1), (at_once, 2)])
        {
            let mut reader = FrameReader::new(Slow(&wire, at_once));
            for (number, reply) in replies.iter().enumerate() {
                let (begun, length) = reader.begin(Reply::CAP).unwrap();
                let begun = begun.to_vec();
                assert_eq!(begun.len(), length.min(BEGINNING - HEADER_BYTES));
                let body = if number % every == 0 {
                    let (read, _, left) = reader.leave(Reply::CAP).unwrap();
                    let mut body = read.to_vec();
                    reader.get_mut().take(left as u64).read_to_end(&mut body).unwrap();
                    body
                } else {
                    reader.body(Reply::CAP).unwrap().to_vec()
                };
                assert_eq!((body.len(), &body[..begun.len()]), (length, begun.as_slice()));
                assert_eq!(decode::<Reply>(&body).unwrap(), *reply);
            }
            assert!(matches!(reader.begin(Reply::CAP), Err(FrameError::Closed)));
        }
    }

    #[test]
    fn an_end_between_frames_is_told_from_an_end_within_one() {
        let frame = encode(&Reply::Done).unwrap();
        for cut in 1..frame.len() {
            assert!(
                matches!(
                    FrameReader::new(&frame[..cut]).body(Reply::CAP),
                    Err(FrameError::CutShort)
                ),
                "{cut}"
            );
        }
    }

    #[test]
    fn a_length_that_lies_takes_little_memory() {
        let mut reader = FrameReader::new(&b"\x00\x0f\xff\xffabc"[..]);
        assert!(matches!(reader.body(Reply::CAP), Err(FrameError::CutShort)));
        assert!(reader.memory.len() <= RESERVED);
        assert!(matches!(
            FrameReader::new(&[0xff; 8][..]).body(Reply::CAP),
            Err(FrameError::TooLong { .. })
        ));
    }
}
