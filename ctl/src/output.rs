//! Standard output: it is locked once, a closed pipe is no error, and colour is optional.

mod closed;

use std::fs::{File, Metadata};
use std::io::{ErrorKind, IsTerminal, Read, StdoutLock, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use clap::ValueEnum;
use memberd_control::grep::OutputFile;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use ratatui::crossterm::terminal;
use serde::Serialize;

use crate::exit::{Exit, Failure};

/// The size of a pipe that carries much output, in bytes. Linux allows every user this much:
/// pipe(7).
const PIPE_BYTES: i32 = 1 << 20;

/// Whether colour is the default: on a terminal that has colours, unless `NO_COLOR` is set
/// (no-color.org).
pub(crate) fn color_by_default() -> bool {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    std::io::stdout().is_terminal()
        && set("NO_COLOR").is_none()
        && set("TERM").is_some_and(|terminal| terminal != "dumb")
}

/// The file that standard output is, if it is a regular file.
pub(crate) fn regular_file() -> Option<OutputFile> {
    let output = File::from(std::io::stdout().as_fd().try_clone_to_owned().ok()?);
    let metadata = output.metadata().ok().filter(Metadata::is_file)?;
    Some(OutputFile { device: metadata.dev(), inode: metadata.ino() })
}

/// The option for colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct ColorChoice {
    /// When to use colour
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
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
    /// Text of less importance.
    Dim,
    /// What is in order.
    Green,
    /// What is wrong.
    Red,
    /// What needs attention.
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

/// Standard output, locked for as long as the command runs.
pub(crate) struct Output {
    stdout: StdoutLock<'static>,
    color: bool,
}

impl Output {
    /// Locks standard output, with colour where that is the default.
    pub(crate) fn new() -> Output {
        Output::with(ColorChoice::default())
    }

    /// Locks standard output, with colour as the user chose.
    pub(crate) fn with(color: ColorChoice) -> Output {
        Output { stdout: std::io::stdout().lock(), color: color.wanted() }
    }

    /// Whether it is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.stdout.is_terminal()
    }

    /// The terminal's width in columns; none when it is no terminal, or its width is unknown.
    pub(crate) fn columns(&self) -> Option<usize> {
        let (columns, _) = self.is_terminal().then(|| terminal::size().ok()).flatten()?;
        Some(usize::from(columns)).filter(|columns| *columns > 0)
    }

    /// Clears the terminal's screen and moves to its top (ECMA-48, CUP and ED).
    pub(crate) fn clear_screen(&mut self) -> Result<(), Failure> {
        self.bytes(b"\x1b[H\x1b[2J")
    }

    /// The pipe behind standard output, if it is one. It is enlarged, so that this process and the
    /// reader take turns less often. If the system refuses that, the size stays.
    pub(crate) fn wide_pipe(&self) -> Option<Pipe> {
        let size = fcntl(&self.stdout, FcntlArg::F_GETPIPE_SZ).ok()?;
        if size < PIPE_BYTES {
            let _ = fcntl(&self.stdout, FcntlArg::F_SETPIPE_SZ(PIPE_BYTES));
        }
        self.stdout.as_fd().try_clone_to_owned().ok().map(|pipe| Pipe(pipe.into()))
    }

    /// Waits for this long. Ends with [`Failure::OutputClosed`] as soon as the reader is gone.
    pub(crate) fn pause(&self, time: Duration) -> Result<(), Failure> {
        let mut reader = [PollFd::new(self.stdout.as_fd(), PollFlags::empty())];
        let milliseconds = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        match poll(&mut reader, PollTimeout::from(milliseconds)) {
            Ok(0) | Err(Errno::EINTR) => Ok(()),
            Ok(_) => Err(Failure::OutputClosed),
            Err(error) => Err(lost(&error.into())),
        }
    }

    /// The text in this style, if colour is wanted.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        match self.color {
            true => format!("\x1b[{}m{text}\x1b[0m", style.parameters()),
            false => text.to_owned(),
        }
    }

    /// Writes a line, and flushes.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.bytes(line.as_bytes())?;
        self.bytes(b"\n")?;
        self.flush()
    }

    /// Writes whole lines, and flushes.
    pub(crate) fn text(&mut self, lines: &str) -> Result<(), Failure> {
        self.bytes(lines.as_bytes())?;
        self.flush()
    }

    /// Writes a JSON object with its `schema` on one line, and flushes.
    pub(crate) fn object(&mut self, object: &impl Serialize) -> Result<(), Failure> {
        self.text(&crate::json::object(object)?)
    }

    /// Writes bytes unchanged.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        check_open().and_then(|()| self.stdout.write_all(bytes).map_err(|error| lost(&error)))
    }

    /// Flushes what was written.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.stdout.flush().map_err(|error| lost(&error))
    }
}

/// The pipe behind standard output. [`Output`] must be flushed before this is used.
#[derive(Debug)]
pub(crate) struct Pipe(File);

impl Pipe {
    /// Writes these bytes, and then `more` bytes that arrive on the socket. The standard library
    /// moves the latter with splice(2), without a copy here. Returns how many bytes are missing,
    /// because the socket's other end was closed first.
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

/// Fails if standard output was closed from the beginning. What has something to write calls it.
pub(crate) fn check_open() -> Result<(), Failure> {
    closed::check().map_err(|error| lost(&error))
}

/// The failure for an error of writing.
pub(crate) fn lost(error: &std::io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        return Failure::OutputClosed;
    }
    Failure::new(
        Exit::Failed,
        format!("cannot write to standard output: {error}; the output is incomplete"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::pipe;
    use std::os::fd::OwnedFd;

    #[test]
    fn bytes_of_a_socket_are_passed_on_and_missing_ones_counted() {
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
    fn a_pipe_without_a_reader_is_closed_output() {
        let ((reader, pipe), (socket, mut other)) = (pipe().unwrap(), UnixStream::pair().unwrap());
        let mut pipe = Pipe(OwnedFd::from(pipe).into());
        drop(reader);
        other.write_all(b"line\n").unwrap();
        for bytes in [&b"the first "[..], b""] {
            assert!(matches!(pipe.pass_on(bytes, &socket, 5), Err(Failure::OutputClosed)));
        }
    }
}
