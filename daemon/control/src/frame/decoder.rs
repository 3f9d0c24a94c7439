//! Splits a stream of bytes into frames, without I/O. Only this file reads the length of a frame.
//! It owns the received bytes that the caller has not taken yet.
//!
//! The owner of the stream gets room for the next bytes from [`FrameDecoder::space`], and reads
//! into it. It reports the number of bytes with [`FrameDecoder::advance`], until no more are
//! needed:
//!
//! ```
//! use memberd_control::frame::{FrameDecoder, FrameError, Part};
//! use std::io::Read;
//!
//! let mut stream = &b"\0\0\0\x02hi"[..];
//! let mut decoder = FrameDecoder::<0>::new(1024);
//! while let Some(space) = decoder.space(Part::Whole, 10)? {
//!     let count = stream.read(space).map_err(FrameError::Io)?;
//!     decoder.advance(count)?;
//! }
//! assert_eq!(decoder.take(), b"hi");
//! # Ok::<(), FrameError>(())
//! ```

use super::{FrameError, HEADER_BYTES, length};

/// The part of the next frame that the caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Its length and its prefix. Nothing after these is read.
    Head,
    /// The head, and up to this many bytes of the body. Up to that many bytes are read at once,
    /// even if the frame is shorter.
    Beginning(usize),
    /// The whole frame. Nothing after it is read.
    Whole,
    /// The whole frame. The head of the next one is read with it, if it has arrived.
    WholeAndNextHead,
}

/// A decoder of frames whose bodies begin with `PREFIX` bytes, which describe the rest.
///
/// The memory grows with the received bytes, never with the announced length.
#[derive(Debug)]
pub struct FrameDecoder<const PREFIX: usize = 0> {
    /// The received bytes in their order, without the present frame's head.
    memory: Vec<u8>,
    /// How many bytes of the memory the caller has taken. They can be dropped.
    used: usize,
    /// How many bytes of the memory are filled with received bytes.
    filled: usize,
    /// The head of the present frame; `None` until it is whole.
    head: Option<Head<PREFIX>>,
    /// How much memory is reserved before the bytes arrive.
    reserve_bytes: usize,
}

/// The head of a frame: the bytes before its body.
#[derive(Debug, Clone, Copy)]
struct Head<const PREFIX: usize> {
    prefix: [u8; PREFIX],
    /// The length of the body without the prefix.
    body_bytes: usize,
}

impl<const PREFIX: usize> FrameDecoder<PREFIX> {
    /// The number of bytes of a frame's head.
    const HEAD_BYTES: usize = HEADER_BYTES + PREFIX;

    /// A decoder at the beginning of a stream. It reserves up to this much memory for a frame
    /// before the bytes arrive.
    pub fn new(reserve_bytes: usize) -> Self {
        let reserve_bytes = reserve_bytes.max(Self::HEAD_BYTES);
        FrameDecoder { memory: Vec::new(), used: 0, filled: 0, head: None, reserve_bytes }
    }

    /// The room for the next bytes of the stream; `None` when this part of the frame is complete.
    /// The body, its prefix included, may have up to `cap` bytes.
    ///
    /// # Errors
    /// [`FrameError::TooLong`], and [`FrameError::Malformed`] when there is no room for the prefix.
    pub fn space(&mut self, part: Part, cap: usize) -> Result<Option<&mut [u8]>, FrameError> {
        self.forget_used();
        let (wanted, most) = match (self.read_head(cap)?, part) {
            (None, Part::Beginning(bytes)) => (Self::HEAD_BYTES, Self::HEAD_BYTES + bytes),
            (None, _) => (Self::HEAD_BYTES, Self::HEAD_BYTES),
            (Some(_), Part::Head) => (0, 0),
            (Some(body), Part::Beginning(bytes)) => (body.min(bytes), bytes),
            (Some(body), Part::Whole) => (body, body),
            (Some(body), Part::WholeAndNextHead) => (body, body + Self::HEAD_BYTES),
        };
        if self.filled >= wanted {
            return Ok(None);
        }
        let end = most.min(self.reserve_bytes.max(2 * self.filled));
        if self.memory.len() < end {
            self.memory.resize(end, 0);
        }
        let end = most.min(self.memory.len());
        Ok(self.memory.get_mut(self.filled..end))
    }

