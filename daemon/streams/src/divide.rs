//! Partial sums, divided: the groups of one partial go into many, by their windows and keys.

use super::aggregate::State;
use super::error::PartialError;
use super::fold::MAX_PARTIAL;
use super::key::Parts;
use super::partial::{Read, Sink, begin, push_key, push_state, read};
use super::plan::Plan;
use super::rows::Counts;
use std::collections::BTreeMap;

/// The groups of a window that belong together, as partial sums whose counts are all 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// What they were chosen by.
    pub part: u16,
    /// When their window begins, in milliseconds since the Unix epoch. None without windows.
    pub window: Option<i64>,
    /// How many lines are in the groups. Only a query with windows counts lines in any case; one
    /// without them does if it has `count`, and else says 0.
    pub lines: u64,
    /// At most [`MAX_PARTIAL`] bytes each.
    pub partials: Vec<Vec<u8>>,
}

impl Plan {
    /// Divides a partial sum: `part` says for the bytes of a group's key, without its window, where
    /// the group goes. Equal keys have equal bytes on every machine. Also the counts, which are in
    /// none of the divisions.
    ///
    /// # Errors
    /// When the bytes are no partial sum of this query.
    pub fn divide(
        &self,
        bytes: &[u8],
        part: &mut dyn FnMut(&[u8]) -> u16,
    ) -> Result<(Counts, Vec<Division>), PartialError> {
        let mut divider =
            Divider { plan: self, part, to: (0, None), group: Vec::new(), pieces: BTreeMap::new() };
        let counts = read(self, bytes, &mut divider)?;
        divider.end_group();
        let division = |((part, window), pieces): (To, Pieces)| {
            let Pieces { lines, partials } = pieces;
            Division { part, window, lines, partials }
        };
        Ok((counts, divider.pieces.into_iter().map(division).collect()))
    }
}

/// Where a group goes: what it was chosen by, and its window.
type To = (u16, Option<i64>);

/// What goes to one place.
#[derive(Default)]
struct Pieces {
    lines: u64,
    partials: Vec<Vec<u8>>,
}

struct Divider<'a> {
    plan: &'a Plan,
    part: &'a mut dyn FnMut(&[u8]) -> u16,
    /// Where the present group goes.
    to: To,
    group: Vec<u8>,
    pieces: BTreeMap<To, Pieces>,
}

impl Divider<'_> {
    fn end_group(&mut self) {
        if self.group.is_empty() {
            return;
        }
        let pieces = &mut self.pieces.entry(self.to).or_default().partials;
        let fits = |piece: &Vec<u8>| piece.len() + self.group.len() <= MAX_PARTIAL;
        if !pieces.last().is_some_and(fits) {
            pieces.push(begin(self.plan, Counts::default()));
        }
        if let Some(piece) = pieces.last_mut() {
            piece.append(&mut self.group);
        }
    }
}

impl Sink for Divider<'_> {
    fn group(&mut self, key: &[u8]) -> Read<()> {
        self.end_group();
        let mut parts = Parts(key);
        let window = self.plan.every().and_then(|_| parts.window());
        self.to = ((self.part)(parts.0), window);
        push_key(&mut self.group, key);
        Ok(())
    }

    fn state(&mut self, at: usize, state: &State) -> Read<()> {
        push_state(&mut self.group, state);
        // All states of that kind count the same lines, so there is one.
        if let (Some(first), State::Count(lines)) = (self.plan.counts().first(), state)
            && *first == at
        {
            let pieces = self.pieces.entry(self.to).or_default();
            pieces.lines = pieces.lines.saturating_add(*lines);
        }
        Ok(())
    }
}
