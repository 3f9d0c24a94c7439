//! Generates the sections of memberctl-grep(1) on times and on GNU grep from the documentation of
//! the search.

use crate::texts::{Section, split};
use clap_mangen::roff::{Inline, Roff, bold, roman};

const DOCUMENTATION: &str = include_str!("../../daemon/search/README.md");

/// How grep differs from GNU grep.
pub(crate) fn section() -> Roff {
    rendered("DIFFERENCES FROM GNU GREP", differences())
}

/// The times of lines that are understood.
pub(crate) fn times() -> Roff {
    rendered("TIMES THAT ARE UNDERSTOOD", lines_below("Times that are understood"))
}

/// A section: paragraphs, lists and tables of two columns, with literal text in bold.
fn rendered(title: &str, lines: Vec<&'static str>) -> Roff {
    let mut section = Roff::new();
    section.control("SH", [title]);
    for line in lines {
        if line.is_empty() {
            section.control("PP", []);
            continue;
        }
        if let Some(row) = line.strip_prefix('|') {
            let cells = row.trim_matches([' ', '|']).split_once(" | ");
            if let Some((name, text)) = cells.filter(|(_, text)| *text != "examples") {
                section.control("TP", []).text(inlines(name)).text(inlines(text));
            }
            continue;
        }
        let item = line.strip_prefix("* ");
        if item.is_some() {
            section.control("IP", ["*", "2"]);
        }
        section.text(inlines(item.unwrap_or(line.trim_start())));
    }
    section
}

/// A line of Markdown.
fn inlines(line: &str) -> Vec<Inline> {
    line.split('`')
        .enumerate()
        .map(|(at, part)| if at % 2 == 0 { roman(part) } else { bold(part) })
        .collect()
}

fn differences() -> Vec<&'static str> {
    lines_below("Where it differs from GNU grep")
}

fn lines_below(title: &str) -> Vec<&'static str> {
    let sections = split(DOCUMENTATION, |line| line.strip_prefix("## "));
    let found = sections.into_iter().find(|section| section.title == title);
    found.map_or_else(Vec::new, |Section { lines, .. }| lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_is_an_item_with_closed_literals() {
        let lines = differences();
        let items = lines.iter().filter(|line| line.starts_with("* ")).count();
        assert!(items >= 20, "{items}");
        assert_eq!(section().render().matches("\n.IP * 2\n").count(), items);
        for line in lines {
            assert!(line.matches('`').count() % 2 == 0, "{line}");
        }
    }

    #[test]
    fn each_format_of_times_is_a_paragraph_with_a_title() {
        let page = times().render();
        assert!(
            page.contains("\n.TP\nsyslog, ctime(3), date(1)\n\\fBNov 21 01:20:33\\fR, "),
            "{page}"
        );
        assert_eq!(page.matches("\n.TP\n").count(), 11, "{page}");
        assert!(!page.contains('|'), "{page}");
    }

    #[test]
    fn literals_are_bold_and_a_backslash_stays_one() {
        let mut text = Roff::new();
        text.text(inlines(r"A backslash (`\d`) here"));
        assert!(text.to_roff().contains(r"A backslash (\fB\\d\fR) here"), "{}", text.to_roff());
    }
}
