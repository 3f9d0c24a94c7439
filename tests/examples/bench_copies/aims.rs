//! Compares the results with what they should be. It owns no state.

use crate::options::Row;
use crate::results::{Record, Results};
use crate::search::{CASES, Program};
use crate::shipping::{WITH, WITHOUT};
use memberd_tests::bench::aims::{self, Outcome};

/// How much memory a member may have more than at rest without copies, in mebibytes.
const MEMORY: f64 = 16.0;

/// How large an index may be, as a share of the compressed text.
const INDEX: f64 = 0.06;

/// By how much a fleet that logs nothing may differ from one without copies: what two equal fleets
/// differ by.
const IDLE: f64 = 0.05;

/// How many times faster than this program copies are searched.
pub(crate) fn times(results: &Results, what: &str, program: Program) -> Option<f64> {
    let of = |program: Program| results.find(Row::Search, what, program.name());
    let ratio = of(program)?.typical() / of(Program::Copies)?.typical();
    ratio.is_finite().then_some(ratio)
}

/// A line of a table for each aim.
pub(crate) fn lines(results: &Results) -> String {
    let aims = searches(results).into_iter().chain(sizes(results)).chain(shipping(results));
    aims::lines(aims)
}

fn searches(results: &Results) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for case in &CASES {
        let Some(aim) = case.aim else { continue };
        let wanted = [
            (Program::Gz, Some(aim.gz)),
            (Program::OlderGz, Some(aim.gz)),
            (Program::Ripgrep, aim.rg),
            (Program::Zstdgrep, aim.zstdgrep),
        ];
        for (program, least) in wanted {
            let Some((least, times)) = least.zip(times(results, case.what, program)) else {
                continue;
            };
            let slower = least < 1.0;
            outcomes.push(Outcome {
                figure: format!("{}, to {}", case.what, program.name()),
                wanted: if slower {
                    format!("at most {:.1} of its time", 1.0 / least)
                } else {
                    format!("{least:.0} times faster")
                },
                measured: if slower {
                    format!("{:.2}", 1.0 / times)
                } else {
                    format!("{times:.1}")
                },
                reached: times >= least,
            });
        }
    }
    outcomes
}

fn sizes(results: &Results) -> Option<Outcome> {
    let share = results.find(Row::Size, "index to compressed text", "copies")?.typical();
    Some(Outcome {
        figure: "index to compressed text".to_owned(),
        wanted: format!("at most {:.0} %", INDEX * 100.0),
        measured: format!("{:.1} %", share * 100.0),
        reached: share <= INDEX,
    })
}

fn shipping(results: &Results) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for what in ["processor time", "packets sent", "bytes sent, IP headers included"] {
        let what = format!("each: {what}");
        let of = |column| results.find(Row::Rest, &what, column).map(Record::typical);
        if let Some((with, without)) = of(WITH).zip(of(WITHOUT)) {
            let ratio = with / without;
            outcomes.push(Outcome {
                figure: format!("nobody logs: {what}, to none"),
                wanted: "no cost that can be measured".to_owned(),
                measured: format!("{ratio:.3}"),
                reached: ratio <= 1.0 + IDLE,
            });
        }
    }
    for (row, name) in [(Row::One, "one logs"), (Row::All, "ten log")] {
        let what = "memory above that at rest without copies";
        if let Some(record) = results.find(row, what, WITH) {
            let worst = record.worst();
            outcomes.push(Outcome {
                figure: format!("{name}: {what}"),
                wanted: format!("at most {MEMORY:.0} MiB"),
                measured: format!("{worst:.1} MiB at worst"),
                reached: worst <= MEMORY,
            });
        }
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Measure, Subject};

    #[test]
    fn an_aim_is_reached_or_missed_by_the_medians() {
        let mut results = Results::default();
        let mut add = |program: Program, what: &str, seconds: &[f64]| {
            let of = Subject::new(Row::Search, program.name());
            results.add(&of, Measure::Seconds, what, seconds);
        };
        add(Program::Copies, "rare word", &[0.1, 0.2, 0.9]);
        add(Program::Gz, "rare word", &[7.0]);
        add(Program::Zstdgrep, "rare word", &[1.4]);
        add(Program::Copies, "no literal, `-c`", &[5.0]);
        add(Program::Gz, "no literal, `-c`", &[4.0]);
        let lines = lines(&results);
        let expected = [
            "| rare word, to .gz | 30 times faster | 35.0 | reached |",
            "| rare word, to .zst, `zstdgrep` | 8 times faster | 7.0 | **missed** |",
            "| no literal, `-c`, to .gz | at most 1.1 of its time | 1.25 | **missed** |",
        ];
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
    }
}
