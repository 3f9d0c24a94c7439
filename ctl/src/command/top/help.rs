//! The help of the screen: what each key does.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::theme::Theme;

/// The keys, and what they do.
pub(super) const KEYS: [(&str, &str); 9] = [
    ("arrows, h j k l", "select a member"),
    ("m", "show the table of all members, or the ring"),
    ("s", "sort the table by name, status or time"),
    ("/", "search all members' logs, as memberctl grep does"),
    ("PageUp, PageDown", "scroll the lines of the search, or the table"),
    ("Home, End", "go to the first or the last of them"),
    ("f", "show the directories of files in the search, or not"),
    ("Esc", "end the search"),
    ("Ctrl-Z, q", "suspend, quit"),
];

/// Draws the keys over the screen.
pub(super) fn draw(theme: Theme, area: Rect, buffer: &mut Buffer) {
    let lines = KEYS.iter().map(|(keys, what)| Line::raw(format!("  {keys:18}{what}")));
    let title = Line::styled("KEYS (any key closes this)", theme.title());
    let lines: Vec<Line> = std::iter::once(title).chain(lines).collect();
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height);
    let area = Rect { height, ..area };
    Clear.render(area, buffer);
    Paragraph::new(lines).render(area, buffer);
}
