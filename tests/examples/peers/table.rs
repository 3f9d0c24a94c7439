//! Writes the tables in Markdown. It leaves out a table without lines, and owns no state.

use crate::agent::{PROGRAMS, Program, RING, SERF};
use crate::goals;
use crate::group::LIMIT;
use crate::machine::METHOD;
use crate::options::Row;
use crate::results::{Measure, Record, Results, cell, find, find_never_whole};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// All tables, with the conditions of the measurement.
pub(crate) fn all(results: &Results) -> String {
    let mut text = String::from("# memberd beside Serf\n\n");
    for condition in conditions(results) {
        let _ = writeln!(text, "- {condition}");
    }
    text.push_str(
        "- Cells are median, worst. The last cell has memberd's medians by Serf's, of the ring, of \
    SWIM without suspicion and of SWIM: \
    below 1 memberd is ahead.\n",
    );
    let worse = worse(results);
    let worse = if worse.is_empty() { "nothing".to_owned() } else { worse.join("; ") };
    let parts = [
        (
            "",
            beside_serf(results, |_| true)
                .map(|table| format!("{table}\nWorse than Serf: {worse}.\n")),
        ),
        ("## The figures that SWIM should reach\n\n", goals(results)),
        ("## The detectors in the simulator\n\n", simulated(results, |_| true)),
        ("## Searching ten machines' logs\n\n", searches(results)),
        ("## As the group grows, all on one machine\n\n", growth(results)),
    ];
    for (head, table) in parts {
        if let Some(table) = table {
            let _ = write!(text, "\n{head}{table}");
        }
    }
    text + &results.not_measured()
}

/// The method and the conditions of each run, one sentence each.
pub(crate) fn conditions(results: &Results) -> Vec<String> {
    results.described(&METHOD, |_| false)
}

/// The table of the records that `wanted` selects, with a column for each program.
pub(crate) fn beside_serf(results: &Results, wanted: impl Fn(&Record) -> bool) -> Option<String> {
    let titles = PROGRAMS.map(|program| program.title);
    let mut table =
        Table::new(results, &[&["", "agents"], &titles[..], &["memberd to Serf"]].concat());
    let chosen = lines(results, |record| record.of.row.is_beside_serf())
        .into_iter()
        .filter(|line| results.records.iter().any(|record| line.is_of(record) && wanted(record)));
    for line in chosen {
        let mut runs = Vec::new();
        let cells = PROGRAMS.map(|program| line.cell(results, program.name, &mut runs));
        let ratios = ratios(results, &line);
        table.line_of_cells(&runs, &line, &cells, Some(&ratios));
    }
    table.text()
}

/// The table of the simulated records that `wanted` selects, with a column for each detector.
pub(crate) fn simulated(results: &Results, wanted: impl Fn(&Record) -> bool) -> Option<String> {
    let of_this = |record: &Record| record.of.row == Row::Simulated && wanted(record);
    let mut columns: Vec<&str> = Vec::new();
    for record in results.records.iter().filter(|record| of_this(record)) {
        if !columns.contains(&record.of.program.as_str()) {
            columns.push(&record.of.program);
        }
    }
    let mut table = Table::new(results, &[&["", "members"], &columns[..]].concat());
    for line in lines(results, of_this) {
        let mut runs = Vec::new();
        let cells: Vec<String> =
            columns.iter().map(|column| line.cell(results, column, &mut runs)).collect();
        table.line_of_cells(&runs, &line, &cells, None);
    }
    table.text()
}

/// The table of the figures that SWIM should reach.
pub(crate) fn goals(results: &Results) -> Option<String> {
    let mut table =
        Table::new(results, &["figure", "agents", "of", "at most", "measured", "outcome"]);
    for outcome in goals::outcomes(results) {
        let (limit, measured) = (outcome.show(outcome.most), outcome.show(outcome.measured));
        let agents = outcome.agents.to_string();
        let (what, verdict) = (outcome.what(), outcome.verdict());
        table.line(&outcome.runs, &[&what, &agents, outcome.of.title, &limit, &measured, &verdict]);
    }
    table.text()
}

/// A table while it is written. If results come from several runs, a column names the run.
struct Table<'a> {
    runs: Vec<&'a str>,
    text: String,
    lines: usize,
}

impl<'a> Table<'a> {
    fn new(results: &'a Results, heads: &[&str]) -> Self {
        let runs = results.telling_runs().into_iter().map(|run| run.began.as_str()).collect();
        let mut table = Table { runs, text: String::new(), lines: 0 };
        table.cells(heads, "run");
        let columns = heads.len() + usize::from(table.runs.len() > 1);
        table.text += &format!("|{}\n", "---|".repeat(columns));
        table
    }

