//! Compares the results with what they should be. It owns no state.

use crate::options::Row;
use crate::results::{Record, Results, show};
use crate::rows::memory;
use crate::system::{System, Way};
use memberd_tests::bench::aims::{self, Outcome};

/// The columns that are compared.
fn own() -> String {
    Way::WebHdfs.column(System::Memberd)
}

/// How much a node with files may have more than one without, in mebibytes.
const AT_REST: f64 = 24.0;
const UNDER_LOAD: f64 = 160.0;

/// How soon all copies must be there again, in seconds.
const WHOLE: f64 = 12.0;

/// What still counts as nothing moved, in megabytes: what repeats the lists of a machine that is
/// back.
const NOTHING: f64 = 1.0;

/// A time of memberd by that of another.
struct Aim {
    row: Row,
    what: &'static str,
    other: (System, Way),
    /// At most this much of the other's time.
    share: f64,
}

const fn aim(row: Row, what: &'static str, other: (System, Way), share: f64) -> Aim {
    Aim { row, what, other, share }
}

const WEBHDFS: (System, Way) = (System::Hdfs, Way::WebHdfs);
const NATIVE: (System, Way) = (System::Hdfs, Way::Native);
const FILER: (System, Way) = (System::Seaweed, Way::Filer);

const AIMS: [Aim; 9] = [
    aim(Row::Put, "put of 100 MB", WEBHDFS, 1.0 / 1.3),
    aim(Row::Put, "put of 100 MB", FILER, 0.5),
    aim(Row::Create, "create of 1 KiB", WEBHDFS, 0.25),
    aim(Row::Create, "create of 1 KiB", NATIVE, 0.25),
    aim(Row::Create, "create of 100 B", WEBHDFS, 0.25),
    aim(Row::Create, "create of 100 B", NATIVE, 0.25),
    aim(Row::Append, "append of 100 B", WEBHDFS, 0.25),
    aim(Row::Append, "append of 100 B", NATIVE, 0.25),
    aim(Row::Stat, "stat", NATIVE, 3.0),
];

/// A line of a table for each aim.
pub(crate) fn lines(results: &Results) -> String {
    let times = AIMS.iter().filter_map(|aim| time(results, aim));
    let aims = times.chain(crashes(results)).chain(memories(results));
    aims::lines(aims)
}

fn time(results: &Results, aim: &Aim) -> Option<Outcome> {
    let other = aim.other.1.column(aim.other.0);
    let median = |column: &str| Some(results.find(aim.row, aim.what, column)?.typical());
    let share = median(&own())? / median(&other)?;
    Some(Outcome {
        figure: format!("{}, all copies on disk, to {other}", aim.what),
        wanted: format!("at most {:.2} of its time", aim.share),
        measured: format!("{share:.2}"),
        reached: share <= aim.share,
    })
}

fn crashes(results: &Results) -> Vec<Outcome> {
    let of = |row: Row, words: &str| found(results, row, words);
    let mut outcomes = Vec::new();
    if let Some(whole) = of(Row::Repair, "machine killed: until all files") {
        outcomes.push(Outcome {
            figure: "machine killed: all files have three copies again, at worst".to_owned(),
            wanted: format!("within {WHOLE:.0} s"),
            measured: show(whole.measure, whole.worst()),
            reached: whole.worst() <= WHOLE,
        });
    }
    if let Some(moved) = of(Row::Back, "machine back after 20 s: moved") {
        outcomes.push(Outcome {
            figure: "machine back after 20 s: moved, at worst".to_owned(),
            wanted: format!("nothing (below {NOTHING:.0} MB, which is talk)"),
            measured: show(moved.measure, moved.worst()),
            reached: moved.worst() < NOTHING,
        });
    }
    outcomes
}

fn memories(results: &Results) -> Vec<Outcome> {
    let Some(without) = found(results, Row::Memory, memory::WITHOUT) else { return Vec::new() };
    let limits = [(memory::REST, AT_REST), (memory::LOAD, UNDER_LOAD)];
    let outcome = |(what, limit): (&str, f64)| {
        let more = found(results, Row::Memory, what)?.worst() - without.typical();
        Some(Outcome {
            figure: format!("{what}, at worst, above one without files"),
            wanted: format!("at most {limit:.0} MiB"),
            measured: format!("{more:.1} MiB"),
            reached: more <= limit,
        })
    };
    limits.into_iter().filter_map(outcome).collect()
}

/// memberd's record whose name begins so.
fn found<'a>(results: &'a Results, row: Row, words: &str) -> Option<&'a Record> {
    let is_it = |record: &&Record| {
        (record.of.row, record.of.column.as_str()) == (row, System::Memberd.name())
            && record.what.starts_with(words)
    };
    results.records.iter().find(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Measure, Subject};

    /// The medians are compared, and what was not measured has no aim.
    #[test]
    fn aims_are_reached_or_missed_by_medians() {
        let mut results = Results::default();
        let mut add = |column: &str, samples: &[f64]| {
            let of = Subject::new(Row::Put, column);
            results.add(&of, Measure::Seconds, "put of 100 MB", samples);
        };
        add(&own(), &[0.5, 1.0, 9.0]);
        add("HDFS, WebHDFS", &[1.3]);
        add("SeaweedFS", &[1.9]);
        let lines = lines(&results);
        let outcomes: Vec<&str> = lines.lines().map(|line| &line[line.len() - 12..]).collect();
        assert_eq!(outcomes, [" | reached |", "**missed** |"], "{lines}");
    }
}
