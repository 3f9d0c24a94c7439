//! Frames on connections between members: a big-endian `u32` length and that many bytes.

use crate::seal::alert::Alert;
use std::io::{self, IoSlice};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The memory that is taken for a frame before its bytes have come.
const RESERVED: usize = 64 * 1024;

/// Reads a frame of at most `cap` bytes.
///
/// # Errors
/// When the connection ends or breaks, with [`io::ErrorKind::InvalidData`] when the frame is longer
/// than `cap`, and with the words of an [`Alert`] when that is what came: the other side speaks
/// sealed.
pub async fn read(stream: &mut (impl AsyncRead + Unpin), cap: usize) -> io::Result<Vec<u8>> {
    let length = read_length(stream, cap).await?;
    read_body(stream, length).await
}

/// Reads the length that begins a frame of at most `cap` bytes.
///
/// # Errors
/// As [`read`]'s.
pub async fn read_length(stream: &mut (impl AsyncRead + Unpin), cap: usize) -> io::Result<usize> {
    length(stream.read_u32().await?.to_be_bytes(), cap)
}

/// The length that a frame's first bytes announce.
///
/// # Errors
/// [`read`]'s, but those of the connection.
pub fn length(header: [u8; 4], cap: usize) -> io::Result<usize> {
    let length = usize::try_from(u32::from_be_bytes(header)).unwrap_or(usize::MAX);
    if length > cap {
        let [first, ..] = header;
        if let Some(alert) = Alert::from_first_byte(first) {
            return Err(alert.into());
        }
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes is longer than {cap}"),
        ));
    }
    Ok(length)
}

/// Reads the rest of a frame.
///
/// # Errors
/// As [`read`]'s.
pub async fn read_body(
    stream: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> io::Result<Vec<u8>> {
    // Beyond that it grows as bytes come, so that a length alone costs little.
    let mut bytes = Vec::with_capacity(length.min(RESERVED));
    let taken =
        stream.take(u64::try_from(length).unwrap_or(u64::MAX)).read_to_end(&mut bytes).await?;
    if taken < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// Writes a frame made of some parts, and flushes it.
///
/// # Errors
/// When the connection breaks, and with [`io::ErrorKind::InvalidInput`] when the parts do not fit
/// into a frame.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), parts: &[&[u8]]) -> io::Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let announced =
        u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let header = announced.to_be_bytes();
    // All but a long last part in one piece, and both with one call: a header by itself would be a
    // packet by itself.
    let (last, before) = parts.split_last().unwrap_or((&(&[] as &[u8]), &[]));
    let mut head: Vec<u8> =
        [&header[..]].iter().chain(before).flat_map(|part| part.iter().copied()).collect();
    let mut tail = *last;
    if tail.len() <= 4_096 {
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
