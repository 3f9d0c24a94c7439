//! Writes the section "Beside Spark" of `tests/BENCHMARKS.md` from the results. It owns no state.

use crate::options::Row;
use crate::question::Question;
use crate::results::{Measure, Record, Results};
use crate::rows::{batch, kills, latency, rest};
use crate::system::System;
use crate::{aims, plot};
use memberd_tests::bench::Run;
use memberd_tests::bench::table::{Shown, by_columns};
use memberd_tests::section::Section;

/// The marks around the section.
pub(crate) const SECTION: Section = Section("<!-- written by make bench-streams -->\n");

/// How everything is measured, one sentence each.
const METHOD: [&str; 9] = [
    "All run on one machine, in turn, each round anew; the logs are nginx's `combined` with a \
     time and an id behind, from a seed, in the page cache; the answers to a question are the \
     same bytes after sorting, or the run fails. angle-grinder does not know the machine, and \
     its answers are compared without it.",
    "memberd: ten members and their workers with one log each, and then one member with all \
     ten; processor time and memory are those of memberctl, all daemons and all workers, \
     heartbeats included; memory is the sum of what each process had at most.",
    "Spark: `local` with all processors and as many shuffle partitions, no UI, `read.text`, \
     fields by `regexp_extract`; cold: a command with one question, from its start until its \
     answer is written, without its end; warm: the third time in one process, whose memory is \
     that after all questions.",
    "mawk: one process, fields by spaces; DuckDB: `read_csv` with spaces, from Python; \
     angle-grinder: `parse`, from `cat`.",
    "Latency: a line is written, or for Spark a file is moved in, since its file source never \
     reads lines that are appended; its row is looked for every 5 ms. The job commits every 100 \
     ms, has five members and five copies; the lines are of a window that has closed, whose \
     rows come again at once. Spark's trigger is the default one: rows are copied, counts are \
     stateful in update mode.",
    "At rest: daemons and workers of a group of five, with files, agreement and one job that \
     commits every second, if there is anything; Spark copies rows, and there are none.",
    "Kills, by kill -9 in a group of nine: lines of 32 keys, in all partitions, are written \
     just after it on a machine that lives, and the time is from the kill until all their rows \
     are read from the sink. A killed worker and Spark's driver are started again at once, \
     machines are not before their rows are there.",
    "Doubles: lines are written all the time, and the kill comes as soon as a row of them is \
     there: for memberd the machine that writes the sink, and in turn the leader's and three \
     more. Then the rows of the plain file, or of Spark's part files, are counted.",
    "Not measured: Spark on a cluster, its executors and its memory there; throughput of a \
     stream; rotation of logs; heartbeats while a job takes all processors.",
];

/// The text of the section; empty if nothing was measured yet.
pub(crate) fn section(results: &Results) -> String {
    if results.telling_runs().is_empty() {
        return String::new();
    }
    let mut text = results.described(&METHOD, is_busy).join("\n") + "\n";
    if plot::draw(results).is_some() {
        text += &format!("\n![Times and processor times](examples/bench_streams/{})\n", plot::FILE);
    }
    text += &shown(results, "Questions (median, worst)", &batch_columns(), is_batch);
    let columns = latency::columns();
    text += &shown(results, "Streams (median, worst)", &columns, |row| row == Row::Latency);
    let columns = rest::columns();
    text += &shown(results, "At rest", &columns, |row| row == Row::Rest);
    let columns = kills::columns();
    let is_killed = |row| matches!(row, Row::Kills | Row::Doubles);
    text += &shown(results, "After kills (median, worst; counts are sums)", &columns, is_killed);
    text + &aims::table(results) + &left_out(results) + &results.not_measured()
}

fn shown(results: &Results, head: &str, columns: &[String], has: impl Fn(Row) -> bool) -> String {
    by_columns(results, Shown { head, columns, title, cell }, has)
}

