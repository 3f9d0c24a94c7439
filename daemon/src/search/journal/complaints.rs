//! Tells what journalctl says on its standard error. It owns no state.

use std::io::{BufRead as _, BufReader, Read};

/// The longest line that is told, in bytes.
const MAX_LINE_BYTES: usize = 512;

/// The most lines that are told.
const MAX_LINES: u64 = 20;

/// Tells each line of `from` as soon as it comes, until the end, and returns how many there were.
/// The first lines are told, and the others are only counted. With --output=export journalctl is
/// quiet about all but faults. So each line means that a part of the journal was not searched.
pub(super) fn tell(from: impl Read, mut message: impl FnMut(&str)) -> u64 {
    let mut lines = 0;
    let mut from = BufReader::with_capacity(4 * 1024, from);
    let mut line = Vec::new();
    loop {
        line.clear();
        let most = MAX_LINE_BYTES as u64;
        // An unreadable rest is no worse than none: the exit status is looked at as well.
        let read = from.by_ref().take(most).read_until(b'\n', &mut line).unwrap_or(0);
        if read == 0 {
            break;
        }
        if read == MAX_LINE_BYTES && !line.ends_with(b"\n") {
            let _ = from.skip_until(b'\n');
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        // The second line of a complaint says only how to find out more.
        if text.is_empty() || text.starts_with("Use SYSTEMD_LOG_LEVEL=") {
            continue;
        }
        lines += 1;
        if lines <= MAX_LINES {
            message(&text.replace(char::is_control, "?"));
        }
    }
    if lines > MAX_LINES {
        message(&format!("journalctl said {} more lines", lines - MAX_LINES));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(said: &str) -> (Vec<String>, u64) {
        let mut messages = Vec::new();
        let lines = tell(said.as_bytes(), |text| messages.push(text.to_owned()));
        (messages, lines)
    }

    /// The texts are those of journalctl of systemd 252.
    #[test]
    fn each_line_that_means_something_is_reported() {
        let (messages, lines) = told(
            "Journal file /x uses an unsupported feature, ignoring file.\n\
            Use SYSTEMD_LOG_LEVEL=debug journalctl --file=/x to see the details.\n\n\
            no \u{1b}[31mnewline",
        );
        assert_eq!(
            messages,
            ["Journal file /x uses an unsupported feature, ignoring file.", "no ?[31mnewline",]
        );
        assert_eq!(lines, 2);
    }

    #[test]
    fn number_and_length_of_the_lines_are_bounded() {
        let (messages, lines) = told(&format!("{}\n", "x".repeat(5_000)).repeat(25));
        assert_eq!((messages.len(), lines), (21, 25));
        assert!(messages.iter().all(|message| message.len() <= MAX_LINE_BYTES));
        assert_eq!(messages.last().unwrap(), "journalctl said 5 more lines");
        assert_eq!(told(""), (Vec::new(), 0));
    }
}
