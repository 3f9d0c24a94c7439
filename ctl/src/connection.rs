//! One connection to the daemon: it carries one request, and then the replies.

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memberd_control::frame::{FrameError, FrameReader, Message, decode, write_frame};
use memberd_control::message::{Hello, PROTOCOL_VERSION, Reply, Request};
use memberd_control::output;
use memberd_control::socket::{Access, read_only, search};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::arguments;
use crate::exit::{Exit, Failure};
use crate::format;
use crate::output::Pipe;

/// How long the daemon may take for its hello.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the daemon is, and how long to wait for it. These options may stand before or behind the
/// command. The help has them behind the command's own options.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Daemon {
    /// The daemon's control socket
    #[arg(
        long,
        global = true,
        display_order = 900,
        value_name = "PATH",
        env = "MEMBERCTL_SOCKET",
        hide_env_values = true,
        default_value = "/run/memberd/control.sock"
    )]
    pub(crate) socket: PathBuf,

    /// How long to wait for a reply, and with wait for the members: seconds, or a number with a
    /// unit, such as 500ms or 2m. The default is 60s for join, leave, wait, forget, file, files,
    /// stream and run --once, and for a view or a leader to come, and 10s for the others; grep,
    /// stats, events, leader --hold and run --leader wait forever
    #[arg(long, global = true, display_order = 901)]
    #[arg(value_name = "TIME", value_parser = arguments::duration)]
    pub(crate) timeout: Option<Duration>,
}

/// How long a command waits for the next reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyTimeout {
    /// This long, unless --timeout says otherwise.
    For(Duration),
    /// Forever.
    Never,
}

/// A reply to a grep.
#[derive(Debug)]
pub(crate) enum GrepReply<'c> {
    /// A member's output, most of which has not been read yet.
    MemberOutput(MemberOutput<'c>),
    /// Any other reply.
    Reply(Reply),
}

/// A member's output, which is either read here or passed on.
#[derive(Debug)]
pub(crate) struct MemberOutput<'c> {
    /// The name of the member that sent it.
    pub(crate) member: String,
    /// The output begins at the offset `at` in the body of the next frame.
    frames: &'c mut FrameReader<UnixStream>,
    at: usize,
}

impl<'c> MemberOutput<'c> {
    /// Reads the lines.
    pub(crate) fn read(self) -> Result<&'c [u8], Failure> {
        let body = self.frames.body(Reply::CAP).map_err(describe_frame_error)?;
        Ok(body.get(self.at..).unwrap_or_default())
    }

    /// Passes the lines on to a pipe as they arrive.
    pub(crate) fn pass_on(self, pipe: &mut Pipe) -> Result<(), Failure> {
        let (begun, socket, left) = self.frames.leave(Reply::CAP).map_err(describe_frame_error)?;
        match pipe.pass_on(begun.get(self.at..).unwrap_or_default(), socket, left)? {
            0 => Ok(()),
            _ => Err(describe_frame_error(FrameError::CutShort)),
        }
    }
}

/// An open connection on which a request was sent.
#[derive(Debug)]
pub(crate) struct Connection {
    frames: FrameReader<UnixStream>,
}

impl Connection {
    /// Connects, exchanges hellos, and sends the request.
    pub(crate) fn ask(
        daemon: &Daemon,
        request: &Request,
        reply_timeout: ReplyTimeout,
    ) -> Result<Connection, Failure> {
        let stream = connect(&daemon.socket, request)?;
        let mut connection = Connection { frames: FrameReader::new(stream) };
        let reply_timeout = match reply_timeout {
            ReplyTimeout::Never => None,
            ReplyTimeout::For(usual) => Some(daemon.timeout.unwrap_or(usual)),
        };
        connection.wait_at_most(Some(
            reply_timeout.map_or(HELLO_TIMEOUT, |limit| limit.min(HELLO_TIMEOUT)),
        ))?;
        connection.greet()?;
        connection.wait_at_most(reply_timeout)?;
        connection.send(request)?;
        Ok(connection)
    }

    /// The next reply. A refusal is a failure, and so is an end before the final reply.
    pub(crate) fn reply(&mut self) -> Result<Reply, Failure> {
        match self.read()? {
            Reply::Refused(refusal) => Err(refusal.into()),
            reply => Ok(reply),
        }
    }

    /// Sends a further message of a request; false if the daemon has hung up. It has often sent the
    /// reason, which is still to be read.
    pub(crate) fn send_more(&mut self, message: &impl Message) -> Result<bool, Failure> {
        match write_frame(self.frames.get_mut(), message) {
            Err(FrameError::Io(error)) if is_hangup(&error) => Ok(false),
            sent => sent.map(|()| true).map_err(describe_frame_error),
        }
    }

