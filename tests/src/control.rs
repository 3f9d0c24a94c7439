//! A blocking client of the control socket. Tests use it to look at a daemon often.

use crate::wait::SOON;
use memberd_control::frame::{FrameError, read_frame, write_frame};
use memberd_control::message::{
    Hello, MemberRecord, MemberStatus, PROTOCOL_VERSION, Reply, Request, RequestRefusal,
    StatusReport,
};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the daemon may take for one reply. Only a hang takes that long.
const PATIENCE: Duration = SOON;

/// How long a join or a leave may take.
const LONG_PATIENCE: Duration = Duration::from_secs(60);

/// The incarnation in a member's id: the number after the slash.
///
/// # Panics
/// When there is none.
pub fn incarnation(id: &str) -> u64 {
    id.rsplit_once('/')
        .and_then(|(_, number)| number.parse().ok())
        .unwrap_or_else(|| panic!("{id} has no incarnation"))
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("cannot connect: {0}")]
    Unreachable(io::Error),
    /// The conversation broke.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The daemon said no.
    #[error("{:?}: {}", .0.kind, .0.message)]
    Refused(RequestRefusal),
    /// The reply belongs to another request.
    #[error("an answer to another question")]
    OutOfPlace,
}

/// One daemon's control socket.
#[derive(Debug, Clone)]
pub struct Control {
    path: PathBuf,
}

impl Control {
    /// The socket at this path.
    pub fn new(path: &Path) -> Self {
        Control { path: path.to_owned() }
    }

    /// Asks, and returns the connection with the replies.
    ///
    /// # Errors
    /// When the daemon cannot be reached.
    pub fn ask(
        &self,
        request: &Request,
        patience: Option<Duration>,
    ) -> Result<UnixStream, ControlError> {
        let mut stream = UnixStream::connect(&self.path).map_err(ControlError::Unreachable)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(ControlError::Unreachable)?;
        write_frame(
            &mut stream,
            &Hello { protocol: PROTOCOL_VERSION, program: "memberd-tests".to_owned() },
        )?;
        let _: Hello = read_frame(&mut stream)?;
        write_frame(&mut stream, request)?;
        stream.set_read_timeout(patience).map_err(ControlError::Unreachable)?;
        Ok(stream)
    }

    /// The list; the gone as well, if wanted.
    ///
    /// # Errors
    /// When there is none.
    pub fn list(&self, all: bool) -> Result<Vec<MemberRecord>, ControlError> {
        let mut stream = self.ask(&Request::List { all }, Some(PATIENCE))?;
        let mut members = Vec::new();
        loop {
            match reply(&mut stream)? {
                Reply::Members(part) => members.extend(part),
                Reply::Done => return Ok(members),
                _ => return Err(ControlError::OutOfPlace),
            }
        }
    }

    /// The ids of the alive, in order.
    ///
    /// # Errors
    /// When there is no list.
    pub fn alive(&self) -> Result<Vec<String>, ControlError> {
        let mut ids: Vec<String> = self.list(false)?.into_iter().map(|member| member.id).collect();
        ids.sort();
        Ok(ids)
    }

    /// The status of a member's newest incarnation, if it is in the list.
    ///
    /// # Errors
    /// When there is no list.
    pub fn status_of(&self, name: &str) -> Result<Option<(MemberStatus, u64)>, ControlError> {
        let members = self.list(true)?;
        let member = members
            .into_iter()
            .filter(|member| member.name == name)
            .max_by_key(|member| member.incarnation);
        Ok(member.map(|member| (member.status, member.incarnation)))
    }

    /// How the daemon is doing.
    ///
    /// # Errors
    /// When it does not say.
    pub fn status(&self) -> Result<StatusReport, ControlError> {
        match reply(&mut self.ask(&Request::Status, Some(PATIENCE))?)? {
            Reply::Status(report) => Ok(*report),
            _ => Err(ControlError::OutOfPlace),
        }
    }

    /// Joins through the configured introducers and returns the id.
    ///
    /// # Errors
    /// When it is not let in.
    pub fn join(&self) -> Result<String, ControlError> {
        let request = Request::Join { introducers: Vec::new() };
        match reply(&mut self.ask(&request, Some(LONG_PATIENCE))?)? {
            Reply::Joined { id, .. } => Ok(id),
            _ => Err(ControlError::OutOfPlace),
        }
    }

    /// Leaves, and returns whether it was a member.
    ///
    /// # Errors
    /// When the daemon does not answer.
    pub fn leave(&self) -> Result<bool, ControlError> {
        match reply(&mut self.ask(&Request::Leave, Some(LONG_PATIENCE))?)? {
            Reply::Left { was_member } => Ok(was_member),
            _ => Err(ControlError::OutOfPlace),
        }
    }
}

/// The next reply, a refusal being an error.
///
/// # Errors
/// When none comes.
pub fn reply(stream: &mut UnixStream) -> Result<Reply, ControlError> {
    match read_frame(stream)? {
        Reply::Refused(refusal) => Err(ControlError::Refused(refusal)),
        reply => Ok(reply),
    }
}
