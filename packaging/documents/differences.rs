//! Generates the section of memberctl-grep(1) on GNU grep from the documentation of the search.

use crate::texts::{Section, split};
use clap_mangen::roff::{Inline, Roff, bold, roman};

const DOCUMENTATION: &str = include_str!("../../daemon/search/README.md");

/// The section: paragraphs and lists, with literal text in bold.
pub(crate) fn section() -> Roff {
    let mut section = Roff::new();
    section.control("SH", ["DIFFERENCES FROM GNU GREP"]);
    for line in differences() {
        if line.is_empty() {
            section.control("PP", []);
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
    let sections = split(DOCUMENTATION, |line| line.strip_prefix("## "));
    let found =
        sections.into_iter().find(|section| section.title == "Where it differs from GNU grep");
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
    fn literals_are_bold_and_a_backslash_stays_one() {
        let mut text = Roff::new();
        text.text(inlines(r"A backslash (`\d`) here"));
        assert!(text.to_roff().contains(r"A backslash (\fB\\d\fR) here"), "{}", text.to_roff());
    }
}