    /// Adds a line whose cells come from these runs.
    fn line(&mut self, runs: &[&str], cells: &[&str]) {
        let mut numbers: Vec<usize> =
            runs.iter().filter_map(|run| self.runs.iter().position(|known| known == run)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let numbers: Vec<String> =
            numbers.into_iter().map(|number| (number + 1).to_string()).collect();
        self.cells(cells, &numbers.join(", "));
        self.lines += 1;
    }

    fn cells(&mut self, cells: &[&str], run: &str) {
        let run = (self.runs.len() > 1).then_some(run);
        self.text.push('|');
        for cell in cells.iter().copied().chain(run) {
            self.text += &if cell.is_empty() { " |".to_owned() } else { format!(" {cell} |") };
        }
        self.text.push('\n');
    }

    /// Adds a line with a cell for each column, and perhaps one more.
    fn line_of_cells(&mut self, runs: &[&str], line: &Line, cells: &[String], last: Option<&str>) {
        let agents = line.agents.to_string();
        let head = [line.what, &agents];
        let cells = head.into_iter().chain(cells.iter().map(String::as_str)).chain(last);
        self.line(runs, &cells.collect::<Vec<_>>());
    }

    /// Adds a line of one program's or row's records.
    fn line_of(&mut self, records: &[Option<&Record>], head: &str, cells: &[String]) {
        let runs: Vec<&str> = records.iter().flatten().map(|record| record.run.as_str()).collect();
        let cells: Vec<&str> = [head].into_iter().chain(cells.iter().map(String::as_str)).collect();
        self.line(&runs, &cells);
    }

    /// Returns the table, if it has a line.
    fn text(self) -> Option<String> {
        (self.lines > 0).then_some(self.text)
    }
}

/// The subject of one line of the table.
#[derive(PartialEq)]
pub(crate) struct Line<'a> {
    pub(crate) row: Row,
    pub(crate) what: &'a str,
    pub(crate) agents: usize,
}

impl Line<'_> {
    fn is_of(&self, record: &Record) -> bool {
        let of = &record.of;
        (of.row, of.agents) == (self.row, self.agents) && record.what == self.what
    }

    /// A program's record in this line.
    fn find<'r>(&self, results: &'r Results, program: &str) -> Option<&'r Record> {
        let is_it = |record: &&Record| self.is_of(record) && record.of.program == program;
        results.records.iter().find(is_it)
    }

    /// A program's cell. Its runs are added to `runs`.
    fn cell<'r>(&self, results: &'r Results, program: &str, runs: &mut Vec<&'r str>) -> String {
        let record = self.find(results, program);
        let never_whole = find_never_whole(results, self.row, self.agents, program);
        runs.extend(record.map(|record| record.run.as_str()));
        runs.extend(never_whole.map(|group| group.run.as_str()));
        let never = format!("never whole in {} s", LIMIT.as_secs());
        match (
            record.filter(|record| never_whole.is_none() || !record.samples.is_empty()),
            never_whole,
        ) {
            (Some(record), Some(_)) => format!("{}, then {never}", cell(record)),
            (Some(record), None) => cell(record),
            (None, Some(_)) => never,
            (None, None) => String::new(),
        }
    }
}

/// The lines of the records that `wanted` selects, in the order of their first measurement. The
/// sizes of one row stand together.
fn lines(results: &Results, wanted: impl Fn(&Record) -> bool) -> Vec<Line<'_>> {
    let chosen: Vec<&Record> = results.records.iter().filter(|record| wanted(record)).collect();
    let mut things: Vec<(Row, &str)> = Vec::new();
    for record in &chosen {
        if !things.contains(&(record.of.row, &record.what)) {
            things.push((record.of.row, &record.what));
        }
    }
    things.sort_by_key(|(row, _)| *row);
    let mut lines: Vec<Line> = Vec::new();
    for (row, what) in things {
        let of_this = |record: &&&Record| record.of.row == row && record.what == what;
        let sizes: BTreeSet<usize> =
            chosen.iter().filter(of_this).map(|record| record.of.agents).collect();
        lines.extend(sizes.into_iter().map(|agents| Line { row, what, agents }));
    }
    lines
}