    /// Notes how many bytes the caller put into the space; 0 is the end of the stream.
    ///
    /// # Errors
    /// At the end of the stream: [`FrameError::Closed`] between two frames, and
    /// [`FrameError::CutShort`] within one.
    pub fn advance(&mut self, count: usize) -> Result<(), FrameError> {
        if count == 0 {
            return Err(match self.has_begun() {
                false => FrameError::Closed,
                true => FrameError::CutShort,
            });
        }
        self.filled = (self.filled + count).min(self.memory.len());
        Ok(())
    }

    /// Whether a part of the present frame was received.
    pub fn has_begun(&self) -> bool {
        self.head.is_some() || self.filled > self.used
    }

    /// The prefix of the present frame, or zeros until its head is complete.
    pub fn prefix(&self) -> [u8; PREFIX] {
        self.head.map_or([0; PREFIX], |head| head.prefix)
    }

    /// The length of the present frame's body without its prefix, or 0 until the head is complete.
    pub fn body_bytes(&self) -> usize {
        self.head.map_or(0, |head| head.body_bytes)
    }

    /// The received part of the present frame's body, without the prefix.
    pub fn begun(&self) -> &[u8] {
        self.memory.get(self.used..self.used + self.begun_bytes()).unwrap_or_default()
    }

    /// Like [`begun`](FrameDecoder::begun), but continues with the next frame. The caller must read
    /// the missing bytes of the body.
    pub fn take(&mut self) -> &[u8] {
        self.used = self.begun_bytes();
        self.head = None;
        self.memory.get(..self.used).unwrap_or_default()
    }

    /// Like [`take`](FrameDecoder::take), without a copy of the body.
    pub fn take_owned(&mut self) -> Vec<u8> {
        self.forget_used();
        let body_bytes = self.begun_bytes();
        let rest = self.memory.get(body_bytes..self.filled).unwrap_or_default().to_vec();
        self.filled = rest.len();
        self.head = None;
        let mut body = std::mem::replace(&mut self.memory, rest);
        body.truncate(body_bytes);
        body
    }

    fn begun_bytes(&self) -> usize {
        self.body_bytes().min(self.filled - self.used)
    }

    fn forget_used(&mut self) {
        self.memory.copy_within(self.used..self.filled, 0);
        self.filled -= std::mem::take(&mut self.used);
    }

