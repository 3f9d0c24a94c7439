//! Reads and writes frames with tokio's streams. Owns nothing: the caller has the stream and, where
//! it reads more than one frame, the decoder.

use crate::seal::alert::Alert;
use memberd_control::frame::{FrameDecoder, FrameError, Part, header};
use std::io::{self, IoSlice};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The memory that is taken for a frame before its bytes have come.
pub(crate) const RESERVE_BYTES: usize = 64 * 1024;

/// A last part of up to this many bytes is copied behind the header, so that both go out in one
/// piece.
const COPIED_BYTES: usize = 4_096;

/// Reads until this part of the next frame is there. It can be dropped and called again: the
/// decoder keeps what came.
///
/// # Errors
/// Those of [`FrameDecoder`], and [`FrameError::Io`] when the connection breaks.
pub async fn read_part<const PREFIX: usize>(
    stream: &mut (impl AsyncRead + Unpin),
    decoder: &mut FrameDecoder<PREFIX>,
    part: Part,
    cap: usize,
) -> Result<(), FrameError> {
    while let Some(space) = decoder.space(part, cap)? {
        let count = stream.read(space).await.map_err(FrameError::Io)?;
        decoder.advance(count)?;
    }
    Ok(())
}

/// Reads a frame of at most `cap` bytes, and nothing after it.
///
/// # Errors
/// Those of [`read_part`], as [`io_error`] has them.
pub async fn read(stream: &mut (impl AsyncRead + Unpin), cap: usize) -> io::Result<Vec<u8>> {
    let mut decoder = FrameDecoder::<0>::new(RESERVE_BYTES);
    read_part(stream, &mut decoder, Part::Whole, cap).await.map_err(io_error)?;
    Ok(decoder.take_owned())
}

/// Turns what was wrong with a frame into an error of the connection.
///
/// An [`Alert`] where a frame was expected looks like a length that is too long for any frame; the
/// error is that alert, with [`io::ErrorKind::PermissionDenied`]. The end of the stream becomes
/// [`io::ErrorKind::UnexpectedEof`], and a bad frame [`io::ErrorKind::InvalidData`].
pub fn io_error(error: FrameError) -> io::Error {
    match error {
        FrameError::Io(error) => error,
        FrameError::Closed | FrameError::CutShort => io::ErrorKind::UnexpectedEof.into(),
        FrameError::TooLong { length, .. } => match alert(length) {
            Some(alert) => alert.into(),
            None => io::Error::new(io::ErrorKind::InvalidData, error),
        },
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

/// The alert that came where this length was read.
fn alert(length: usize) -> Option<Alert> {
    let [first, ..] = u32::try_from(length).ok()?.to_be_bytes();
    Alert::from_first_byte(first)
}

/// Writes a frame whose body is these parts, and flushes it.
///
/// # Errors
/// When the connection breaks, and with [`io::ErrorKind::InvalidInput`] when the parts do not fit
/// into a frame.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), parts: &[&[u8]]) -> io::Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let header =
        header(length, usize::MAX).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // All but a long last part goes out in one piece, and both with one call: a header by itself
    // would be a packet by itself.
    let (last, before) = parts.split_last().unwrap_or((&(&[] as &[u8]), &[]));
    let mut head: Vec<u8> =
        [&header[..]].iter().chain(before).flat_map(|part| part.iter().copied()).collect();
    let mut tail = *last;
    if tail.len() <= COPIED_BYTES {
        head.extend_from_slice(std::mem::take(&mut tail));
    }
    write_both(stream, &head, tail).await?;
    stream.flush().await
}

/// Writes two parts with one call, if they can be taken at once.
///
/// # Errors
/// When the connection breaks.
pub async fn write_both(
    stream: &mut (impl AsyncWrite + Unpin),
    head: &[u8],
    tail: &[u8],
) -> io::Result<()> {
    let mut slices = [IoSlice::new(head), IoSlice::new(tail)];
    let mut left = &mut slices[..];
    while !left.is_empty() {
        let written = stream.write_vectored(left).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut left, written);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frame_comes_back_as_it_went() {
        for (parts, body) in [
            (&[&b"ab"[..], b"", b"c"][..], b"abc".to_vec()),
            (&[b"ab", &[7; 5_000]], [b"ab", &[7; 5_000][..]].concat()),
            (&[], Vec::new()),
        ] {
            let mut wire = Vec::new();
            write(&mut wire, parts).await.unwrap();
            wire.extend(b"rest");
            let mut rest = wire.as_slice();
            assert_eq!(read(&mut rest, 10_000).await.unwrap(), body);
            assert_eq!(rest, b"rest");
        }
    }

    /// An alert where a frame was expected is an error of its own.
    #[tokio::test]
    async fn an_alert_is_not_taken_for_a_frame() {
        let error = read(&mut &Alert::Version.to_bytes()[..], 1_000).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(error.to_string(), Alert::Version.to_string());
        let error = read(&mut &[0, 0, 4, 0][..], 1_000).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let error = read(&mut &[0, 0, 0, 4, 1][..], 1_000).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