    /// Waits until there is something to read from this input, or at its end; false if a reply has
    /// come before.
    pub(crate) fn wait_for_input(&self, input: BorrowedFd<'_>) -> Result<bool, Failure> {
        let mut ends = [
            PollFd::new(self.frames.get_ref().as_fd(), PollFlags::POLLIN),
            PollFd::new(input, PollFlags::POLLIN),
        ];
        loop {
            match poll(&mut ends, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(describe_frame_error(FrameError::Io(error.into()))),
                Ok(_) => break,
            }
        }
        let [replies, _] = &ends;
        Ok(!self.frames.has_begun() && replies.revents().is_none_or(|events| events.is_empty()))
    }

    /// From now on [`Connection::reply_if_any`] does not wait.
    pub(crate) fn block_never(&self) -> Result<(), Failure> {
        let set = self.frames.get_ref().set_nonblocking(true);
        set.map_err(|error| describe_frame_error(FrameError::Io(error)))
    }

    /// As [`Connection::reply`]; none if no whole reply has arrived, after
    /// [`Connection::block_never`].
    pub(crate) fn reply_if_any(&mut self) -> Result<Option<Reply>, Failure> {
        match self.frames.body(Reply::CAP).and_then(decode) {
            Err(FrameError::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(describe_frame_error(error)),
            Ok(Reply::Refused(refusal)) => Err(refusal.into()),
            Ok(reply) => Ok(Some(reply)),
        }
    }

    /// As [`Connection::reply_while_read`], but none if no whole reply has arrived at `until`, if
    /// that is given. It needs [`Connection::block_never`].
    pub(crate) fn reply_until(&mut self, until: Option<Instant>) -> Result<Option<Reply>, Failure> {
        loop {
            if let Some(reply) = self.reply_if_any()? {
                return Ok(Some(reply));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            // Rounded up, so that it does not wake just before.
            let left = left.map(|left| u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX));
            self.poll_either_end(left.map_or(PollTimeout::NONE, PollTimeout::from))?;
        }
    }

    /// As [`Connection::reply`], but ends with [`Failure::OutputClosed`] as soon as the reader of
    /// standard output goes away. `| head` and `| less` need this while no reply arrives.
    pub(crate) fn reply_while_read(&mut self) -> Result<Reply, Failure> {
        self.wait_for_either_end()?;
        self.reply()
    }

    /// As [`Connection::reply`], or with `while_read` as [`Connection::reply_while_read`], for a
    /// grep.
    pub(crate) fn found(&mut self, while_read: bool) -> Result<GrepReply<'_>, Failure> {
        if while_read {
            self.wait_for_either_end()?;
        }
        let (begun, length) = self.frames.begin(Reply::CAP).map_err(describe_frame_error)?;
        if let Some((member, at)) = output::begin(begun, length) {
            return Ok(GrepReply::MemberOutput(MemberOutput {
                member: member.to_owned(),
                frames: &mut self.frames,
                at,
            }));
        }
        match self.read()? {
            Reply::Refused(refusal) => Err(refusal.into()),
            reply => Ok(GrepReply::Reply(reply)),
        }
    }

    fn greet(&mut self) -> Result<(), Failure> {
        self.send(&Hello {
            protocol: PROTOCOL_VERSION,
            program: concat!("memberctl ", env!("CARGO_PKG_VERSION")).to_owned(),
        })?;
        let hello: Hello = self.read()?;
        if hello.protocol == PROTOCOL_VERSION {
            return Ok(());
        }
        Err(Failure::new(
            Exit::Version,
            format!(
                "the daemon ({}) speaks control protocol {}, this memberctl {} speaks \
                {PROTOCOL_VERSION}: install one version of both, then systemctl restart memberd",
                format::printable(&hello.program),
                hello.protocol,
                env!("CARGO_PKG_VERSION"),
            ),
        ))
    }

    fn send(&mut self, message: &impl Message) -> Result<(), Failure> {
        match write_frame(self.frames.get_mut(), message) {
            // A daemon that hung up has often sent the reason, which is still to be read.
            Err(FrameError::Io(error)) if is_hangup(&error) => Ok(()),
            Err(FrameError::TooLong { length, cap }) => Err(Failure::usage(format!(
                "the request is too long ({length} bytes, at most {cap}): give fewer or shorter \
                arguments"
            ))),
            sent => sent.map_err(describe_frame_error),
        }
    }

    fn read<M: Message>(&mut self) -> Result<M, Failure> {
        self.frames.body(M::CAP).and_then(decode).map_err(describe_frame_error)
    }

    fn wait_at_most(&self, limit: Option<Duration>) -> Result<(), Failure> {
        let stream = self.frames.get_ref();
        stream
            .set_read_timeout(limit)
            .and_then(|()| stream.set_write_timeout(limit))
            .map_err(|error| describe_frame_error(FrameError::Io(error)))
    }

