//! Writes the tables of `daemon/search/BENCH.md` and `tests/BENCHMARKS.md` from the results. It
//! owns no state.

use crate::results::{Others, Results};
use memberd_tests::section::Section;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The section of a document that holds the tables.
const SECTION: Section = Section("<!-- written by make bench-grep -->\n");

/// The rows that the benchmarks page shows.
const SHOWN: [&str; 4] =
    ["rare literal, `-c`", "1 % regex, `-c`", "1 % literal, `-i -c`", "30 %, printed"];

/// Both documents, and the text for the section of each.
pub(crate) fn documents(results: &Results) -> [(PathBuf, String); 2] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    [
        (root.join("daemon/search/BENCH.md"), all(results)),
        (root.join("tests/BENCHMARKS.md"), shown(results)),
    ]
}

/// Writes the sections of both documents again.
pub(crate) fn update(results: &Results) {
    for (path, text) in documents(results) {
        SECTION.write(&path, &text);
    }
}

/// The table of the benchmarks page.
fn shown(results: &Results) -> String {
    let mut rows = String::new();
    for row in results.ten.iter().filter(|row| SHOWN.contains(&row.what.as_str())) {
        line(
            &mut rows,
            &row.what,
            &[row.grep, row.rg, row.memberctl].map(|time| format!("{time:.0}")),
        );
    }
    let cores = results.cores;
    let mut text = format!(
        "| | GNU grep | ripgrep, {cores} threads | `memberctl grep` |\n|---|---|---|---|\n{rows}"
    );
    lists(results, &mut text);
    text
}

/// All tables.
pub(crate) fn all(results: &Results) -> String {
    let cores = results.cores;
    let mut text = format!(
        "{}\n\nOne log:\n\n| | GNU grep | rg -j1 | engine, 1 thread | engine, {cores} threads | \
        memberctl, 1 thread | memberctl, \
         {cores} threads | to rg -j1 |\n|---|---|---|---|---|---|---|---|\n",
        results.conditions,
    );
    for row in &results.one {
        let before = [row.grep, row.rg, row.engine_one_thread, row.engine].map(tenths);
        let ours = [
            row.memberctl_one_thread.map_or("-".to_owned(), tenths),
            tenths(row.memberctl),
            ratio(row.memberctl / row.rg),
        ];
        line(&mut text, &row.what, &[&before[..], &ours].concat());
    }
    let _ = write!(
        text,
        "\nTen logs, one on each of ten members on this machine:\n\n| | GNU grep | rg -j{cores} | \
        engine, 1 thread | engine, {cores} \
         threads | memberctl, 10 members | to rg -j{cores} |\n|---|---|---|---|---|---|---|\n",
    );
    for row in &results.ten {
        let times = [row.grep, row.rg, row.engine_one_thread, row.engine, row.memberctl];
        line(
            &mut text,
            &row.what,
            &[&times.map(tenths)[..], &[ratio(row.memberctl / row.rg)]].concat(),
        );
    }
    lists(results, &mut text);
    windows(results, &mut text);
    gain(results, &mut text);
    processor(results, &mut text);
    let Others { little, first_line, memberd_mib, memberd_ten_greps_mib, memberctl_mib } =
        &results.others;
    let _ = write!(
        text,
        "\nA rare pattern over ten members that have little to read: {little:.1} ms.\nThe first of \
        30 % of the lines of ten members: after \
         {first_line:.1} ms.\nResident at most, in MiB: memberd {memberd_mib}, with ten greps at \
         once {memberd_ten_greps_mib}{}.\n\n{}",
        memberctl_mib.map_or(String::new(), |mib| format!("; memberctl {mib}")),
        aims(results)
    );
    text
}

fn lists(results: &Results, text: &mut String) {
    if results.lists.is_empty() {
        return;
    }
    let conditions = &results.list_conditions;
    let _ = write!(
        text,
        "\nStrings of a list (`-F -f LIST`) in one log of connections, printed, on one thread. \
        A program is stopped after 30 s. {conditions}:\n\n"
    );
    *text += &list_table(results);
}

fn list_table(results: &Results) -> String {
    let head = "| | GNU grep | rg -j1 | memberctl, 1 thread | to grep | to rg |\n";
    let mut text = format!("{head}|---|---|---|---|---|---|\n");
    for row in &results.lists {
        let times = [row.grep, row.rg, row.memberctl].map(tenths);
        let ratios = [ratio(row.memberctl / row.grep), ratio(row.memberctl / row.rg)];
        line(&mut text, &row.what, &[&times[..], &ratios].concat());
    }
    text
}

fn windows(results: &Results, text: &mut String) {
    if results.windows.is_empty() {
        return;
    }
    *text += "\nA window of time (`--since`, `--until`) of one log, `memberctl`, on one thread:\n\n\
    | | all lines | first search | later searches |\n|---|---|---|---|\n";
    for row in &results.windows {
        line(text, &row.what, &[row.without, row.first, row.later].map(tenths));
    }
}

