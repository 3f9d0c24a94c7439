//! A thread of its own for the membership task: a heartbeat waits for nothing else that the daemon
//! does, greps above all.

use super::{Command, Handle, Membership, Parts};
use crate::state::writer::StateWriter;
use std::io;
use std::thread;
use tokio::net::UdpSocket;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

/// Starts the task. It gives the writer back when it ends; if it breaks off, nothing comes.
///
/// # Errors
/// When there is no thread to be had, or the socket cannot be moved to it.
pub fn start(
    parts: Parts,
    handle: Handle,
    commands: mpsc::Receiver<Command>,
) -> io::Result<oneshot::Receiver<StateWriter>> {
    let runtime =
        Builder::new_current_thread().enable_all().thread_name("membership-io").build()?;
    // The socket wakes the runtime that it was made in.
    let socket = {
        let _within = runtime.enter();
        UdpSocket::from_std(parts.socket.into_std()?)?
    };
    let membership = Membership::new(Parts { socket, ..parts }, handle, commands);
    let (done, ended) = oneshot::channel();
    thread::Builder::new().name("membership".to_owned()).spawn(move || {
        let writer = runtime.block_on(membership.run());
        // Nothing is under way any more but a disk that hangs.
        runtime.shutdown_background();
        // The daemon may have ended without waiting.
        let _ = done.send(writer);
    })?;
    Ok(ended)
}
