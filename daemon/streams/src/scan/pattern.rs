//! `regex '(?P<a>..)'`: the slow way, for what has no format. Each line is matched once.

use super::Named;
use crate::cells::{Cell, Cells};
use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::nfa::thompson::{self, NFA};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;
use regex_automata::{Input, PatternID};
use std::mem::size_of;

/// The largest automaton of one regular expression in bytes.
const MAX_AUTOMATON: usize = 1 << 20;

/// The most groups of one regular expression, with or without names.
const MAX_GROUPS: usize = 32;

/// The most bytes that the tables of all regular expressions of a query take for each thread.
const MAX_TABLES: usize = 8 << 20;

/// What a backtracking search marks at most: `Config::visited_capacity` has this default.
const VISITED: usize = 256 << 10;

/// A regular expression, compiled.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    pub(super) fields: Vec<Named>,
    /// Where the groups of the fields are among all groups.
    groups: Vec<usize>,
}

/// What the regular expressions of a query need, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// For all threads together.
    pub(crate) shared: usize,
    /// For each thread: tables with a row for each state, once a line needs them.
    tables: usize,
    /// For each thread, at most: automata that are built while lines are read.
    built: usize,
}

impl Memory {
    /// For each thread, at most.
    pub(crate) fn thread(self) -> usize {
        self.tables + self.built
    }
}

/// Compiles a regular expression, and counts what it needs. It need not match UTF-8, and `$` is the
/// end of the line. An error is one line.
pub(crate) fn compile(regex: &str, memory: &mut Memory) -> Result<Regex, String> {
    let config = Config::new()
        .utf8_empty(false)
        .nfa_size_limit(Some(MAX_AUTOMATON))
        .onepass_size_limit(Some(MAX_AUTOMATON))
        .hybrid_cache_capacity(MAX_AUTOMATON);
    let syntax = syntax::Config::new().utf8(false).nest_limit(100);
    memory.tables = memory.tables.saturating_add(tables(regex, syntax));
    if memory.tables > MAX_TABLES {
        let message = "this regular expression has too many groups for its size; name fewer, or \
                       write [0-9] for \\d and [A-Za-z] for \\w";
        return Err(message.to_owned());
    }
    let built = Regex::builder().configure(config).syntax(syntax).build(regex);
    let built = built.map_err(|error| reason(&error))?;
    memory.shared += built.memory_usage();
    // One automaton is built that reads forward, and one that reads backward.
    memory.built += 2 * MAX_AUTOMATON + VISITED;
    Ok(built)
}

/// How large the tables of `PikeVM` are: two of them have a place for each state and each end of a
/// group, and there are four lists of states. They are counted before they are made.
fn tables(regex: &str, syntax: syntax::Config) -> usize {
    let config = thompson::Config::new().utf8(false).nfa_size_limit(Some(MAX_AUTOMATON));
    // What cannot be compiled is told by the search that is made next.
    let compiled = NFA::compiler().configure(config).syntax(syntax).build(regex);
    compiled.map_or(0, |nfa| {
        let row = 2 * nfa.group_info().slot_len() * size_of::<usize>() + 4 * size_of::<u32>();
        nfa.states().len().saturating_mul(row)
    })
}

/// What is wrong, in one line.
fn reason(error: &BuildError) -> String {
    if error.size_limit().is_some() {
        return "this regular expression is too large".to_owned();
    }
    let text = error.syntax_error().map_or_else(|| error.to_string(), ToString::to_string);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let last = last.strip_prefix("error: ").unwrap_or(last);
    format!("this regular expression cannot be read: {last}")
}

impl Pattern {
    /// None if it has too many groups.
    pub(crate) fn new(regex: Regex) -> Option<Self> {
        let info = regex.group_info();
        if info.group_len(PatternID::ZERO) > MAX_GROUPS {
            return None;
        }
        let names = info.pattern_names(PatternID::ZERO).enumerate();
        let named = names.filter_map(|(at, name)| Some((at, name?.to_owned())));
        let (groups, names): (Vec<_>, Vec<_>) = named.unzip();
        let fields = names.into_iter().map(|name| Named { name, slot: None }).collect();
        Some(Self { regex, fields, groups })
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        super::known(&self.fields)
    }

    /// A group that took no part in the match is missing.
    pub(super) fn scan(&self, line: &[u8], cells: &mut Cells) -> bool {
        let mut places: [Option<NonMaxUsize>; 2 * MAX_GROUPS] = [None; 2 * MAX_GROUPS];
        if self.fields.iter().all(|field| field.slot.is_none()) {
            return self.regex.is_match(line);
        }
        let count = 2 * self.regex.group_info().group_len(PatternID::ZERO);
        if self.regex.search_slots(&Input::new(line), &mut places[..count]).is_none() {
            return false;
        }
        for (field, group) in self.fields.iter().zip(&self.groups) {
            let place = places[2 * group].zip(places[2 * group + 1]);
            let cell =
                place.map_or(Cell::Missing, |(start, end)| cells.place(start.get(), end.get()));
            cells.set_if(field.slot, cell);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Memory, compile};

    /// What is counted before a search is made is what the search then takes.
    #[test]
    fn tables_are_as_large_as_counted() {
        let groups: String = (0..30).map(|number| format!("(?P<g{number}>x)?")).collect();
        for regex in [r"(?P<a>\w+) (?P<b>\S+)", "[a-z]{9}|\\d+b", &format!("{groups}a{{3000}}b*")] {
            let mut memory = Memory::default();
            let compiled = compile(regex, &mut memory).unwrap();
            let mut cache = compiled.create_cache();
            // Makes the tables, which a search may do without.
            cache.reset(&compiled);
            let taken = cache.memory_usage();
            assert!(taken <= memory.thread(), "{regex}: {taken} of {memory:?}");
            assert!(memory.tables < 2 * taken, "{regex}: {taken} of {memory:?}");
        }
    }
}
