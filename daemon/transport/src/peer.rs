//! Requests between members, over TCP.
//!
//! A connection begins with a request: a frame of the protocol's version, a byte for the kind of
//! request, and the request's body. With a key, all of that is inside a sealed stream. The kind
//! says what follows: a [call](PeerServices::with_call) is answered with one frame, and a
//! [stream](PeerServices::with_stream) has the connection for itself.
//!
//! After a call the connection ends, unless the highest bit of the kind's byte asks to keep it for
//! further requests, see [`CallPool`](crate::CallPool).

pub(crate) mod call;
pub(crate) mod listener;
pub(crate) mod pool;
pub(crate) mod services;
pub(crate) mod stream;

#[cfg(doc)]
use crate::PeerServices;
use crate::frame;
use memberd_membership::PROTOCOL_VERSION;
use std::io;
use stream::PeerStream;

/// Set in the byte of a request's kind, it asks the other side to keep the connection after a call.
/// Members that do not know it refuse such a request, as one of an unknown kind.
const KEEP: u8 = 0x80;

/// A kind of request, which one service of a member answers. Its number, up to 127, is part of the
/// protocol between members: once used it keeps its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKind(u8);

impl RequestKind {
    /// The kind with this number.
    ///
    /// # Panics
    /// When the number is over 127; in a constant the compiler says so.
    pub const fn new(number: u8) -> Self {
        assert!(number < KEEP, "the number of a kind of request is at most 127");
        RequestKind(number)
    }
}

/// Sends a request.
async fn write_request(
    stream: &mut PeerStream,
    kind: RequestKind,
    keep: bool,
    body: &[u8],
) -> io::Result<()> {
    let kind = if keep { kind.0 | KEEP } else { kind.0 };
    frame::write(stream, &[&[PROTOCOL_VERSION, kind], body]).await
}
