//! `regex '(?P<a>..)'`: the slow way, for what has no format. Each line is matched once.

use super::Named;
use crate::cells::{Cell, Cells};
use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::util::syntax;
use regex_automata::{Input, PatternID};

/// The largest automaton of one regular expression in bytes.
const MAX_AUTOMATON: usize = 1 << 20;

/// The most groups of one regular expression, with or without names.
const MAX_GROUPS: usize = 32;

/// A regular expression, compiled.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    pub(super) fields: Vec<Named>,
    /// Where the groups of the fields are among all groups.
    groups: Vec<usize>,
}

/// Compiles a regular expression. It need not match UTF-8, and `$` is the end of the line.
pub(crate) fn compile(regex: &str) -> Result<Regex, Box<BuildError>> {
    let config = Config::new()
        .utf8_empty(false)
        .nfa_size_limit(Some(MAX_AUTOMATON))
        .onepass_size_limit(Some(MAX_AUTOMATON))
        .hybrid_cache_capacity(MAX_AUTOMATON);
    let syntax = syntax::Config::new().utf8(false).nest_limit(100);
    Regex::builder().configure(config).syntax(syntax).build(regex).map_err(Box::new)
}

/// What is wrong, in one line.
pub(crate) fn reason(error: &BuildError) -> String {
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
