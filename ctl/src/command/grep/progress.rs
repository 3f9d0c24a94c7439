//! Shows the progress of a grep on the terminal's last line.

use std::io::{IsTerminal, Write};

use crate::format;

/// A line on standard error that is replaced and removed. Without a terminal there is none.
pub(super) struct Progress {
    terminal: bool,
    shown: bool,
    /// Whether standard output is a terminal too, and its last line is incomplete.
    within_line: bool,
}

impl Progress {
    /// Shows nothing yet.
    pub(super) fn new() -> Progress {
        Progress { terminal: std::io::stderr().is_terminal(), shown: false, within_line: false }
    }

    /// Replaces the line. It shows nothing while a line of output is incomplete.
    pub(super) fn show(&mut self, asked: u64, answered: u64, bytes: u64) {
        if self.terminal && !self.within_line {
            self.write(&format!("\r{}\x1b[K", line(asked, answered, bytes)));
            self.shown = true;
        }
    }

    /// Removes the line.
    pub(super) fn clear(&mut self) {
        if self.shown {
            self.write("\r\x1b[K");
            self.shown = false;
        }
    }

    /// Notes that these bytes were printed on standard output: lines, or a part of a long line.
    pub(super) fn printed(&mut self, bytes: &[u8]) {
        self.within_line = !bytes.ends_with(b"\n") && std::io::stdout().is_terminal();
    }

    /// Writes to standard error. An error is ignored, since progress is optional.
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
