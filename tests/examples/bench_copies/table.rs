//! Writes the section "Copies of logs" of `tests/BENCHMARKS.md` from the results. It owns no state.

use crate::aims;
use crate::options::Row;
use crate::results::{Measure, Record, Results};
use crate::search::{BLOCKS, CASES, LINES, Program};
use crate::shipping::{WITH, WITHOUT};
use memberd_tests::bench::aims::table;
use memberd_tests::section::Section;
use std::fmt::Write as _;

/// The marks around the section.
pub(crate) const SECTION: Section = Section("<!-- written by make bench-copies -->\n");

/// How everything is measured, one sentence each.
const METHOD: [&str; 5] = [
    "Shipping: ten members that keep two copies, and beside them ten that keep none, each with a \
     network namespace and a key; what happens to one fleet happens to the other at the same time.",
    "A cost is what a member uses more than its twin, until all is durable and sealed; the lag is \
     from the write of a line until a look into the keepers' stores finds it in two of them.",
    "Searches: one member is asked, another keeps the sealed copies of a dead one, and offers the \
     same text as .gz files; both search on all cores, with a warm cache.",
    "The text has four services' formats; gzip and zstd have their default levels, 6 and 3.",
    "All programs print the same lines, or the same sum of counts; the run fails otherwise.",
];

/// The text of the section; empty if nothing was measured yet.
pub(crate) fn section(results: &Results) -> String {
    if results.runs.is_empty() {
        return String::new();
    }
    let mut text = results.described(&METHOD, |_| false).join("\n") + "\n";
    rest(results, &mut text);
    shipping(results, &mut text);
    sizes(results, &mut text);
    searches(results, &mut text);
    text + &table("What should be reached", &aims::lines(results)) + &results.not_measured()
}

/// The records of a row, each thing once, in the order of the measurement.
fn things(results: &Results, row: Row) -> Vec<&str> {
    let mut things: Vec<&str> = Vec::new();
    for record in results.records.iter().filter(|record| record.of.row == row) {
        if !things.contains(&record.what.as_str()) {
            things.push(&record.what);
        }
    }
    things
}

fn rest(results: &Results, text: &mut String) {
    let things = things(results, Row::Rest);
    if things.is_empty() {
        return;
    }
    let _ = write!(
        text,
        "\nTen members that log nothing (median, worst):\n\n\
         | | {WITHOUT} | {WITH} |\n|---|---|---|\n"
    );
    for what in things {
        let cells = [WITHOUT, WITH].map(|column| found(results, Row::Rest, what, column));
        line(text, what, &cells);
    }
}

fn shipping(results: &Results, text: &mut String) {
    let rows = [(Row::One, "one member logs"), (Row::All, "ten members log")];
    let rows = rows.map(|(row, name)| (row, name, things(results, row)));
    let Some((_, _, longest)) = rows.iter().max_by_key(|(.., things)| things.len()) else { return };
    if longest.is_empty() {
        return;
    }
    let _ = write!(
        text,
        "\nMembers that log (median, worst):\n\n| | {} | {} |\n|---|---|---|\n",
        rows[0].1, rows[1].1
    );
    for what in longest {
        for (column, of) in [(WITH, ""), (WITHOUT, ", without copies")] {
            let cells = [Row::One, Row::All].map(|row| found(results, row, what, column));
            if cells.iter().any(|cell| !cell.is_empty()) {
                line(text, &format!("{what}{of}"), &cells);
            }
        }
    }
}

fn sizes(results: &Results, text: &mut String) {
    let columns = ["text", ".gz", ".zst", "copies"];
    let cells = columns.map(|column| found(results, Row::Size, "size", column));
    if cells.iter().all(String::is_empty) {
        return;
    }
    let _ = write!(text, "\n| | text | .gz | .zst | copies |\n|---|---|---|---|---|\n");
    line(text, "size", &cells);
    for what in things(results, Row::Size).into_iter().filter(|what| *what != "size") {
        line(text, what, &columns.map(|column| found(results, Row::Size, what, column)));
    }
}

fn searches(results: &Results, text: &mut String) {
    if things(results, Row::Search).is_empty() {
        return;
    }
    *text += "\nSearches (median, worst), and how many times faster those of copies are:\n\n\
              | | lines | blocks read |";
    for program in Program::ALL {
        let _ = write!(text, " {} |", program.name());
    }
    *text += " to .gz | to the older build | to `rg -z` | to `zstdgrep` |\n";
    *text += &format!("|{}\n", "---|".repeat(12));
    for case in &CASES {
        let counts = [LINES, BLOCKS].map(|column| found(results, Row::Search, case.what, column));
        if counts.iter().all(String::is_empty) {
            continue;
        }
        let mut cells = counts.to_vec();
        cells.extend(
            Program::ALL.map(|program| found(results, Row::Search, case.what, program.name())),
        );
        let others = [Program::Gz, Program::OlderGz, Program::Ripgrep, Program::Zstdgrep];
        cells.extend(others.map(|other| {
            let times = aims::times(results, case.what, other);
            times.map_or(String::new(), |times| format!("{times:.1}"))
        }));
        line(text, case.what, &cells);
    }
}

fn found(results: &Results, row: Row, what: &str, column: &str) -> String {
    results
        .find(row, what, column)
        .map_or_else(String::new, |record: &Record| record.cell(Measure::show))
}

fn line(text: &mut String, what: &str, cells: &[String]) {
    let _ = writeln!(text, "| {what} | {} |", cells.join(" | "));
}
