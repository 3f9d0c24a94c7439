//! The trait for the receiver of a search's results.

use std::path::Path;

use memberd_control::grep::GrepPosition;

/// The receiver is gone or wants no more. The search ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the receiver of the output is gone")]
pub struct Stopped;

/// Takes what a search finds, in order. A receiver that blocks here slows the search down.
pub trait Output {
    /// Takes whole lines, ready to print, each with its end: a newline, or a NUL byte with `-z`.
    /// They are up to about [`OUTPUT_BYTES`], or one longer line. The output owns the bytes and can
    /// pass them on without a copy.
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped>;

    /// Takes a part of a line longer than 4 MiB, so that nobody has to hold the whole line. The
    /// last part comes at once with the next [`Output::lines`]. An output that only concatenates
    /// needs no method of its own.
    fn line_part(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.lines(bytes)
    }

    /// Takes whole lines that have one time, in milliseconds since the Unix epoch. With
    /// [`Plan::by_time`](crate::Plan::by_time) this is called in place of [`Output::lines`]. There
    /// is at least one line, and up to about [`OUTPUT_BYTES`] or one longer line. The times never
    /// go back. Lines before the first time in their file have [`NO_TIME`], which is before all
    /// others.
    ///
    /// Where lines are printed with context, no bytes at all are a mark. It begins a group that
    /// must be separated from what was before, if there was anything. Context has the time of the
    /// line that it is printed with.
    ///
    /// An output that ignores times takes the bytes as lines.
    fn timed(&mut self, milliseconds: i64, bytes: &[u8]) -> Result<(), Stopped> {
        let _ = milliseconds;
        self.lines(bytes.to_vec())
    }

    /// This many more bytes were read. It is called often and must be quick.
    fn read(&mut self, bytes: u64) -> Result<(), Stopped> {
        let _ = bytes;
        Ok(())
    }

    /// While files are followed: what was printed up to now is all that these files had up to
    /// these positions. `has_lines` says that lines were printed since the last call, all of the
    /// one file.
    fn positions(&mut self, positions: Vec<GrepPosition>, has_lines: bool) -> Result<(), Stopped> {
        let _ = (positions, has_lines);
        Ok(())
    }

    /// While files are followed: all files were looked at, and what they had is searched. It is
    /// told about ten times a second, if
    /// [`Selection::tells_looks`](crate::Selection::tells_looks).
    fn looked(&mut self) -> Result<(), Stopped> {
        Ok(())
    }

    /// From here on, lines are of this file, which was last written then, in milliseconds since the
    /// Unix epoch. Only an [`ApartSearch`](crate::ApartSearch) tells it, and a follow that tells
    /// its looks.
    fn begin_file(&mut self, path: &Path, modified: i64) {
        let _ = (path, modified);
    }

    /// Takes a message for standard error without its newline, such as `/var/log/x: Permission
    /// denied`. It does not name the machine.
    fn message(&mut self, text: String) -> Result<(), Stopped>;
}

/// Keeps the lines, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Kept(pub(crate) Vec<u8>);

impl Output for Kept {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.0.extend(bytes);
        Ok(())
    }

    fn message(&mut self, _: String) -> Result<(), Stopped> {
        Ok(())
    }
}

/// The time of lines that have no time and no line with a time before them.
pub const NO_TIME: i64 = i64::MIN;

/// How many bytes of lines are collected before they go to [`Output::lines`]. With the last line
/// and a frame's header that stays below 128 KiB. One byte more would make the allocator give 160
/// KiB.
pub const OUTPUT_BYTES: usize = 120 * 1024;
