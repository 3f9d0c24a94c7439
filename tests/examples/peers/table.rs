//! The tables, in Markdown.

use crate::agent::Program;
use crate::results::{Measure, Record, Results};
use std::fmt::Write as _;

const MEMBERD: &str = "memberd";
const SERF: &str = "Serf";

/// Everything that was measured.
pub(crate) fn all(results: &Results) -> String {
    let mut text = String::from("# memberd beside Serf\n\n");
    for condition in &results.conditions {
        let _ = writeln!(text, "- {condition}");
    }
    text.push_str("- Cells are median, worst. A ratio is Serf's median by memberd's: above 1 memberd is ahead.\n");
    let _ = write!(text, "\n{}", beside_serf(results, |_| true));
    let worse = worse(results);
    let _ = write!(text, "\nWorse than Serf: {}.\n", if worse.is_empty() { "nothing".to_owned() } else { worse.join("; ") });
    let _ = write!(text, "\n## Searching ten machines' logs\n\n{}", searches(results));
    let _ = write!(text, "\n## As the group grows, all on one machine\n\n{}", growth(results));
    for failure in &results.failures {
        let _ = write!(text, "\nNot measured: {failure}\n");
    }
    text
}

/// The rows that one chooses by what they say and the number of agents.
pub(crate) fn beside_serf(results: &Results, wanted: impl Fn(&Record) -> bool) -> String {
    let mut text = String::from("| | agents | memberd | Serf | Serf, profile local | ratio |\n|---|---|---|---|---|---|\n");
    let chosen =
        lines(results).into_iter().filter(|line| results.records.iter().any(|record| line.is_of(record) && wanted(record)));
    for line in chosen {
        let cell = |program: Program| results.find(line.what, line.agents, program.name()).map_or_else(String::new, Record::cell);
        let ratio = ratio(results, &line).map_or_else(String::new, |ratio| format!("{ratio:.1}"));
        let (own, serf, local) = (cell(Program::Memberd), cell(Program::Serf), cell(Program::SerfLocal));
        let _ = writeln!(text, "| {} | {} | {own} | {serf} | {local} | {ratio} |", line.what, line.agents);
    }
    text
}

/// What one line of the table is about.
#[derive(PartialEq)]
pub(crate) struct Line<'a> {
    pub(crate) what: &'a str,
    pub(crate) agents: usize,
}

impl Line<'_> {
    fn is_of(&self, record: &Record) -> bool {
        record.what == self.what && record.agents == self.agents
    }
}

/// The lines that have both programs, ordered as they were first measured, sizes of one thing together.
fn lines(results: &Results) -> Vec<Line<'_>> {
    let mut things: Vec<&str> = Vec::new();
    for record in results.records.iter().filter(|record| [MEMBERD, SERF].contains(&record.program.as_str())) {
        if !things.contains(&record.what.as_str()) && !record.what.starts_with("growth") {
            things.push(&record.what);
        }
    }
    let mut lines: Vec<Line> = Vec::new();
    for what in things {
        for record in results.records.iter().filter(|record| record.what == what) {
            let line = Line { what, agents: record.agents };
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

/// Serf's by memberd's, if there are both.
fn ratio(results: &Results, line: &Line) -> Option<f64> {
    let (own, serf) = (results.find(line.what, line.agents, MEMBERD)?, results.find(line.what, line.agents, SERF)?);
    let ratio = serf.typical() / own.typical();
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// In what memberd's median is worse than that of Serf's defaults, by more than a tenth, in words.
pub(crate) fn worse(results: &Results) -> Vec<String> {
    let is_worse = |own: &Record, serf: &Record| own.typical() > serf.typical() * 1.1;
    let pairs = lines(results).into_iter().filter_map(|line| {
        let own = results.find(line.what, line.agents, MEMBERD)?;
        let serf = results.find(line.what, line.agents, SERF)?;
        let say = || format!("{}, {} agents ({} to {})", line.what, line.agents, shown(own), shown(serf));
        is_worse(own, serf).then(say)
    });
    pairs.collect()
}

fn shown(record: &Record) -> String {
    if record.measure == Measure::Share { record.cell() } else { record.measure.show(record.typical()) }
}

/// Searches: a column for each tool.
pub(crate) fn searches(results: &Results) -> String {
    let of_search = || results.records.iter().filter(|record| record.what.starts_with("search, "));
    let mut tools: Vec<&str> = Vec::new();
    let mut things: Vec<&str> = Vec::new();
    for record in of_search() {
        if !tools.contains(&record.program.as_str()) {
            tools.push(&record.program);
        }
        if !things.contains(&record.what.as_str()) {
            things.push(&record.what);
        }
    }
    let mut text = format!("| | {} |\n|---|{}\n", tools.join(" | "), "---|".repeat(tools.len()));
    for what in things {
        let cell = |tool: &&str| {
            of_search().find(|record| record.what == what && record.program == *tool).map_or_else(String::new, Record::cell)
        };
        let cells: Vec<String> = tools.iter().map(cell).collect();
        let _ = writeln!(text, "| {} | {} |", what.trim_start_matches("search, "), cells.join(" | "));
    }
    text
}

/// Growth: a column for each size.
pub(crate) fn growth(results: &Results) -> String {
    let of_growth = || results.records.iter().filter(|record| record.what.starts_with("growth, "));
    let mut sizes: Vec<usize> = of_growth().map(|record| record.agents).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let heads: Vec<String> = sizes.iter().map(|size| format!("{size} agents")).collect();
    let mut text = format!("| memberd | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    let mut things: Vec<&str> = of_growth().map(|record| record.what.as_str()).collect();
    let mut seen = std::collections::BTreeSet::new();
    things.retain(|what| seen.insert(*what));
    for what in things {
        let cell = |size: &usize| {
            results.find(what, *size, MEMBERD).map_or_else(String::new, |record| record.measure.show(record.typical()))
        };
        let cells: Vec<String> = sizes.iter().map(cell).collect();
        let _ = writeln!(text, "| {} | {} |", what.trim_start_matches("growth, "), cells.join(" | "));
    }
    text
}
