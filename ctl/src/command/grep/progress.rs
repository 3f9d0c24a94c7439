//! Shows the progress of a grep on the terminal's last line.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::format;
use crate::interrupted::before_the_end;

/// A line on standard error that is replaced and removed. Without a terminal there is none.
pub(in crate::command) struct Progress {
    is_terminal: bool,
    /// Whether the grep goes on until it is interrupted.
    follows: bool,
    /// Whether the line is shown.
    shown: Arc<Mutex<bool>>,
    /// Whether standard output is a terminal too, and its last line is incomplete.
    within_line: bool,
}

impl Progress {
    /// Shows nothing yet. Call it before other threads are started.
    pub(in crate::command) fn new(follows: bool) -> Progress {
        let is_terminal = std::io::stderr().is_terminal();
        let shown = Arc::new(Mutex::new(false));
        if is_terminal {
            let shown = Arc::clone(&shown);
            // While the line is written, which may take forever, it cannot be removed.
            before_the_end(move || {
                if let Ok(mut shown) = shown.try_lock() {
                    remove(&mut shown);
                }
            });
        }
        Progress { is_terminal, follows, shown, within_line: false }
    }

    /// Replaces the line. It shows nothing while a line of output is incomplete.
    pub(in crate::command) fn show(&mut self, asked: u64, answered: u64, bytes: u64) {
        if self.is_terminal && !self.within_line {
            let line = if self.follows {
                // Those that were asked and have gone are not followed any more.
                following(asked.saturating_sub(answered), bytes)
            } else {
                line(asked, answered, bytes)
            };
            let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
            write(&format!("\r{line}\x1b[K"));
            *shown = true;
        }
    }

    /// Removes the line.
    pub(in crate::command) fn clear(&mut self) {
        remove(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes that these bytes were printed on standard output: lines, or a part of a long line.
    pub(super) fn printed(&mut self, bytes: &[u8]) {
        self.within_line = !bytes.ends_with(b"\n") && std::io::stdout().is_terminal();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn remove(shown: &mut bool) {
    if std::mem::take(shown) {
        write("\r\x1b[K");
    }
}

/// Writes to standard error. An error is ignored, since progress is optional.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes());
}

fn line(asked: u64, answered: u64, bytes: u64) -> String {
    format!(
        "{answered} of {} answered, {} searched",
        format::count(asked, "member"),
        format::size(bytes)
    )
}

/// How many members are followed, and what was searched.
pub(in crate::command) fn following(members: u64, bytes: u64) -> String {
    format!("following {}, {} searched", format::count(members, "member"), format::size(bytes))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_line_is_short_enough_for_any_terminal() {
        assert_eq!(super::line(10, 3, 1_200_000_000), "3 of 10 members answered, 1.2 GB searched");
        assert!(super::line(100_000, 100_000, u64::MAX).len() < 60);
        assert_eq!(super::following(5, 0), "following 5 members, 0 B searched");
    }
}
