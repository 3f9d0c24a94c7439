//! What the daemon tells of this machine's lease. It owns the connection.

use std::os::fd::{AsFd, BorrowedFd};

use memberd_control::message::{LeaderRequest, LeaseRecord, Reply, Request};

use crate::agreed;
use crate::connection::{Connection, Daemon, ReplyTimeout, unexpected_reply};
use crate::exit::Failure;

/// What was heard.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The lease holds until then.
    Lease(LeaseRecord),
    /// The daemon gives the lease up, and why.
    Lost(String),
    /// The daemon is gone, or makes no sense.
    Gone(Failure),
}

/// The stream of leases.
#[derive(Debug)]
pub(crate) struct LeaseStream(Option<Connection>);

impl LeaseStream {
    /// Asks for it.
    pub(crate) fn open(daemon: &Daemon) -> Result<LeaseStream, Failure> {
        let request = Request::Leader(LeaderRequest::Hold);
        let connection = agreed::ask(daemon, &request, ReplyTimeout::Never)?;
        connection.block_never()?;
        Ok(LeaseStream(Some(connection)))
    }

    /// What has arrived; none if nothing whole has. After a loss there is nothing more.
    pub(crate) fn heard(&mut self) -> Option<Heard> {
        let heard = match self.0.as_mut()?.reply_if_any() {
            Ok(None) => return None,
            Ok(Some(Reply::Lease(lease))) => return Some(Heard::Lease(lease)),
            Ok(Some(Reply::LeaseLost(lost))) => Heard::Lost(lost.reason),
            Ok(Some(_)) => Heard::Gone(unexpected_reply()),
            Err(failure) => Heard::Gone(agreed::describe(failure)),
        };
        self.0 = None;
        Some(heard)
    }

    /// The descriptor to wait for, until the stream has ended.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }
}
