//! A sealed connection after its handshake: a stream of [`record`](super::record)s. Owns the
//! connection's cipher, and what was opened or sealed but not yet passed on.
//!
//! Noise numbers the records, so nobody can remove, insert, double or move one. A stranger can cut
//! the connection, so its end does not prove that all was read; the frames inside do.

use super::handshake::Session;
use super::record::{LENGTH_BYTES, MAX_PLAIN_BYTES, open_record, seal_record, whole_length};
use snow::TransportState;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader, ReadBuf};

/// How many sealed bytes gather before they are written without a flush.
const WRITE_THRESHOLD_BYTES: usize = 64 * 1024;

/// The size of the read buffer.
const READ_AHEAD_BYTES: usize = 32 * 1024;

/// A stream whose other end holds one of the group's keys. What is written goes out at a flush, or
/// when 64 KiB have gathered.
#[derive(Debug)]
pub struct SealedStream<S> {
    inner: BufReader<S>,
    noise: TransportState,
    /// The record that is being read, with its length.
    record: Vec<u8>,
    /// What was opened, and how much of it was passed on.
    opened: Vec<u8>,
    taken: usize,
    /// What was sealed, and how much of it was written.
    sealed: Vec<u8>,
    written: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> SealedStream<S> {
    /// Goes on after the handshake that made this session.
    pub fn new(stream: S, session: Session) -> Self {
        SealedStream {
            inner: BufReader::with_capacity(READ_AHEAD_BYTES, stream),
            noise: session.noise,
            record: Vec::new(),
            opened: session.first_record,
            taken: 0,
            sealed: Vec::new(),
            written: 0,
        }
    }

    /// The connection below.
    pub fn get_ref(&self) -> &S {
        self.inner.get_ref()
    }

    /// Reads and opens the next record; false at the end of the stream.
    fn poll_record(&mut self, context: &mut Context) -> Poll<io::Result<bool>> {
        loop {
            let wanted = match self.record.first_chunk() {
                Some(length) => whole_length(*length)?,
                None => LENGTH_BYTES,
            };
            if self.record.len() >= LENGTH_BYTES && self.record.len() == wanted {
                return Poll::Ready(self.open().map(|()| true));
            }
            let missing = wanted - self.record.len();
            let available = ready!(Pin::new(&mut self.inner).poll_fill_buf(context))?;
            if available.is_empty() {
                let whole = self.record.is_empty();
                return Poll::Ready(if whole {
                    Ok(false)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                });
            }
            let count = available.len().min(missing);
            self.record.extend(available.iter().take(count));
            Pin::new(&mut self.inner).consume(count);
        }
    }

    fn open(&mut self) -> io::Result<()> {
        self.taken = 0;
        let opened = open_record(
            &mut self.noise,
            self.record.get(LENGTH_BYTES..).unwrap_or_default(),
            &mut self.opened,
        );
        self.record.clear();
        opened
    }

    /// Writes all that is sealed.
    fn poll_drain(&mut self, context: &mut Context) -> Poll<io::Result<()>> {
        while let Some(rest) = self.sealed.get(self.written..).filter(|rest| !rest.is_empty()) {
            let count = ready!(Pin::new(&mut self.inner).poll_write(context, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.sealed.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for SealedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // A record may be empty.
        while this.taken >= this.opened.len() {
            if !ready!(this.poll_record(context))? {
                return Poll::Ready(Ok(()));
            }
        }
        let rest = this.opened.get(this.taken..).unwrap_or_default();
        let part = rest.get(..rest.len().min(buffer.remaining())).unwrap_or_default();
        buffer.put_slice(part);
        this.taken += part.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for SealedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.sealed.len() >= WRITE_THRESHOLD_BYTES {
            ready!(this.poll_drain(context))?;
        }
        let part = bytes.get(..bytes.len().min(MAX_PLAIN_BYTES)).unwrap_or_default();
        if !part.is_empty() {
            seal_record(&mut this.noise, part, &mut this.sealed)?;
        }
        Poll::Ready(Ok(part.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(context))?;
        Pin::new(&mut this.inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(context))?;
        Pin::new(&mut this.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::TAG;
    use super::*;
    use crate::seal::handshake::{answer, initiate};
    use crate::seal::tests::keys;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    /// Both sides of a connection, before the first record.
    async fn sessions() -> (Session, Session) {
        let (mut near, mut far) = duplex(1_024);
        let (keys, own) = (keys("a"), "127.0.0.1:1".parse().unwrap());
        let (one, other) =
            tokio::join!(initiate(&mut near, &keys, own), answer(&mut far, &keys, own));
        (one.unwrap(), other.unwrap())
    }

    async fn pair(buffer: usize) -> (SealedStream<DuplexStream>, SealedStream<DuplexStream>) {
        let (near, far) = duplex(buffer);
        let (one, other) = sessions().await;
        (SealedStream::new(near, one), SealedStream::new(far, other))
    }

    /// The bytes on the wire when this is written.
    async fn recorded(plain: &[u8]) -> (Vec<u8>, Session) {
        let (near, mut far) = duplex(1 << 20);
        let (one, other) = sessions().await;
        let mut stream = SealedStream::new(near, one);
        stream.write_all(plain).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut wire = Vec::new();
        far.read_to_end(&mut wire).await.unwrap();
        (wire, other)
    }

    /// What is read from these bytes, and how that ends.
    async fn read(wire: &[u8], session: Session) -> (Vec<u8>, io::Result<usize>) {
        let (near, mut far) = duplex(1 << 20);
        far.write_all(wire).await.unwrap();
        drop(far);
        let mut plain = Vec::new();
        let ended = SealedStream::new(near, session).read_to_end(&mut plain).await;
        (plain, ended)
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_written_is_read_whatever_the_pieces(
            pieces in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..40_000),
                0..8,
            ),
            buffer in 1_usize..100_000,
        ) {
            let whole = pieces.concat();
            let read = block_on(async {
                let (mut near, mut far) = pair(buffer).await;
                let writing = async {
                    for piece in &pieces {
                        near.write_all(piece).await.unwrap();
                        near.flush().await.unwrap();
                    }
                    near.shutdown().await.unwrap();
                };
                let mut read = Vec::new();
                let (_, ended) = tokio::join!(writing, far.read_to_end(&mut read));
                ended.unwrap();
                read
            });
            prop_assert_eq!(read, whole);
        }
    }

    /// Every flipped bit and every cut is noticed, and nothing wrong was read before.
    #[tokio::test]
    async fn every_flipped_bit_and_every_cut_is_noticed() {
        let plain = b"a request of some length";
        let length = recorded(plain).await.0.len();
        assert_eq!(length, plain.len() + LENGTH_BYTES + TAG);
        for bit in 0..length * 8 {
            let (mut wire, other) = recorded(plain).await;
            wire[bit / 8] ^= 1 << (bit % 8);
            let (read, ended) = read(&wire, other).await;
            assert!(read.is_empty() && ended.is_err(), "bit {bit}");
        }
        for cut in 1..length {
            let (wire, other) = recorded(plain).await;
            let (read, ended) = read(&wire[..cut], other).await;
            assert_eq!((read.len(), ended.unwrap_err().kind()), (0, io::ErrorKind::UnexpectedEof));
        }
    }

    #[tokio::test]
    async fn records_cannot_be_doubled_left_out_or_moved() {
        let plain = vec![7; MAX_PLAIN_BYTES + 1];
        let first = LENGTH_BYTES + MAX_PLAIN_BYTES + TAG;
        for change in 0..3 {
            let (wire, other) = recorded(&plain).await;
            let (one, two) = wire.split_at(first);
            let (changed, good) = match change {
                0 => ([one, one].concat(), MAX_PLAIN_BYTES),
                1 => (two.to_vec(), 0),
                _ => ([two, one].concat(), 0),
            };
            let (read, ended) = read(&changed, other).await;
            assert_eq!((read.len(), ended.unwrap_err().kind()), (good, io::ErrorKind::InvalidData));
        }
    }
}