    /// Takes the head out of the memory once it is whole. Returns the body's length without the
    /// prefix. The length is checked as soon as it has arrived, since nothing may follow.
    fn read_head(&mut self, cap: usize) -> Result<Option<usize>, FrameError> {
        if let Some(head) = self.head {
            return Ok(Some(head.body_bytes));
        }
        let came = self.memory.get(..self.filled).unwrap_or_default();
        let Some((header, rest)) = came.split_first_chunk() else { return Ok(None) };
        let body_bytes = length(*header, cap)?
            .checked_sub(PREFIX)
            .ok_or_else(|| FrameError::Malformed("it is too short".to_owned()))?;
        let Some(prefix) = rest.first_chunk().copied() else { return Ok(None) };
        self.head = Some(Head { prefix, body_bytes });
        self.memory.copy_within(Self::HEAD_BYTES..self.filled, 0);
        self.filled -= Self::HEAD_BYTES;
        Ok(Some(body_bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: usize = 1 << 20;

    /// Reads one part of a frame, from a stream that gives up to `at_once` bytes at a time.
    fn read<const PREFIX: usize>(
        decoder: &mut FrameDecoder<PREFIX>,
        wire: &mut &[u8],
        at_once: usize,
        part: Part,
    ) -> Result<(), FrameError> {
        while let Some(space) = decoder.space(part, CAP)? {
            assert!(!space.is_empty());
            let count = space.len().min(at_once).min(wire.len());
            let (came, rest) = wire.split_at(count);
            space[..count].copy_from_slice(came);
            *wire = rest;
            decoder.advance(count)?;
        }
        Ok(())
    }

    fn frame(body: &[u8]) -> Vec<u8> {
        [&u32::try_from(body.len()).unwrap().to_be_bytes(), body].concat()
    }

    /// Frames come out as they went in, with their prefix, for any split of the bytes and any order
    /// of parts.
    #[test]
    fn frames_come_out_however_their_bytes_come() {
        let bodies: Vec<Vec<u8>> = [2, 3, 700, 70_000, 2, 300_000]
            .map(|length| (0..=255).cycle().take(length).collect())
            .into();
        let wire: Vec<u8> = bodies.iter().flat_map(|body| frame(body)).collect();
        let first = [Part::Head, Part::Beginning(9), Part::Beginning(508), Part::Whole];
        for at_once in [1, 3, 5, 7, 4096, usize::MAX] {
            for (first, owned) in first.into_iter().flat_map(|part| [(part, false), (part, true)]) {
                let (mut decoder, mut rest) = (FrameDecoder::<2>::new(1_000), wire.as_slice());
                for body in &bodies {
                    let (prefix, expected) = body.split_at(2);
                    read(&mut decoder, &mut rest, at_once, first).unwrap();
                    assert_eq!(decoder.prefix(), prefix);
                    assert_eq!(decoder.body_bytes(), expected.len());
                    assert!(expected.starts_with(decoder.begun()));
                    read(&mut decoder, &mut rest, at_once, Part::WholeAndNextHead).unwrap();
                    let taken = if owned { decoder.take_owned() } else { decoder.take().to_vec() };
                    assert_eq!(taken, expected);
                }
                assert!(!decoder.has_begun());
                let end = read(&mut decoder, &mut rest, at_once, Part::Head);
                assert!(matches!(end, Err(FrameError::Closed)));
            }
        }
    }

    #[test]
    fn a_whole_frame_leaves_what_follows_on_the_stream() {
        let wire = [frame(b"one"), b"rest".to_vec()].concat();
        let (mut decoder, mut rest) = (FrameDecoder::<0>::new(100), wire.as_slice());
        read(&mut decoder, &mut rest, usize::MAX, Part::Whole).unwrap();
        assert_eq!(decoder.take(), b"one");
        assert_eq!(rest, b"rest");
    }

    #[test]
    fn the_end_within_a_frame_is_an_error_of_its_own() {
        let wire = frame(b"xy and more");
        for cut in 0..wire.len() {
            let mut decoder = FrameDecoder::<2>::new(100);
            let end = read(&mut decoder, &mut &wire[..cut], 3, Part::Whole).unwrap_err();
            match cut {
                0 => assert!(matches!(end, FrameError::Closed)),
                _ => assert!(matches!(end, FrameError::CutShort), "{cut}"),
            }
        }
    }

    /// A wrong length is refused before the prefix arrives.
    #[test]
    fn a_bad_length_is_refused_at_once() {
        for (length, too_long) in [(u32::MAX, true), (1 + (1 << 20), true), (1, false)] {
            let mut decoder = FrameDecoder::<2>::new(100);
            let mut wire = &length.to_be_bytes()[..];
            let error = read(&mut decoder, &mut wire, usize::MAX, Part::Whole).unwrap_err();
            assert_eq!(matches!(error, FrameError::TooLong { .. }), too_long);
            assert_eq!(matches!(error, FrameError::Malformed(_)), !too_long);
        }
    }

    #[test]
    fn an_announced_length_takes_little_memory() {
        let mut decoder = FrameDecoder::<0>::new(1_000);
        let end = read(&mut decoder, &mut &b"\0\x0f\xff\xffabc"[..], usize::MAX, Part::Whole);
        assert!(matches!(end, Err(FrameError::CutShort)));
        assert!(decoder.memory.len() <= 1_000);
    }
}
