//! Runs the membership task on a thread of its own, so that greps and other work never delay a
//! heartbeat. It owns no state.

use super::{Command, Handle, Membership, Parts};
use crate::state::writer::StateWriter;
use crate::task_thread;
use std::io;
use tokio::net::UdpSocket;
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
    let make = || {
        // A socket wakes only the runtime in which it was created.
        let socket = UdpSocket::from_std(parts.socket.into_std()?)?;
        Ok(Membership::new(Parts { socket, ..parts }, handle, commands))
    };
    task_thread::start("membership", make, Membership::run)
}