    /// Waits until the daemon has sent something, or the reader of standard output is gone.
    fn wait_for_either_end(&self) -> Result<(), Failure> {
        if self.frames.has_begun() {
            return Ok(());
        }
        self.poll_either_end(PollTimeout::NONE)
    }

    /// The same for at most this long, whatever was read before.
    fn poll_either_end(&self, limit: PollTimeout) -> Result<(), Failure> {
        let stdout = std::io::stdout();
        let ended = PollFlags::POLLERR | PollFlags::POLLHUP;
        let mut ends = [
            PollFd::new(self.frames.get_ref().as_fd(), PollFlags::POLLIN),
            PollFd::new(stdout.as_fd(), PollFlags::empty()),
        ];
        loop {
            match poll(&mut ends, limit) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(describe_frame_error(FrameError::Io(error.into()))),
                Ok(_) => break,
            }
        }
        let [_, output] = &ends;
        match output.revents() {
            Some(events) if events.intersects(ended) => Err(Failure::OutputClosed),
            _ => Ok(()),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.frames.get_ref().as_fd()
    }
}

/// Opens the socket. Clients without write permission can use the sockets beside it, for requests
/// that change nothing.
fn connect(path: &Path, request: &Request) -> Result<UnixStream, Failure> {
    UnixStream::connect(path).or_else(|error| {
        let denied = error.kind() == ErrorKind::PermissionDenied;
        let others = [(Access::ReadOnly, read_only(path)), (Access::Search, search(path))];
        let mut fitting = others.iter().filter(|(access, _)| denied && access.allows(request));
        let beside = fitting.find_map(|(_, beside)| UnixStream::connect(beside).ok());
        beside.ok_or_else(|| describe_connect_error(path, &error))
    })
}

/// Says what a refusal of an unknown request means: only an older daemon does not understand it.
pub(crate) fn older_daemon(failure: Failure) -> Failure {
    match failure.to_string().contains("unknown variant `") {
        true => Failure::new(
            Exit::Version,
            "this memberd is older than memberctl: systemctl restart memberd",
        ),
        false => failure,
    }
}

/// The failure for a reply that does not belong to the request.
pub(crate) fn unexpected_reply() -> Failure {
    Failure::new(
        Exit::Failed,
        "unexpected reply from memberd: systemctl restart memberd, and report this",
    )
}

fn is_hangup(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset)
}

/// Whether there is a socket at this path. connect(2) refuses a file or a directory with the same
/// error as a socket on which nobody listens.
fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// Describes why there is no connection. The text differs where the remedy does.
fn describe_connect_error(path: &Path, error: &std::io::Error) -> Failure {
    let shown = path.display();
    match error.kind() {
        ErrorKind::NotFound => Failure::new(
            Exit::Unreachable,
            format!("memberd is not running here (no socket at {shown}): systemctl start memberd"),
        ),
        ErrorKind::ConnectionRefused if !is_socket(path) => Failure::new(
            Exit::Unreachable,
            format!("{shown} is not a socket: give that of memberd with --socket"),
        ),
        ErrorKind::ConnectionRefused => Failure::new(
            Exit::Unreachable,
            format!(
                "memberd is not running any more (nobody listens at {shown}): systemctl restart \
                memberd"
            ),
        ),
        ErrorKind::PermissionDenied => Failure::new(
            Exit::NotPermitted,
            format!(
                "not permitted to open {shown}: join group memberd (sudo usermod -aG memberd \
                $USER) and log in again"
            ),
        ),
        ErrorKind::InvalidInput => Failure::usage(format!(
            "{shown} cannot be a socket's path ({error}): give another with --socket"
        )),
        _ => Failure::new(
            Exit::Unreachable,
            format!("cannot connect to memberd at {shown}: {error}: systemctl status memberd"),
        ),
    }
}

/// Describes why the connection ended.
fn describe_frame_error(error: FrameError) -> Failure {
    let vanished = || {
        Failure::new(
            Exit::Unreachable,
            "memberd went away before it answered: systemctl status memberd",
        )
    };
    match error {
        FrameError::Closed | FrameError::CutShort => vanished(),
        FrameError::Io(error) if is_hangup(&error) => vanished(),
        FrameError::Io(error)
            if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
        {
            Failure::new(
                Exit::TimedOut,
                "memberd did not answer in time: try again with a longer --timeout, or see \
                systemctl status memberd",
            )
        }
        FrameError::Io(error) => Failure::new(
            Exit::Unreachable,
            format!("the connection to memberd broke: {error}: systemctl status memberd"),
        ),
        FrameError::TooLong { .. } | FrameError::Malformed(_) | FrameError::TrailingBytes(_) => {
            Failure::new(
                Exit::Failed,
                format!(
                    "cannot read memberd's reply ({error}): is this memberd's socket, and is it of \
                    the same version?"
                ),
            )
        }
    }
}
