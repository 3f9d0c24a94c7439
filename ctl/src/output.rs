//! Standard output: locked once, a closed pipe told from other errors, and modest colour.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read, StdoutLock, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use clap::ValueEnum;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;

use crate::exit::{Exit, Failure};

/// How much a pipe holds that much is written to, in bytes: the most that Linux lets everybody have
/// (pipe(7)).
const PIPE_BYTES: i32 = 1 << 20;

/// Whether colour is wanted where the user did not say: on a terminal that has it, unless
/// `NO_COLOR` is set (no-color.org).
pub(crate) fn color_by_default() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    std::io::stdout().is_terminal()
        && set("NO_COLOR").is_none()
        && set("TERM").is_some_and(|terminal| terminal != "dumb")
}

/// The option for colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct ColorChoice {
    /// Whether to use colour
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// In any case
    Always,
    /// Never
    Never,
}

impl ColorChoice {
    /// Whether colour is wanted.
    pub(crate) fn wanted(self) -> bool {
        match self.color {
            Color::Auto => color_by_default(),
            Color::Always => true,
            Color::Never => false,
        }
    }
}

/// A colour or weight, as the parameters of the terminal's SGR sequence (ECMA-48).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Headings.
    Bold,
    /// What is less important.
    Dim,
    /// What is well.
    Green,
    /// What is wrong.
    Red,
    /// What wants attention.
    Yellow,
}

impl Style {
    fn parameters(self) -> &'static str {
        match self {
            Style::Bold => "1",
            Style::Dim => "2",
            Style::Green => "32",
            Style::Red => "31",
            Style::Yellow => "33",
        }
    }
}

/// Standard output, held for as long as the command runs.
pub(crate) struct Output {
    stdout: StdoutLock<'static>,
    color: bool,
}

impl Output {
    /// Takes standard output, with colour where it is usual.
    pub(crate) fn new() -> Output {
        Output::with(ColorChoice::default())
    }

    /// Takes standard output, with colour as the user says.
    pub(crate) fn with(color: ColorChoice) -> Output {
        Output { stdout: std::io::stdout().lock(), color: color.wanted() }
    }

    /// Whether somebody looks on.
    pub(crate) fn is_terminal(&self) -> bool {
        self.stdout.is_terminal()
    }

    /// How many columns the terminal has; none where nobody looks on, or it does not say.
    pub(crate) fn columns(&self) -> Option<usize> {
        let size = self
            .is_terminal()
            .then(|| rustix::termios::tcgetwinsize(&self.stdout).ok())
            .flatten()?;
        Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
    }

    /// Empties the terminal's screen and begins at its top (ECMA-48, CUP and ED).
    pub(crate) fn clear_screen(&mut self) -> Result<(), Failure> {
        self.bytes(b"\x1b[H\x1b[2J")
    }

    /// The pipe that it is, if it is one. Makes room in it, so that this end and its reader take
    /// turns less often; one for which the system has no more room stays as it is.
    pub(crate) fn wide_pipe(&self) -> Option<Pipe> {
        let size = fcntl(&self.stdout, FcntlArg::F_GETPIPE_SZ).ok()?;
        if size < PIPE_BYTES {
            let _ = fcntl(&self.stdout, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
        }
        self.stdout.as_fd().try_clone_to_owned().ok().map(|pipe| Pipe(pipe.into()))
    }

    /// Lets time pass; ends with [`Failure::OutputClosed`] as soon as the reader has gone.
    pub(crate) fn pause(&self, time: Duration) -> Result<(), Failure> {
        let mut reader = [PollFd::new(self.stdout.as_fd(), PollFlags::empty())];
        let milliseconds = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        match poll(&mut reader, PollTimeout::from(milliseconds)) {
            Ok(0) | Err(Errno::EINTR) => Ok(()),
            Ok(_) => Err(Failure::OutputClosed),
            Err(error) => Err(lost(&error.into())),
        }
    }

    /// A text in a style, where colour is wanted.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        match self.color {
            true => format!("\x1b[{}m{text}\x1b[0m", style.parameters()),
            false => text.to_owned(),
        }
    }

    /// Writes a line and sends it off.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.bytes(line.as_bytes())?;
        self.bytes(b"\n")?;
        self.flush()
    }

    /// Writes whole lines and sends them off.
    pub(crate) fn text(&mut self, lines: &str) -> Result<(), Failure> {
        self.bytes(lines.as_bytes())?;
        self.flush()
    }

    /// Writes one JSON object on a line of its own, with its `schema`, and sends it off.
    pub(crate) fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        self.text(&crate::json::object(object)?)
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.stdout.write_all(bytes).map_err(|error| lost(&error))
    }

    /// Sends off what was written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.stdout.flush().map_err(|error| lost(&error))
    }
}

/// A pipe that is standard output. What [`Output`] was given must have been sent off before.
#[derive(Debug)]
pub(crate) struct Pipe(File);

impl Pipe {
    /// Sends off these bytes and so many more that come by a socket, which go without a copy of
    /// them here (splice(2)): that is how the standard library copies on Linux. Tells how many did
    /// not come, as the socket's other end was closed before.
    pub(crate) fn pass_on(
        &mut self,
        bytes: &[u8],
        socket: &UnixStream,
        more: usize,
    ) -> Result<u64, Failure> {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        let passed = self
            .0
            .write_all(bytes)
            .and_then(|()| std::io::copy(&mut socket.take(more), &mut self.0));
        Ok(more - passed.map_err(|error| lost(&error))?)
    }
}

/// Why what was written has not arrived.
pub(crate) fn lost(error: &std::io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        return Failure::OutputClosed;
    }
    Failure::new(
        Exit::Failed,
        format!("cannot write to standard output: {error}; the output is not complete"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::pipe;
    use std::os::fd::OwnedFd;

    #[test]
    fn what_comes_by_a_socket_goes_into_the_pipe_and_what_does_not_come_is_told() {
        let ((mut reader, pipe), (socket, mut other)) =
            (pipe().unwrap(), UnixStream::pair().unwrap());
        let mut pipe = Pipe(OwnedFd::from(pipe).into());
        other.write_all(b"line\nrest").unwrap();
        assert_eq!(pipe.pass_on(b"the first ", &socket, 5).unwrap(), 0);
        drop(other);
        assert_eq!(pipe.pass_on(b"", &socket, 10).unwrap(), 6);
        drop(pipe);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "the first line\nrest");
    }

    #[test]
    fn a_pipe_whose_reader_has_gone_is_output_that_was_closed() {
        let ((reader, pipe), (socket, mut other)) = (pipe().unwrap(), UnixStream::pair().unwrap());
        let mut pipe = Pipe(OwnedFd::from(pipe).into());
        drop(reader);
        other.write_all(b"line\n").unwrap();
        for bytes in [&b"the first "[..], b""] {
            assert!(matches!(pipe.pass_on(bytes, &socket, 5), Err(Failure::OutputClosed)));
        }
    }
}
