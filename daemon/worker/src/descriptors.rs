//! Passes open files over a Unix socket (`SCM_RIGHTS` of unix(7)). It owns no state.

use crate::protocol::MAX_BATCH;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// The byte that carries the descriptors. A message needs one at least.
const CARRIER: &[u8] = &[0];

/// Sends descriptors, at most [`MAX_BATCH`], together with one byte.
///
/// # Errors
/// When the connection breaks, or they are too many.
pub(crate) fn send(stream: &UnixStream, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_BATCH))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors"));
    }
    rustix::io::retry_on_intr(|| {
        sendmsg(stream, &[IoSlice::new(CARRIER)], &mut ancillary, SendFlags::NOSIGNAL)
    })?;
    Ok(())
}

/// Receives what [`send`] has sent next: `count` descriptors.
///
/// # Errors
/// When the connection breaks or ends, or there are fewer or more.
pub(crate) fn receive(stream: &UnixStream, count: usize) -> io::Result<Vec<OwnedFd>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_BATCH))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0; CARRIER.len()];
    let received = rustix::io::retry_on_intr(|| {
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL;
        recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags)
    })?;
    if received.bytes == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let descriptors: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        })
        .flatten()
        .collect();
    if descriptors.len() != count || received.flags.contains(ReturnFlags::CTRUNC) {
        let words = format!("{} descriptors came, and {count} were told", descriptors.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, words));
    }
    Ok(descriptors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;

    /// The bytes before and behind stay apart from the carrier.
    #[test]
    fn descriptors_arrive_between_bytes() {
        let (mut one, mut other) = UnixStream::pair().unwrap();
        let files: Vec<File> = (0..MAX_BATCH).map(|_| File::open("/dev/zero").unwrap()).collect();
        let borrowed: Vec<BorrowedFd<'_>> = files.iter().map(File::as_fd).collect();
        one.write_all(b"before").unwrap();
        send(&one, &borrowed).unwrap();
        one.write_all(b"behind").unwrap();
        drop((files, one));
        let mut bytes = [0; 6];
        other.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"before");
        let mut received = receive(&other, MAX_BATCH).unwrap();
        let mut zeros = [1; 4];
        File::from(received.pop().unwrap()).read_exact(&mut zeros).unwrap();
        assert_eq!(zeros, [0; 4]);
        other.read_exact(&mut bytes).unwrap();
        assert_eq!(&bytes, b"behind");
        assert_eq!(receive(&other, 1).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn another_number_of_descriptors_is_an_error() {
        let (one, other) = UnixStream::pair().unwrap();
        let file = File::open("/dev/zero").unwrap();
        send(&one, &[file.as_fd()]).unwrap();
        let error = receive(&other, 2).unwrap_err();
        assert_eq!(error.to_string(), "1 descriptors came, and 2 were told");
    }
}
