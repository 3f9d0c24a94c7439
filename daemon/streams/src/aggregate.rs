//! What is summed for each group. All sums can be merged in any order, and say the same however
//! lines were divided.

mod distinct;
mod sketch;
mod sum;

use super::decimal::Decimal;
pub(crate) use distinct::{Distinct, MAX_EXACT, MAX_RANK, REGISTERS, hash};
pub(crate) use sketch::{MAX_BUCKET, MIN_BUCKET, Sketch};
use std::mem::size_of;
pub(crate) use sum::Sum;

/// What one state of a group sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateKind {
    /// Lines.
    Count,
    /// Numbers, and how many there were.
    Sum,
    Least,
    Most,
    /// How often each number occurred, nearly.
    Sketch,
    /// Different values.
    Distinct,
}

/// One state of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Count(u64),
    Sum(Sum),
    Least(Option<Decimal>),
    Most(Option<Decimal>),
    Sketch(Sketch),
    Distinct(Distinct),
}

impl State {
    /// Of no line.
    pub(crate) fn empty(kind: StateKind) -> Self {
        match kind {
            StateKind::Count => Self::Count(0),
            StateKind::Sum => Self::Sum(Sum::default()),
            StateKind::Least => Self::Least(None),
            StateKind::Most => Self::Most(None),
            StateKind::Sketch => Self::Sketch(Sketch::default()),
            StateKind::Distinct => Self::Distinct(Distinct::default()),
        }
    }
}

/// The states of one kind, of all groups.
#[derive(Debug)]
pub(crate) enum States {
    Count(Vec<u64>),
    Sum(Vec<Sum>),
    Least(Vec<Option<Decimal>>),
    Most(Vec<Option<Decimal>>),
    Sketch(Vec<Sketch>),
    Distinct(Vec<Distinct>),
}

impl States {
    pub(crate) fn new(kind: StateKind) -> Self {
        match kind {
            StateKind::Count => Self::Count(Vec::new()),
            StateKind::Sum => Self::Sum(Vec::new()),
            StateKind::Least => Self::Least(Vec::new()),
            StateKind::Most => Self::Most(Vec::new()),
            StateKind::Sketch => Self::Sketch(Vec::new()),
            StateKind::Distinct => Self::Distinct(Vec::new()),
        }
    }

    /// Adds an empty state for a new group.
    pub(crate) fn push(&mut self) {
        match self {
            Self::Count(counts) => counts.push(0),
            Self::Sum(sums) => sums.push(Sum::default()),
            Self::Least(numbers) | Self::Most(numbers) => numbers.push(None),
            Self::Sketch(sketches) => sketches.push(Sketch::default()),
            Self::Distinct(sets) => sets.push(Distinct::default()),
        }
    }

    /// How many bytes it has taken, without what sketches and sets have of their own.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Count(counts) => counts.capacity() * size_of::<u64>(),
            Self::Sum(sums) => sums.capacity() * size_of::<Sum>(),
            Self::Least(numbers) | Self::Most(numbers) => {
                numbers.capacity() * size_of::<Option<Decimal>>()
            }
            Self::Sketch(sketches) => sketches.capacity() * size_of::<Sketch>(),
            Self::Distinct(sets) => sets.capacity() * size_of::<Distinct>(),
        }
    }

    /// Counts a line.
    pub(crate) fn count(&mut self, group: usize) {
        if let Self::Count(counts) = self {
            counts[group] = counts[group].saturating_add(1);
        }
    }

    /// How many bytes the sketch or set of a group has of its own.
    pub(crate) fn owned(&self, group: usize) -> usize {
        match self {
            Self::Sketch(sketches) => sketches[group].bytes(),
            Self::Distinct(sets) => sets[group].bytes(),
            Self::Count(_) | Self::Sum(_) | Self::Least(_) | Self::Most(_) => 0,
        }
    }

    /// Takes a number.
    pub(crate) fn number(&mut self, group: usize, number: Decimal) {
        match self {
            Self::Sum(sums) => sums[group].add(number),
            Self::Least(numbers) => {
                numbers[group] = Some(numbers[group].map_or(number, |least| least.min(number)));
            }
            Self::Most(numbers) => numbers[group] = numbers[group].max(Some(number)),
            Self::Sketch(sketches) => sketches[group].add(number),
            Self::Count(_) | Self::Distinct(_) => {}
        }
    }

    /// Takes the hash of a value.
    pub(crate) fn value(&mut self, group: usize, hash: u64) {
        if let Self::Distinct(sets) = self {
            sets[group].add(hash);
        }
    }

    /// How large one group's state is, in buckets or hashes, beside what every state takes.
    pub(crate) fn size(&self, group: usize) -> usize {
        match self {
            Self::Sketch(sketches) => sketches[group].buckets.len(),
            Self::Distinct(sets) => match &sets[group] {
                Distinct::Few(hashes) => hashes.len(),
                Distinct::Many(registers) => registers.len(),
            },
            Self::Count(_) | Self::Sum(_) | Self::Least(_) | Self::Most(_) => 0,
        }
    }

    /// A copy of one group's state.
    pub(crate) fn state(&self, group: usize) -> State {
        match self {
            Self::Count(counts) => State::Count(counts[group]),
            Self::Sum(sums) => State::Sum(sums[group]),
            Self::Least(numbers) => State::Least(numbers[group]),
            Self::Most(numbers) => State::Most(numbers[group]),
            Self::Sketch(sketches) => State::Sketch(sketches[group].clone()),
            Self::Distinct(sets) => State::Distinct(sets[group].clone()),
        }
    }

    /// Adds a state of the same kind.
    pub(crate) fn merge(&mut self, group: usize, state: &State) {
        match (self, state) {
            (Self::Count(counts), State::Count(count)) => {
                counts[group] = counts[group].saturating_add(*count);
            }
            (Self::Sum(sums), State::Sum(sum)) => sums[group].merge(*sum),
            (Self::Least(numbers), State::Least(Some(number))) => {
                numbers[group] = Some(numbers[group].map_or(*number, |least| least.min(*number)));
            }
            (Self::Most(numbers), State::Most(number)) => {
                numbers[group] = numbers[group].max(*number);
            }
            (Self::Sketch(sketches), State::Sketch(sketch)) => sketches[group].merge(sketch),
            (Self::Distinct(sets), State::Distinct(set)) => sets[group].merge(set),
            _ => {}
        }
    }
}
