//! The engine that a query's patterns need: an automaton, a set of strings, PCRE2, or an automaton
//! whose candidates PCRE2 confirms.

use std::sync::Arc;

use grep_matcher::{ByteSet, LineMatchKind, LineTerminator, Match, Matcher, NoCaptures};

use super::automaton::Automaton;
use super::backtrack::{self, Backtracker, Budget, MatchFailure, SMALL_HEAP_KIB};
use super::error::PatternError;
use super::literals::Literals;
use super::patterns::{self, Alternatives, Patterns, Settings};
use super::reference;
use super::translate;
use super::tree::Node;

/// The most patterns with back-references in one query. Each is tried against every candidate line.
const MAX_REFERENCES: usize = 100;

/// Compiled patterns.
#[derive(Debug, Clone)]
pub(crate) enum Engine {
    /// POSIX patterns without back-references.
    Automaton(Automaton),
    /// Many strings, or long ones. `null_data` tells that lines end with a NUL byte.
    Literals { set: Arc<Literals>, null_data: bool },
    /// POSIX patterns, some of them with back-references.
    References(References),
    /// A Perl pattern.
    Perl(Backtracker),
}

/// Patterns with back-references. An automaton with copies of their groups finds candidate lines at
/// full speed. PCRE2 then confirms each candidate.
#[derive(Debug, Clone)]
pub(crate) struct References {
    /// Matches every line that any pattern matches, and perhaps more.
    candidates: Automaton,
    /// The patterns without back-references.
    plain: Option<Automaton>,
    /// The patterns with them.
    references: Vec<Backtracker>,
}

impl Engine {
    /// Compiles the patterns.
    pub(crate) fn new(patterns: &Patterns) -> Result<Engine, PatternError> {
        let settings = patterns.settings;
        match &patterns.language {
            Alternatives::Perl(pattern) => Ok(Engine::Perl(Backtracker::perl(pattern, settings)?)),
            Alternatives::Texts(texts) if Literals::are_wanted(texts, settings) => {
                let set = Arc::new(Literals::new(texts, settings)?);
                Ok(Engine::Literals { set, null_data: settings.null_data })
            }
            Alternatives::Texts(texts) => {
                let nodes = patterns::nodes(texts, settings.characters);
                Ok(Engine::Automaton(automaton(&nodes, settings)?))
            }
            Alternatives::Posix(nodes) if nodes.iter().any(Node::has_reference) => {
                Ok(Engine::References(References::new(nodes, settings)?))
            }
            Alternatives::Posix(nodes) => Ok(Engine::Automaton(automaton(nodes, settings)?)),
        }
    }

    /// The matcher for the searcher. It stops when the budget is used up.
    pub(crate) fn matcher<'r>(&'r self, budget: &'r Budget<'r>) -> LineMatcher<'r> {
        LineMatcher { engine: self, budget }
    }

    /// The parts that give the true matches: an automaton, and the patterns for PCRE2.
    pub(crate) fn parts(&self) -> (Option<&Automaton>, &[Backtracker]) {
        match self {
            Engine::Automaton(automaton) => (Some(automaton), &[]),
            Engine::Literals { .. } => (None, &[]),
            Engine::References(engine) => (engine.plain.as_ref(), &engine.references),
            Engine::Perl(perl) => (None, std::slice::from_ref(perl)),
        }
    }

    /// The set of strings, if it is the engine.
    pub(crate) fn literals(&self) -> Option<&Arc<Literals>> {
        match self {
            Engine::Literals { set, .. } => Some(set),
            _ => None,
        }
    }

    /// The memory that all threads share, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Engine::Automaton(automaton) => automaton.bytes(),
            Engine::Literals { set, .. } => set.bytes(),
            Engine::References(engine) => {
                let plain = engine.plain.as_ref().map_or(0, Automaton::bytes);
                let references = engine.references.len() * backtrack::CODE_BYTES;
                engine.candidates.bytes() + plain + references
            }
            Engine::Perl(_) => backtrack::CODE_BYTES,
        }
    }

    /// The memory that each thread has for itself, in bytes.
    pub(crate) fn thread_bytes(&self) -> usize {
        let automata = match self {
            Engine::References(References { candidates, plain, .. }) => {
                candidates.thread_bytes() + plain.as_ref().map_or(0, Automaton::thread_bytes)
            }
            _ => self.automaton().map_or(0, Automaton::thread_bytes),
        };
        automata + self.parts().1.iter().map(Backtracker::thread_bytes).sum::<usize>()
    }

    /// The automaton that finds lines or candidates.
    pub(crate) fn automaton(&self) -> Option<&Automaton> {
        match self {
            Engine::Automaton(automaton) => Some(automaton),
            Engine::References(engine) => Some(&engine.candidates),
            Engine::Literals { .. } | Engine::Perl(_) => None,
        }
    }
}

