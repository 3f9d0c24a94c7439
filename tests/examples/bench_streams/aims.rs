//! Compares the results with what they should be. It owns no state.

use crate::options::Row;
use crate::question::Question;
use crate::results::{Record, Results, p99};
use crate::rows::batch::{GREP, MEMORY, ONE_MEMBER, PROCESSOR, TIME, WORKER, column};
use crate::rows::kills::{DAEMON, DOUBLED, DRIVER, FOUR, LOST, WORKER as WORKER_KILLED};
use crate::rows::latency::{COUNTS, FOLLOW, JOB, LATENCY, ROWS};
use crate::rows::rest::{AT_REST, EACH, SECOND, SOONEST};
use crate::system::System;
use std::fmt::Write as _;

/// The Spark that memberd is compared with.
const SPARK: System = System::Spark43;

/// A figure, what it should be, and below or above what it fails.
struct Aim {
    figure: String,
    measured: f64,
    bound: Bound,
}

/// What a figure should be.
enum Bound {
    /// At least the first one; it fails below the second.
    AtLeast(f64, f64),
    /// At most the first one; it fails above the second. With the unit of both.
    AtMost(f64, f64, &'static str),
}

impl Aim {
    /// The word for it.
    fn outcome(&self) -> &'static str {
        let (reached, holds) = match self.bound {
            Bound::AtLeast(aim, least) => (self.measured >= aim, self.measured >= least),
            Bound::AtMost(aim, most, _) => (self.measured <= aim, self.measured <= most),
        };
        match (reached, holds) {
            (true, _) => "reached",
            (false, true) => "**missed**",
            (false, false) => "**failed**",
        }
    }

    fn line(&self) -> String {
        let (aim, limit, unit) = match self.bound {
            Bound::AtLeast(aim, least) => (format!("≥ {aim}"), format!("below {least}"), ""),
            Bound::AtMost(aim, most, unit) => {
                (format!("≤ {aim}{unit}"), format!("above {most}{unit}"), unit)
            }
        };
        let digits = usize::from(self.measured < 100.0) + usize::from(self.measured < 10.0);
        let measured = format!("{:.digits$}{unit}", self.measured);
        format!("| {} | {aim} | {limit} | {measured} | {} |\n", self.figure, self.outcome())
    }
}

/// The table of all aims; nothing if none can be compared.
pub(crate) fn table(results: &Results) -> String {
    let aims = [batch(results), streaming(results), recovery(results)].concat();
    if aims.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\nWhat should be reached, in one run; Spark is {}:\n\n\
         | figure | aim | fails | measured | outcome |\n|---|---|---|---|---|\n",
        SPARK.name()
    );
    let _ = write!(text, "{}", aims.concat());
    text
}

fn batch(results: &Results) -> Vec<String> {
    let (cold, warm) = (column(SPARK, false), column(SPARK, true));
    let own = System::Memberd.name();
    let (errors, windows, clients) = (Question::Errors, Question::Windows, Question::Clients);
    let at_least = |question: Question, words: &str, what: &str, other: &str, aim, fails| {
        let measured = ratio(results, question.row(), (what, other), (what, own))?;
        Some(Aim::at_least(&format!("{}: {words}", question.title()), measured, aim, fails))
    };
    let at_most = |question: Question, words: &str, what: &str, other: &str, aim, fails| {
        let measured = ratio(results, question.row(), (what, own), (what, other))?;
        Some(Aim::at_most(&format!("{}: {words}", question.title()), measured, (aim, fails), ""))
    };
    let memory = |question: Question| {
        let (spark, worker) = ((MEMORY, cold.as_str()), (WORKER, ONE_MEMBER));
        let of = |(what, column)| results.find(question.row(), what, column).map(Record::worst);
        let measured = of(spark)? / of(worker)?;
        let figure = format!("{}: memory of Spark by that of the worker", question.title());
        Some(Aim::at_least(&figure, measured, 12.0, 8.0))
    };
    let aims = [
        at_least(errors, "sooner than Spark cold", TIME, &cold, 60.0, 30.0),
        at_least(errors, "sooner than Spark warm", TIME, &warm, 10.0, 6.0),
        at_most(errors, "time by that of grep -c", TIME, GREP, 2.0, 2.0),
        at_least(windows, "less processor time than Spark warm", PROCESSOR, &warm, 16.0, 10.0),
        at_most(windows, "processor time by mawk's", PROCESSOR, System::Mawk.name(), 0.5, 1.0),
        memory(windows),
        at_least(clients, "less processor time than Spark warm", PROCESSOR, &warm, 5.0, 3.5),
    ];
    lines(aims)
}