fn is_batch(row: Row) -> bool {
    Question::ALL.iter().any(|question| question.row() == row)
}

/// The columns of the questions.
fn batch_columns() -> Vec<String> {
    let spark = |system| [false, true].map(|is_warm| batch::column(system, is_warm));
    let own = [System::Memberd.name(), batch::ONE_MEMBER, batch::GREP].map(str::to_owned);
    let rest = [System::Mawk, System::Duckdb, System::Agrind].map(|it| it.name().to_owned());
    let sparks = [spark(System::Spark43), spark(System::Spark35)].concat();
    [&own[..], &sparks, &rest].concat()
}

fn title(row: Row, what: &str) -> String {
    let question = Question::ALL.into_iter().find(|question| question.row() == row);
    question.map_or_else(|| what.to_owned(), |question| format!("{}: {what}", question.title()))
}

fn cell(record: &Record) -> String {
    record.cell(Measure::show)
}

/// Whether the machine had other work when the run began.
fn is_busy(run: &Run) -> bool {
    run.loads_per_core().next().is_some_and(|load| load > 0.75)
}

/// Which rows and programs have no results, as a paragraph.
fn left_out(results: &Results) -> String {
    const ROWS: [(Row, &str); 7] = [
        (Row::Errors, "Q1"),
        (Row::Windows, "Q2"),
        (Row::Clients, "Q3"),
        (Row::Latency, "latency"),
        (Row::Rest, "at rest"),
        (Row::Kills, "kills"),
        (Row::Doubles, "doubles"),
    ];
    let has = |found: &dyn Fn(&Record) -> bool| results.records.iter().any(found);
    let rows = ROWS.iter().filter(|(row, _)| !has(&|record| record.of.row == *row));
    let systems =
        System::ALL.iter().filter(|system| !has(&|it| it.of.column.starts_with(system.name())));
    let rows = rows.map(|(_, name)| (*name).to_owned());
    let systems = systems.map(|system| system.name().to_owned());
    let streaming = [System::Memberd, System::Spark43, System::Spark35];
    let parts = ROWS.iter().filter(|(row, _)| !is_batch(*row)).flat_map(|(row, name)| {
        let of = |system: System| {
            has(&|it| it.of.row == *row && it.of.column.starts_with(system.name()))
        };
        let missing = streaming.into_iter().filter(move |system| !of(*system));
        let missing: Vec<String> =
            missing.map(|system| format!("{name} of {}", system.name())).collect();
        // A row that is missing as a whole is named as such.
        if missing.len() < streaming.len() { missing } else { Vec::new() }
    });
    let left: Vec<String> = rows.chain(systems).chain(parts).collect();
    if left.is_empty() {
        return String::new();
    }
    format!("\n**Left out**, without results: {}.\n", left.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Subject;

    #[test]
    fn what_was_not_measured_is_named() {
        let mut results = Results::default();
        for (row, column) in [(Row::Errors, "memberd"), (Row::Errors, "Spark 4.3, warm")] {
            let of = Subject::new(row, column);
            results.add(&of, Measure::Seconds, batch::TIME, &[0.5]);
        }
        let text = left_out(&results);
        let expected = "**Left out**, without results: Q2, Q3, latency, at rest, kills, doubles, \
                        Spark 3.5, mawk, DuckDB, angle-grinder.";
        assert_eq!(text.trim(), expected);
        let of = Subject::new(Row::Rest, "memberd, each of five");
        results.add(&of, Measure::Seconds, "time", &[0.5]);
        let text = left_out(&results);
        assert!(text.contains("at rest of Spark 4.3, at rest of Spark 3.5."), "{text}");
        let table = shown(&results, "Questions", &batch_columns(), is_batch);
        assert!(table.contains("| | memberd | Spark 4.3, warm |"), "{table}");
        assert!(table.contains("status: time | 500 ms | 500 ms |"), "{table}");
    }
}
