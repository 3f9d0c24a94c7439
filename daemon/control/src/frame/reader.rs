//! Reads and writes frames with blocking streams. It owns a stream and the decoder of its frames,
//! whose memory serves all frames in turn.

use super::{FrameDecoder, FrameError, Message, Part, decode, encode};
use std::io::{ErrorKind, Read, Write};

/// The memory that is reserved for a frame before its bytes arrive. It is enough for a piece of
/// grep's output.
const RESERVE_BYTES: usize = 256 * 1024 + 1024;

/// The bytes of a body that count as its beginning. They are more than precede a piece of grep's
/// output.
const BEGINNING_BYTES: usize = 508;

/// Reads one message, and blocks meanwhile. Nothing after it is read. The memory grows with the
/// received bytes, never with the announced length.
///
/// # Errors
/// Any of [`FrameError`]; what the reader returned, a timeout included, as [`FrameError::Io`].
pub fn read_frame<M: Message>(reader: &mut impl Read) -> Result<M, FrameError> {
    let mut decoder = FrameDecoder::new(RESERVE_BYTES);
    read_part(reader, &mut decoder, Part::Whole, M::CAP)?;
    decode(decoder.take())
}

/// Writes one message and flushes, and blocks meanwhile.
///
/// # Errors
/// [`FrameError::TooLong`], or [`FrameError::Io`].
pub fn write_frame<M: Message>(writer: &mut impl Write, message: &M) -> Result<(), FrameError> {
    let frame = encode(message)?;
    writer.write_all(&frame).map_err(FrameError::Io)?;
    writer.flush().map_err(FrameError::Io)
}

/// A blocking reader of frames.
///
/// If a frame has arrived, one read of the stream gets it, with the length of the next. A caller
/// can also take the beginning of a frame only, and read the rest from the stream without a copy
/// here.
#[derive(Debug)]
pub struct FrameReader<R> {
    reader: R,
    decoder: FrameDecoder,
}

impl<R: Read> FrameReader<R> {
    /// A reader that has read nothing yet.
    pub fn new(reader: R) -> Self {
        FrameReader { reader, decoder: FrameDecoder::new(RESERVE_BYTES) }
    }

    /// The stream.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The stream, for writing to it.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// Whether a part of the next frame was received already.
    pub fn has_begun(&self) -> bool {
        self.decoder.has_begun()
    }

    /// The body of the next frame, of at most `cap` bytes. The memory grows with the received
    /// bytes, never with the announced length.
    ///
    /// # Errors
    /// [`FrameError::TooLong`], [`FrameError::Closed`], [`FrameError::CutShort`]; what the reader
    /// returned, a timeout included, as [`FrameError::Io`].
    pub fn body(&mut self, cap: usize) -> Result<&[u8], FrameError> {
        read_part(&mut self.reader, &mut self.decoder, Part::WholeAndNextHead, cap)?;
        Ok(self.decoder.take())
    }

    /// The beginning of the next frame's body, and the body's length. The frame stays the next one.
    ///
    /// # Errors
    /// As [`FrameReader::body`].
    pub fn begin(&mut self, cap: usize) -> Result<(&[u8], usize), FrameError> {
        let part = Part::Beginning(BEGINNING_BYTES);
        read_part(&mut self.reader, &mut self.decoder, part, cap)?;
        let begun = self.decoder.begun();
        let beginning = begun.get(..begun.len().min(BEGINNING_BYTES)).unwrap_or_default();
        Ok((beginning, self.decoder.body_bytes()))
    }

    /// The part of the next frame's body that was read, the stream, and the number of bytes that
    /// are left there. The caller must read those before it reads another frame.
    ///
    /// # Errors
    /// As [`FrameReader::body`].
    pub fn leave(&mut self, cap: usize) -> Result<(&[u8], &R, usize), FrameError> {
        read_part(&mut self.reader, &mut self.decoder, Part::Head, cap)?;
        let body_bytes = self.decoder.body_bytes();
        let begun = self.decoder.take();
        Ok((begun, &self.reader, body_bytes - begun.len()))
    }
}

/// Reads until this part of the next frame is complete.
fn read_part(
    reader: &mut impl Read,
    decoder: &mut FrameDecoder,
    part: Part,
    cap: usize,
) -> Result<(), FrameError> {
    while let Some(space) = decoder.space(part, cap)? {
        match reader.read(space) {
            Ok(count) => decoder.advance(count)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(FrameError::Io(error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Hello, Reply};

    /// A stream that gives this many bytes at a time.
    struct Slow<'b>(&'b [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = buffer.len().min(self.1);
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn frames_come_in_turn_however_their_bytes_come() {
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

    /// After its beginning, a frame is read whole or left to the caller.
    #[test]
    fn a_begun_frame_is_read_whole_or_left_to_the_caller() {
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
                assert_eq!(begun.len(), length.min(BEGINNING_BYTES));
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
    fn read_frame_tells_an_end_between_frames_from_one_within() {
        let hello = Hello { protocol: 1, program: "memberctl 0.1.0".to_owned() };
        let frame = encode(&hello).unwrap();
        let end = |bytes: &[u8]| read_frame::<Hello>(&mut &*bytes).unwrap_err();
        assert!(matches!(end(&[]), FrameError::Closed));
        for cut in 1..frame.len() {
            assert!(matches!(end(&frame[..cut]), FrameError::CutShort), "{cut}");
        }
    }

    #[test]
    fn an_end_within_a_frame_is_an_error() {
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
    fn an_announced_length_takes_little_memory() {
        let mut reader = FrameReader::new(&b"\x00\x0f\xff\xffabc"[..]);
        assert!(matches!(reader.body(Reply::CAP), Err(FrameError::CutShort)));
        let space = reader.decoder.space(Part::Whole, Reply::CAP).unwrap();
        assert!(space.unwrap().len() <= RESERVE_BYTES);
        assert!(matches!(
            FrameReader::new(&[0xff; 8][..]).body(Reply::CAP),
            Err(FrameError::TooLong { .. })
        ));
    }
}
