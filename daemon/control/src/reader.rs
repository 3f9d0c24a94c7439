//! Reads frames one after the other into memory that is used again, each with one call where it is there: the header of the next frame
//! is read with it.

use std::io::{ErrorKind, Read};

use crate::frame::{FrameError, HEADER_BYTES, length};

/// The memory that is taken for a frame before its bytes have come: what a piece of grep's output needs.
const RESERVED: usize = 256 * 1024 + 1024;

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

    /// The body of the next frame, of at most `cap` bytes. The memory used grows with the bytes that have come, never with the length
    /// that was announced.
    ///
    /// # Errors
    /// [`FrameError::TooLong`], [`FrameError::Closed`], [`FrameError::CutShort`]; what the reader returned, a timeout included, as
    /// [`FrameError::Io`].
    pub fn body(&mut self, cap: usize) -> Result<&[u8], FrameError> {
        self.memory.copy_within(self.used..self.filled, 0);
        self.filled -= std::mem::take(&mut self.used);
        self.fill(HEADER_BYTES, HEADER_BYTES)?;
        let header = self.memory.first_chunk().copied().unwrap_or_default();
        let end = HEADER_BYTES + length(header, cap)?;
        self.fill(end, end + HEADER_BYTES)?;
        self.used = end;
        Ok(self.memory.get(HEADER_BYTES..end).unwrap_or_default())
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
        let output = |count| Reply::GrepOutput { member: "vm3".to_owned(), bytes: vec![b'x'; count] };
        let replies = [output(3), Reply::Done, output(600_000), output(0), output(70_000), Reply::Done];
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
    fn an_end_between_frames_is_told_from_an_end_within_one() {
        let frame = encode(&Reply::Done).unwrap();
        for cut in 1..frame.len() {
            assert!(matches!(FrameReader::new(&frame[..cut]).body(Reply::CAP), Err(FrameError::CutShort)), "{cut}");
        }
    }

    #[test]
    fn a_length_that_lies_takes_little_memory() {
        let mut reader = FrameReader::new(&b"\x00\x0f\xff\xffabc"[..]);
        assert!(matches!(reader.body(Reply::CAP), Err(FrameError::CutShort)));
        assert!(reader.memory.len() <= RESERVED);
        assert!(matches!(FrameReader::new(&[0xff; 8][..]).body(Reply::CAP), Err(FrameError::TooLong { .. })));
    }
}