fn gain(results: &Results, text: &mut String) {
    if results.gain.is_empty() {
        return;
    }
    let cores = results.cores;
    let _ = write!(
        text,
        "\nWhat more threads gain on one log: medians, and on how many cores the threads were, on \
        average:\n\n| | rg | engine, 1 thread \
         | engine, {cores} threads | gain | to rg | cores |\n|---|---|---|---|---|---|---|\n",
    );
    for row in &results.gain {
        let ratios = [
            ratio(row.all_threads / row.one_thread),
            ratio(row.all_threads / row.rg),
            tenths(row.cores),
        ];
        line(
            text,
            &row.what,
            &[&[row.rg, row.one_thread, row.all_threads].map(tenths)[..], &ratios].concat(),
        );
    }
}

fn processor(results: &Results, text: &mut String) {
    if results.processor.is_empty() {
        return;
    }
    *text += "\nProcessor time of a search of the ten members, means, the reader of the pipe not \
    counted; \"asking\" is what the member that \
             asks takes more than the others:\n\n| | rg | searching and sending | asking | \
             memberctl | all | to rg \
             |\n|---|---|---|---|---|---|---|\n";
    for row in &results.processor {
        let all = row.searching + row.asking + row.memberctl;
        let times = [row.rg, row.searching, row.asking, row.memberctl, all]
            .map(|time| format!("{time:.0}"));
        line(text, &row.what, &[&times[..], &[ratio(all / row.rg)]].concat());
    }
}

/// The aims, and the worst row for each. The row shows how well the aim was met or missed.
fn aims(results: &Results) -> String {
    let cores = results.cores;
    let counted = results.one.iter().filter(|row| row.counts);
    let more = worst(
        &mut counted
            .filter_map(|row| Some((row.memberctl_one_thread? - row.rg, row.what.as_str()))),
    );
    let split =
        worst(&mut results.gain.iter().map(|row| (row.all_threads / row.rg, row.what.as_str())));
    let ten = worst(
        &mut results
            .ten
            .iter()
            .filter(|row| row.counts)
            .map(|row| (row.memberctl / row.rg, row.what.as_str())),
    );
    let many = results.ten.iter().filter(|row| !row.counts && row.what.starts_with("30 %"));
    let many = worst(&mut many.map(|row| (row.memberctl / row.rg, row.what.as_str())));
    let one_to_grep = results.one.iter().map(|row| (row.memberctl / row.grep, row.what.as_str()));
    let ten_to_grep = results.ten.iter().map(|row| (row.memberctl / row.grep, row.what.as_str()));
    let grep = worst(&mut one_to_grep.chain(ten_to_grep));
    let Others { little, first_line, memberd_ten_greps_mib, memberctl_mib, .. } = &results.others;
    let mut text = "| aim | worst | |\n|---|---|---|\n".to_owned();
    let mut aim = |aim: &str, (value, row): (f64, &str), limit: f64, unit: &str| {
        if value.is_nan() {
            return line(&mut text, aim, &[String::new(), "not measured".to_owned()]);
        }
        let met = if value <= limit { "met" } else { "missed" };
        let row = if row.is_empty() { String::new() } else { format!(" ({row})") };
        line(&mut text, aim, &[format!("{value:.2}{unit}{row}"), met.to_owned()]);
    };
    aim("one member, one thread, `-c`: `rg -j1` and 5 ms", more, 5.0, " ms more");
    aim(&format!("one log on {cores} threads: 0.75 of ripgrep"), split, 0.75, "");
    aim(&format!("ten members, `-c`: `rg -j{cores}`"), ten, 1.0, "");
    aim(&format!("ten members, 30 % printed: 1.3 of `rg -j{cores}`"), many, 1.3, "");
    aim("always 1.5 times as fast as GNU grep: 0.67 of it", grep, 2.0 / 3.0, "");
    aim("a rare pattern where there is little to read: 30 ms", (*little, ""), 30.0, " ms");
    aim("the first line: 20 ms", (*first_line, ""), 20.0, " ms");
    #[expect(clippy::cast_precision_loss, reason = "a few MiB")]
    let mib = |mib: Option<u64>| (mib.map_or(f64::NAN, |mib| mib as f64), "");
    aim("memberd with ten greps at once: 64 MiB", mib(Some(*memberd_ten_greps_mib)), 64.0, " MiB");
    aim("memberctl: 32 MiB", mib(*memberctl_mib), 32.0, " MiB");
    text
}

/// The largest value, and its row. Without values it is NaN.
fn worst<'r>(values: &mut dyn Iterator<Item = (f64, &'r str)>) -> (f64, &'r str) {
    values.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((f64::NAN, ""))
}

fn line(text: &mut String, what: &str, cells: &[String]) {
    let _ = writeln!(text, "| {what} | {} |", cells.join(" | "));
}

fn tenths(time: f64) -> String {
    format!("{time:.1}")
}

fn ratio(ratio: f64) -> String {
    format!("{ratio:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_show_the_stored_results() {
        for (path, text) in documents(&Results::read()) {
            let shown = SECTION.read(&path);
            assert!(
                shown == text,
                "{} is out of date: run the example bench_grep with --render",
                path.display()
            );
        }
    }
}
