//! Frames on connections between members: a big-endian `u32` length and that many bytes.

use crate::seal::handshake::Alert;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Reads a frame of at most `cap` bytes.
///
/// # Errors
/// When the connection ends or breaks, with [`io::ErrorKind::InvalidData`] when the frame is longer than `cap`, and with the words of an
/// [`Alert`] when that is what came: the other side speaks sealed.
pub async fn read(stream: &mut (impl AsyncRead + Unpin), cap: usize) -> io::Result<Vec<u8>> {
    let length = read_length(stream, cap).await?;
    read_body(stream, length).await
}

/// Reads the length that begins a frame of at most `cap` bytes.
///
/// # Errors
/// As [`read`]'s.
pub async fn read_length(stream: &mut (impl AsyncRead + Unpin), cap: usize) -> io::Result<usize> {
    let announced = stream.read_u32().await?;
    let length = usize::try_from(announced).unwrap_or(usize::MAX);
    if length > cap {
        let [first, ..] = announced.to_be_bytes();
        if let Some(alert) = Alert::from_first_byte(first) {
            return Err(alert.into());
        }
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes is longer than {cap}")));
    }
    Ok(length)
}

/// Reads the rest of a frame.
///
/// # Errors
/// As [`read`]'s.
pub async fn read_body(stream: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Vec<u8>> {
    // Grown as bytes come, so that a length alone costs nothing.
    let mut bytes = Vec::new();
    let taken = stream.take(u64::try_from(length).unwrap_or(u64::MAX)).read_to_end(&mut bytes).await?;
    if taken < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

/// Writes a frame made of some parts, and flushes it.
///
/// # Errors
/// When the connection breaks, and with [`io::ErrorKind::InvalidInput`] when the parts do not fit into a frame.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), parts: &[&[u8]]) -> io::Result<()> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let announced = u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let header = announced.to_be_bytes();
    // A small frame goes out in one packet.
    if length <= 4_096 {
        let whole: Vec<u8> = [&header[..]].iter().chain(parts).flat_map(|part| part.iter().copied()).collect();
        stream.write_all(&whole).await?;
        return stream.flush().await;
    }
    stream.write_all(&header).await?;
    for part in parts {
        stream.write_all(part).await?;
    }
    stream.flush().await
}
