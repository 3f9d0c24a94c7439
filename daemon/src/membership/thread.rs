//! Runs the membership task on a thread of its own, so that greps and other work never delay a
//! heartbeat. It owns that thread's runtime.

use super::{Command, Handle, Membership, Parts};
use crate::state::writer::StateWriter;
use std::io;
use std::thread;
use tokio::net::UdpSocket;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};

/// Starts the task. The task returns the writer when it ends. If it panics, the receiver gets an
/// error.
///
/// # Errors
/// When the thread cannot be created, or when the socket cannot be moved to it.
pub fn start(
    parts: Parts,
    handle: Handle,
    commands: mpsc::Receiver<Command>,
) -> io::Result<oneshot::Receiver<StateWriter>> {
    let runtime =
        Builder::new_current_thread().enable_all().thread_name("membership-io").build()?;
    // A socket wakes only the runtime in which it was created.
    let socket = {
        let _within = runtime.enter();
        UdpSocket::from_std(parts.socket.into_std()?)?
    };
    let membership = Membership::new(Parts { socket, ..parts }, handle, commands);
    let (done, ended) = oneshot::channel();
    thread::Builder::new().name("membership".to_owned()).spawn(move || {
        let writer = runtime.block_on(membership.run());
        // Only a hanging disk can still be at work.
        runtime.shutdown_background();
        // The daemon may have ended without waiting.
        let _ = done.send(writer);
    })?;
    Ok(ended)
}
