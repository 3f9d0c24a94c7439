//! How far a grep has come, on a terminal's last line.

use std::io::{IsTerminal, Write};

use crate::format;

/// A line on standard error that comes and goes; nothing where standard error is no terminal.
pub(super) struct Progress {
    terminal: bool,
    shown: bool,
    /// Whether standard output is a terminal too, which has the begin of a line so far.
    within_line: bool,
}

impl Progress {
    /// Nothing is shown yet.
    pub(super) fn new() -> Progress {
        Progress { terminal: std::io::stderr().is_terminal(), shown: false, within_line: false }
    }

    /// Shows it, in the place of what was shown before; but nothing in the middle of a line.
    pub(super) fn show(&mut self, asked: u64, answered: u64, bytes: u64) {
        if self.terminal && !self.within_line {
            self.write(&format!("\r{}\x1b[K", line(asked, answered, bytes)));
            self.shown = true;
        }
    }

    /// Takes it away.
    pub(super) fn clear(&mut self) {
        if self.shown {
            self.write("\r\x1b[K");
            self.shown = false;
        }
    }

    /// These bytes were printed on standard output: lines, or a part of a long one.
    pub(super) fn printed(&mut self, bytes: &[u8]) {
        self.within_line = !bytes.ends_with(b"\n") && std::io::stdout().is_terminal();
    }

    /// A terminal that takes no output shows none.
    fn write(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn line(asked: u64, answered: u64, bytes: u64) -> String {
    format!(
        "{answered} of {} answered, {} searched",
        format::count(asked, "member"),
        format::size(bytes)
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_line_is_short_enough_for_any_terminal() {
        assert_eq!(super::line(10, 3, 1_200_000_000), "3 of 10 members answered, 1.2 GB searched");
        assert!(super::line(100_000, 100_000, u64::MAX).len() < 60);
    }
}
