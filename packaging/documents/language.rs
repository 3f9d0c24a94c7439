//! Generates memberctl-stats-language(7): the language of questions, with an example of each stage.

use crate::texts::{Section, examples};
use clap_mangen::roff::{Roff, roman};

/// The page's sections. A fleet test types each of its examples, and compares the output.
const LANGUAGE: &str = include_str!("stats-language.txt");

/// The name of the page, without its section of the manual.
pub(super) const NAME: &str = "memberctl-stats-language";

/// The page.
pub(super) fn page(source: &str) -> String {
    let mut page = Roff::new();
    page.control("TH", [NAME, "7", "", source, "memberd manual"]);
    let purpose = "the language of questions over the logs of all members";
    page.control("SH", ["NAME"]).text([roman(format!("{NAME} - {purpose}"))]);
    for Section { title, lines } in examples(LANGUAGE) {
        page.control("SH", [title]);
        parts(&lines, &mut page);
    }
    let others = "memberctl-stats(1), memberctl-grep(1), memberctl(1), memberd(8)";
    page.control("SH", ["SEE ALSO"]).text([roman(others)]);
    page.to_roff()
}

/// Text as paragraphs, and what is indented with a fixed layout.
pub(super) fn parts(lines: &[&str], page: &mut Roff) {
    for part in lines.split(|line| line.is_empty()) {
        page.control("PP", []);
        let is_session = part.iter().all(|line| line.starts_with("    "));
        if is_session {
            page.control("nf", []);
        }
        for line in part {
            page.text([roman(line.strip_prefix("    ").unwrap_or(line))]);
        }
        if is_session {
            page.control("fi", []);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the language of which the page must have an example.
    const WORDS: [&str; 24] = [
        "nginx",
        "json",
        "logfmt",
        "syslog",
        "parse",
        "regex",
        "where",
        "let",
        "count",
        "sum(",
        "min(",
        "max(",
        "avg(",
        "p50(",
        "p99(",
        "distinct(",
        "by",
        "every",
        "over",
        "sort",
        "top",
        "keep",
        "as",
        "in",
    ];

    #[test]
    fn every_stage_has_an_example() {
        let typed: Vec<&str> =
            LANGUAGE.lines().filter(|line| line.starts_with("    $ memberctl stats ")).collect();
        for word in WORDS {
            let shown = format!(" {word}");
            assert!(typed.iter().any(|line| line.contains(&shown)), "{word}: {typed:#?}");
        }
    }

    #[test]
    fn paragraphs_are_filled_and_sessions_are_not() {
        let page = page("memberd");
        assert!(page.contains(".SH DESCRIPTION\n.PP\nA question of memberctl stats"), "{page}");
        assert!(page.contains(".PP\n.nf\n$ memberctl stats "), "{page}");
        assert_eq!(page.matches("\n.nf\n").count(), page.matches("\n.fi\n").count());
    }
}