fn streaming(results: &Results) -> Vec<String> {
    let (rows, counts) =
        (format!("{}, {ROWS}", SPARK.name()), format!("{}, {COUNTS}", SPARK.name()));
    let latency =
        |own: &str, other: &str, words: &str, of: fn(&Record) -> Option<f64>, aim, fails| {
            let found = |column: &str| results.find(Row::Latency, LATENCY, column).and_then(of);
            Some(Aim::at_least(words, found(other)? / found(own)?, aim, fails))
        };
    let median: fn(&Record) -> Option<f64> = |record| Some(record.typical());
    let words = |what: &str| format!("line to row in the sink, sooner than Spark's {what}");
    let rest = |trigger: &str, aim, fails| {
        let spark = format!("{}, {trigger}", SPARK.name());
        let measured = ratio(results, Row::Rest, (AT_REST, &spark), (AT_REST, EACH))?;
        let figure = format!("at rest, less processor time than Spark with {trigger}");
        Some(Aim::at_least(&figure, measured, aim, fails))
    };
    let aims = [
        latency(JOB, &rows, &words("rows, median"), median, 4.0, 2.5),
        latency(JOB, &rows, &words("rows, 99th percentile"), p99, 3.0, 2.0),
        latency(JOB, &counts, &words("counts, median"), median, 4.0, 2.5),
        latency(JOB, &counts, &words("counts, 99th percentile"), p99, 3.0, 2.0),
        latency(
            FOLLOW,
            &rows,
            "line to `stats --follow`, sooner than Spark's rows",
            median,
            6.0,
            4.0,
        ),
        rest(SECOND, 20.0, 10.0),
        rest(SOONEST, 80.0, 10.0),
    ];
    lines(aims)
}

fn recovery(results: &Results) -> Vec<String> {
    let own =
        |what: &str| results.find(Row::Kills, what, System::Memberd.name()).map(Record::typical);
    let within = |what: &str, aim, fails| Some(Aim::at_most(what, own(what)?, (aim, fails), " s"));
    let driver = || {
        let spark = results.find(Row::Kills, DRIVER, SPARK.name())?.typical();
        let figure = format!("{FOUR}, sooner than Spark's driver");
        Some(Aim::at_least(&figure, spark / own(FOUR)?, 4.0, 2.5))
    };
    let none = |what: &str| {
        let found = results.find(Row::Doubles, what, System::Memberd.name())?.typical();
        Some(Aim::at_most(what, found, (0.0, 0.0), ""))
    };
    let aims = [
        within(WORKER_KILLED, 1.0, 2.0),
        within(DAEMON, 2.75, 4.0),
        within(FOUR, 6.0, 10.0),
        driver(),
        none(DOUBLED),
        none(LOST),
    ];
    lines(aims)
}

fn lines(aims: impl IntoIterator<Item = Option<Aim>>) -> Vec<String> {
    aims.into_iter().flatten().map(|aim| aim.line()).collect()
}

/// The median of one column by that of another, each with what was measured.
fn ratio(results: &Results, row: Row, over: (&str, &str), under: (&str, &str)) -> Option<f64> {
    let of = |(what, column)| results.find(row, what, column).map(Record::typical);
    let ratio = of(over)? / of(under)?;
    ratio.is_finite().then_some(ratio)
}

impl Aim {
    fn at_least(figure: &str, measured: f64, aim: f64, fails: f64) -> Self {
        Aim { figure: figure.to_owned(), measured, bound: Bound::AtLeast(aim, fails) }
    }

    fn at_most(figure: &str, measured: f64, (aim, fails): (f64, f64), unit: &'static str) -> Self {
        Aim { figure: figure.to_owned(), measured, bound: Bound::AtMost(aim, fails, unit) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Measure, Subject};

    #[test]
    fn an_aim_is_reached_or_missed_or_failed() {
        let mut results = Results::default();
        let mut add = |row: Row, column: &str, what: &str, samples: &[f64]| {
            results.add(&Subject::new(row, column), Measure::Seconds, what, samples);
        };
        add(Row::Errors, "memberd", TIME, &[0.1, 0.2, 0.9]);
        add(Row::Errors, "Spark 4.3, cold", TIME, &[14.0]);
        add(Row::Errors, "Spark 4.3, warm", TIME, &[1.4]);
        add(Row::Windows, "memberd", PROCESSOR, &[0.1]);
        add(Row::Windows, "Spark 4.3, warm", PROCESSOR, &[0.9]);
        add(Row::Kills, "memberd", FOUR, &[f64::INFINITY]);
        let table = table(&results);
        let outcomes: Vec<&str> =
            table.lines().skip(5).filter_map(|line| line.split(" | ").last()).collect();
        assert_eq!(outcomes, ["reached |", "**missed** |", "**failed** |", "**failed** |"]);
        assert!(table.contains("sooner than Spark warm | ≥ 10 | below 6 | 7.00 |"), "{table}");
        assert!(table.contains("| ≤ 6 s | above 10 s | inf s |"), "{table}");
    }
}
