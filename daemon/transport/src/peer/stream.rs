//! A connection to another member, sealed or not. A sealed one ends when its key is removed from
//! the keyring.

use crate::seal::Seal;
use crate::seal::handshake::Session;
use crate::seal::stream::SealedStream;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection to another member. What is written goes out at a flush. One task must do both the
/// reading and the writing, since only the last of several is woken when the key is removed.
pub enum PeerStream {
    /// In the clear, where there is no key.
    Plain(TcpStream),
    /// The other side holds one of the group's keys.
    Sealed(Box<Keyed>),
}

impl PeerStream {
    /// Goes on after the handshake that made this session.
    pub fn sealed(stream: TcpStream, session: Session, seal: &Seal) -> Self {
        let withdrawn = Box::pin(seal.withdrawn(session.key));
        PeerStream::Sealed(Box::new(Keyed {
            stream: SealedStream::new(stream, session),
            withdrawn: Some(withdrawn),
        }))
    }

    /// The address of the other side, if the system tells it.
    pub(super) fn peer_address(&self) -> Option<IpAddr> {
        let stream = match self {
            PeerStream::Plain(stream) => stream,
            PeerStream::Sealed(keyed) => keyed.stream.get_ref(),
        };
        stream.peer_addr().ok().map(|address| address.ip())
    }
}

/// For options of its socket.
impl AsFd for PeerStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            PeerStream::Plain(stream) => stream.as_fd(),
            PeerStream::Sealed(keyed) => keyed.stream.get_ref().as_fd(),
        }
    }
}

/// A sealed connection, and the future that ends it.
pub struct Keyed {
    stream: SealedStream<TcpStream>,
    /// None once the key was removed.
    withdrawn: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Keyed {
    /// The connection, as long as its key is in the keyring. The waiting task is woken when the key
    /// is removed.
    fn valid(&mut self, context: &mut Context) -> io::Result<Pin<&mut SealedStream<TcpStream>>> {
        if self
            .withdrawn
            .as_mut()
            .is_some_and(|withdrawn| withdrawn.as_mut().poll(context).is_ready())
        {
            self.withdrawn = None;
            // So the kernel drops what it has not sent yet. If that fails, those bytes go out.
            let _ = self.stream.get_ref().set_zero_linger();
        }
        match self.withdrawn {
            Some(_) => Ok(Pin::new(&mut self.stream)),
            None => Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the key of the connection is no longer in the keyring",
            )),
        }
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            PeerStream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            PeerStream::Sealed(keyed) => keyed.valid(context)?.poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            PeerStream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            PeerStream::Sealed(keyed) => keyed.valid(context)?.poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context,
        slices: &[IoSlice],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            PeerStream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            PeerStream::Sealed(keyed) => keyed.valid(context)?.poll_write_vectored(context, slices),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        match self.get_mut() {
            PeerStream::Plain(stream) => Pin::new(stream).poll_flush(context),
            PeerStream::Sealed(keyed) => keyed.valid(context)?.poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        match self.get_mut() {
            PeerStream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            PeerStream::Sealed(keyed) => keyed.valid(context)?.poll_shutdown(context),
        }
    }
}
