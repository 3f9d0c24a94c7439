//! Records: what a sealed connection is made of after the handshake. A record is a big-endian `u16`
//! length and a Noise transport message of that many bytes.

use snow::TransportState;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// The most bytes in a record before it is sealed. Less than Noise allows, so that many connections
/// take little memory.
pub(super) const MAX_PLAIN_BYTES: usize = 16 * 1024;

/// Bytes of Noise's authentication tag.
pub(super) const TAG: usize = 16;

/// The longest record, without its length.
const MAX_SEALED_BYTES: usize = MAX_PLAIN_BYTES + TAG;

/// Bytes of a record's length.
pub(super) const LENGTH_BYTES: usize = 2;

/// The bytes of a whole record that begins with this length, length included.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when the record is longer than any may be.
pub(super) fn whole_length(length: [u8; LENGTH_BYTES]) -> io::Result<usize> {
    match usize::from(u16::from_be_bytes(length)) {
        length if length > MAX_SEALED_BYTES => Err(too_long()),
        length => Ok(LENGTH_BYTES + length),
    }
}

/// Reads one record, and nothing of what comes after it.
///
/// # Errors
/// When the connection breaks, and with [`io::ErrorKind::InvalidData`] when the record is too long
/// or was not sealed by the other side.
pub(super) async fn read_record(
    stream: &mut (impl AsyncRead + Unpin),
    noise: &mut TransportState,
) -> io::Result<Vec<u8>> {
    let mut length = [0; LENGTH_BYTES];
    stream.read_exact(&mut length).await?;
    let mut message = vec![0; whole_length(length)? - LENGTH_BYTES];
    stream.read_exact(&mut message).await?;
    let mut plain = Vec::new();
    open_record(noise, &message, &mut plain)?;
    Ok(plain)
}

/// Opens a record, given without its length; `plain` then holds its bytes and nothing else.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] when it was not sealed by the other side.
pub(super) fn open_record(
    noise: &mut TransportState,
    message: &[u8],
    plain: &mut Vec<u8>,
) -> io::Result<()> {
    plain.resize(message.len().saturating_sub(TAG), 0);
    let length = noise
        .read_message(message, plain)
        .map_err(|_| invalid("a record was not sealed by the other side"))?;
    plain.truncate(length);
    Ok(())
}

/// Seals at most [`MAX_PLAIN_BYTES`] bytes, and appends the record to `sealed`.
///
/// # Errors
/// When there is too much for one record, or Noise has used up its nonces.
pub(super) fn seal_record(
    noise: &mut TransportState,
    plain: &[u8],
    sealed: &mut Vec<u8>,
) -> io::Result<()> {
    let length = plain.len() + TAG;
    let announced = u16::try_from(length).map_err(|_| too_long())?;
    sealed.extend_from_slice(&announced.to_be_bytes());
    let start = sealed.len();
    sealed.resize(start + length, 0);
    let record = sealed.get_mut(start..).unwrap_or_default();
    noise.write_message(plain, record).map_err(io::Error::other)?;
    Ok(())
}

fn too_long() -> io::Error {
    invalid("a record is too long")
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