/// The ratios of memberd's figures to Serf's, in the order of the columns.
fn ratios(results: &Results, line: &Line) -> String {
    let of_serf = line.find(results, SERF.name).map(Record::typical);
    let ratio = |program: Program| {
        let own = line.find(results, program.name).map(Record::typical)?;
        match of_serf? {
            serf if serf.is_infinite() => {
                own.is_finite().then(|| format!("< {:.2}", own / LIMIT.as_secs_f64()))
            }
            serf => {
                let ratio = own / serf;
                (ratio.is_finite() && serf > 0.0).then(|| format!("{ratio:.2}"))
            }
        }
    };
    let ratios: Vec<Option<String>> =
        PROGRAMS.into_iter().filter(|program| program.is_memberd()).map(ratio).collect();
    if ratios.iter().all(Option::is_none) {
        return String::new();
    }
    let shown = ratios.into_iter().map(|ratio| ratio.unwrap_or_else(|| "-".to_owned()));
    shown.collect::<Vec<_>>().join(", ")
}

/// The lines in which a median of memberd is more than a tenth worse than that of Serf's defaults.
pub(crate) fn worse(results: &Results) -> Vec<String> {
    let lines = lines(results, |record| record.of.row.is_beside_serf());
    let own = PROGRAMS.into_iter().filter(|program| program.is_memberd());
    own.flat_map(|program| lines.iter().filter_map(|line| worse_in(results, program, line)))
        .collect()
}

/// What is worse in this line, if it is.
fn worse_in(results: &Results, program: Program, line: &Line) -> Option<String> {
    let serf = line.find(results, SERF.name)?;
    let own = line.find(results, program.name);
    let never_whole = find_never_whole(results, line.row, line.agents, program.name).is_some();
    let is_worse = never_whole || own.is_some_and(|own| own.typical() > serf.typical() * 1.1);
    if !is_worse {
        return None;
    }
    let own =
        if never_whole { "not measured to the end: never whole".to_owned() } else { shown(own?) };
    let Line { what, agents, .. } = line;
    Some(format!("{}: {what}, {agents} agents ({own} to {})", program.title, shown(serf)))
}

fn shown(record: &Record) -> String {
    if record.measure == Measure::Share {
        cell(record)
    } else {
        record.measure.show(record.typical())
    }
}

/// The table of searches, with a column for each tool.
pub(crate) fn searches(results: &Results) -> Option<String> {
    let of_search = || results.records.iter().filter(|record| record.of.row == Row::Search);
    let mut tools: Vec<&str> = Vec::new();
    let mut things: Vec<&str> = Vec::new();
    for record in of_search() {
        if !tools.contains(&record.of.program.as_str()) {
            tools.push(&record.of.program);
        }
        if !things.contains(&record.what.as_str()) {
            things.push(&record.what);
        }
    }
    let mut table = Table::new(results, &[&[""], &tools[..]].concat());
    for what in things {
        let records: Vec<Option<&Record>> = tools
            .iter()
            .map(|tool| {
                of_search().find(|record| record.what == what && record.of.program == *tool)
            })
            .collect();
        let cells: Vec<String> =
            records.iter().map(|record| record.map_or_else(String::new, cell)).collect();
        table.line_of(&records, what.trim_start_matches("search, "), &cells);
    }
    table.text()
}

/// The table of growth, with a column for each size.
pub(crate) fn growth(results: &Results) -> Option<String> {
    let of_growth = || results.records.iter().filter(|record| record.of.row == Row::Growth);
    let never = || results.never_whole.iter().filter(|group| group.of.row == Row::Growth);
    let mut sizes: Vec<usize> = of_growth()
        .map(|record| record.of.agents)
        .chain(never().map(|group| group.of.agents))
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    let heads: Vec<String> = sizes.iter().map(|size| format!("{size} agents")).collect();
    let heads: Vec<&str> =
        ["memberd"].into_iter().chain(heads.iter().map(String::as_str)).collect();
    let mut table = Table::new(results, &heads);
    let mut things: Vec<&str> = of_growth().map(|record| record.what.as_str()).collect();
    let mut seen = BTreeSet::new();
    things.retain(|what| seen.insert(*what));
    for what in things {
        let records: Vec<Option<&Record>> =
            sizes.iter().map(|size| find(results, what, *size, RING.name)).collect();
        let cell = |(size, record): (&usize, &Option<&Record>)| match record {
            Some(record) => record.measure.show(record.typical()),
            None => find_never_whole(results, Row::Growth, *size, RING.name)
                .map_or_else(String::new, |_| "never whole".to_owned()),
        };
        let cells: Vec<String> = sizes.iter().zip(&records).map(cell).collect();
        table.line_of(&records, what.trim_start_matches("growth, "), &cells);
    }
    table.text()
}