fn automaton<'n>(
    nodes: impl IntoIterator<Item = &'n Node>,
    settings: Settings,
) -> Result<Automaton, PatternError> {
    Automaton::new(translate::translate(nodes, settings)?, settings)
}

/// The memory of each of so many patterns for the first attempt at a line, in KiB. All of them may
/// have twice as much as one.
fn heap_kib(patterns: usize) -> u32 {
    let patterns = u32::try_from(patterns).unwrap_or(u32::MAX);
    (2 * SMALL_HEAP_KIB / patterns.max(1)).min(SMALL_HEAP_KIB)
}

impl References {
    fn new(nodes: &[Node], settings: Settings) -> Result<References, PatternError> {
        let (references, plain): (Vec<&Node>, Vec<&Node>) =
            nodes.iter().partition(|node| node.has_reference());
        if references.len() > MAX_REFERENCES {
            return Err(PatternError::TooBig);
        }
        let heap_kib = heap_kib(references.len());
        let compile = |node: &&Node| {
            Backtracker::posix(reference::write(node, settings)?, heap_kib, settings)
        };
        Ok(References {
            candidates: automaton(nodes, settings)?,
            plain: if plain.is_empty() { None } else { Some(automaton(plain, settings)?) },
            references: references.iter().map(compile).collect::<Result<_, _>>()?,
        })
    }
}

/// An [`Engine`] at work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineMatcher<'r> {
    engine: &'r Engine,
    budget: &'r Budget<'r>,
}

/// Finding with an automaton cannot fail: its error has no value.
fn infallible<T: Default>(result: Result<T, grep_matcher::NoError>) -> T {
    result.unwrap_or_default()
}

impl Matcher for LineMatcher<'_> {
    type Captures = NoCaptures;
    type Error = MatchFailure;

    fn find_at(&self, line: &[u8], at: usize) -> Result<Option<Match>, MatchFailure> {
        if let Some(set) = self.engine.literals() {
            let found = set.find(line, at, self.budget)?;
            return Ok(found.map(|found| Match::new(found.start, found.end)));
        }
        let (automaton, others) = self.engine.parts();
        let found =
            automaton.and_then(|automaton| infallible(automaton.matcher().find_at(line, at)));
        if found.is_some() {
            return Ok(found);
        }
        for other in others {
            if let Some(found) = other.find_at(line, at, self.budget)? {
                return Ok(Some(Match::new(found.start, found.end)));
            }
        }
        Ok(None)
    }

    fn new_captures(&self) -> Result<NoCaptures, MatchFailure> {
        Ok(NoCaptures::new())
    }

    fn shortest_match_at(&self, line: &[u8], at: usize) -> Result<Option<usize>, MatchFailure> {
        match self.engine {
            Engine::Automaton(automaton) => {
                return Ok(infallible(automaton.matcher().shortest_match_at(line, at)));
            }
            Engine::Literals { .. } => return Ok(self.find_at(line, at)?.map(|found| found.end())),
            Engine::References(_) | Engine::Perl(_) => {}
        }
        let candidate = self
            .engine
            .automaton()
            .is_none_or(|automaton| infallible(automaton.matcher().is_match_at(line, at)));
        if candidate { Ok(self.find_at(line, at)?.map(|found| found.end())) } else { Ok(None) }
    }

    fn non_matching_bytes(&self) -> Option<&ByteSet> {
        self.engine
            .automaton()
            .filter(|automaton| !automaton.null_data())?
            .matcher()
            .non_matching_bytes()
    }

    fn line_terminator(&self) -> Option<LineTerminator> {
        if let Engine::Literals { null_data, .. } = self.engine {
            return (!null_data).then(|| LineTerminator::byte(b'\n'));
        }
        self.engine.automaton()?.matcher().line_terminator()
    }

    fn find_candidate_line(&self, buffer: &[u8]) -> Result<Option<LineMatchKind>, MatchFailure> {
        if let Some(set) = self.engine.literals() {
            let found = set.find(buffer, 0, self.budget)?;
            return Ok(found.map(|found| LineMatchKind::Confirmed(found.start)));
        }
        let Some(automaton) = self.engine.automaton() else { return Ok(None) };
        if let Engine::Automaton(automaton) = self.engine
            && automaton.finds_all()
        {
            // The line at the beginning is one, and needs no look.
            return Ok(Some(LineMatchKind::Confirmed(0)));
        }
        let found = infallible(automaton.matcher().find_candidate_line(buffer));
        if let (Some(LineMatchKind::Confirmed(at)), Engine::References(_)) = (found, self.engine) {
            // An empty match after the last line's end is in no line.
            let after_all = at == buffer.len() && buffer.ends_with(b"\n");
            return Ok(if after_all { None } else { Some(LineMatchKind::Candidate(at)) });
        }
        Ok(found)
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
