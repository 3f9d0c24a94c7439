//! The pane of the grep: its lines, and which of them are visible.

use std::collections::VecDeque;

/// How many lines of a grep are kept.
const LINES_KEPT: usize = 5_000;

/// The pane of the grep.
#[derive(Debug)]
pub(super) struct GrepPane {
    /// What the user typed.
    pub(super) line: String,
    /// Whether it runs, or how it ended.
    pub(super) state: String,
    /// The number of the grep whose lines these are.
    pub(super) number: Option<u64>,
    lines: VecDeque<String>,
    /// How many lines lie below the visible ones. It is 0 while the newest line is visible.
    below: usize,
}

impl GrepPane {
    pub(super) fn new(line: String) -> GrepPane {
        GrepPane {
            line,
            state: "searching".to_owned(),
            number: None,
            lines: VecDeque::new(),
            below: 0,
        }
    }

    /// Appends a line. What the user looks at stays where it is.
    pub(super) fn push(&mut self, line: String) {
        if self.lines.len() >= LINES_KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
        if self.below > 0 {
            self.below = (self.below + 1).min(self.lines.len());
        }
    }

    /// Scrolls up by this many lines, or down if it is negative.
    pub(super) fn scroll(&mut self, up: isize) {
        self.below = self.below.saturating_add_signed(up).min(self.lines.len().saturating_sub(1));
    }

    /// Scrolls to the oldest line.
    pub(super) fn scroll_to_begin(&mut self) {
        self.below = self.lines.len().saturating_sub(1);
    }

    /// Scrolls to the newest line.
    pub(super) fn scroll_to_end(&mut self) {
        self.below = 0;
    }

    /// The lines for this many rows, and how many lie above and below them. At the oldest line the
    /// rows are full.
    pub(super) fn visible(&self, rows: usize) -> (impl Iterator<Item = &str>, usize, usize) {
        let below = self.below.min(self.lines.len().saturating_sub(rows));
        let end = self.lines.len() - below;
        let above = end.saturating_sub(rows);
        (self.lines.range(above..end).map(String::as_str), above, below)
    }
}

/// `NAME:FILE:text` with FILE's last part alone, if NAME is a member's. Any other line is as it
/// was.
pub(super) fn without_directories(line: &str, is_member: impl Fn(&str) -> bool) -> String {
    let short = || {
        let (name, rest) = line.split_once(':').filter(|(name, _)| is_member(name))?;
        let (path, text) = rest.split_once(':').filter(|_| rest.starts_with('/'))?;
        Some(format!("{name}:{}:{text}", path.rsplit('/').next()?))
    };
    short().unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pane(lines: usize) -> GrepPane {
        let mut pane = GrepPane::new("x".to_owned());
        (0..lines).for_each(|line| pane.push(line.to_string()));
        pane
    }

    fn seen(pane: &GrepPane) -> (Vec<&str>, usize, usize) {
        let (lines, above, below) = pane.visible(3);
        (lines.collect(), above, below)
    }

    #[test]
    fn the_newest_lines_are_visible_until_one_scrolls() {
        let mut pane = pane(5);
        assert_eq!(seen(&pane), (vec!["2", "3", "4"], 2, 0));
        pane.scroll(1);
        pane.push("5".to_owned());
        assert_eq!(seen(&pane), (vec!["1", "2", "3"], 1, 2));
        pane.scroll(99);
        assert_eq!(seen(&pane), (vec!["0", "1", "2"], 0, 3));
        pane.scroll(-99);
        pane.push("6".to_owned());
        assert_eq!(seen(&pane), (vec!["4", "5", "6"], 4, 0));
    }

    #[test]
    fn a_page_of_few_lines_cannot_scroll_away() {
        let mut pane = pane(2);
        pane.scroll_to_begin();
        assert_eq!(seen(&pane), (vec!["0", "1"], 0, 0));
        let mut empty = self::pane(0);
        empty.scroll(1);
        assert_eq!(seen(&empty), (vec![], 0, 0));
    }

    #[test]
    fn only_the_directories_of_a_members_file_are_left_out() {
        let short = |line: &str| without_directories(line, |name| name == "vm1");
        assert_eq!(short("vm1:/var/log/a.log:a: /b:c"), "vm1:a.log:a: /b:c");
        assert_eq!(short("vm2:/var/log/a.log:x"), "vm2:/var/log/a.log:x");
        assert_eq!(short("vm1:journal:x"), "vm1:journal:x");
        assert_eq!(short("memberctl: vm1 failed"), "memberctl: vm1 failed");
    }
}
