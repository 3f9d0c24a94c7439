//! Partial sums as bytes, written by one member and merged by the asker.
//!
//! A partial is: the version (1 byte), the plan's hash (16 bytes), four counts, and groups up to
//! the end. A group is: the length of its key, the key (`key.rs`), and its states in the order of
//! the plan. Numbers are LEB128: 7 bits a byte, low ones first, as few bytes as it needs. Signed
//! ones are in zigzag before that. A large state is divided over several groups of the same key,
//! since merging adds them again.

use super::aggregate::{
    Distinct, MAX_BUCKET, MAX_EXACT, MAX_RANK, MIN_BUCKET, REGISTERS, Sketch, State, StateKind, Sum,
};
use super::decimal::{Decimal, power_of_ten};
use super::error::PartialError;
use super::fold::MAX_PARTIAL;
use super::key::is_key;
use super::plan::Plan;
use super::rows::Counts;
use super::table::Table;
use std::sync::Arc;

/// The version of this form, and of what queries mean.
const VERSION: u8 = 1;

/// How many buckets or hashes a group may have in one piece. Beside the longest key they fit.
const PIECE: usize = 1_500;

/// No sum of lines is this large.
const MAX_SUM: i128 = 10_i128.pow(37);

/// What is read of it.
pub(crate) type Read<T> = Result<T, PartialError>;

/// Writes the groups of a table.
#[derive(Debug)]
pub(crate) struct Partials {
    plan: Arc<Plan>,
    table: Table,
    /// Written once, into the first one.
    counts: Option<Counts>,
    group: usize,
    /// Pieces of the last group that did not fit, each with its group.
    waiting: Vec<Vec<u8>>,
}

impl Partials {
    pub(crate) fn new(plan: Arc<Plan>, table: Table, counts: Counts) -> Self {
        Self { plan, table, counts: Some(counts), group: 0, waiting: Vec::new() }
    }
}

impl Iterator for Partials {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.counts.is_none() && self.waiting.is_empty() && self.group == self.table.groups() {
            return None;
        }
        let mut partial = begin(&self.plan, self.counts.take().unwrap_or_default());
        loop {
            while let Some(piece) = self.waiting.pop() {
                if partial.len() + piece.len() > MAX_PARTIAL {
                    self.waiting.push(piece);
                    return Some(partial);
                }
                partial.extend_from_slice(&piece);
            }
            if self.group == self.table.groups() {
                return Some(partial);
            }
            let before = partial.len();
            if !push_small(&mut partial, &self.table, self.group) {
                self.waiting = pieces(&self.table, self.group);
                self.waiting.reverse();
            } else if partial.len() > MAX_PARTIAL {
                self.waiting.push(partial.split_off(before));
            }
            self.group += 1;
        }
    }
}

/// What a partial begins with.
pub(crate) fn begin(plan: &Plan, counts: Counts) -> Vec<u8> {
    let mut partial = vec![VERSION];
    partial.extend_from_slice(plan.hash());
    for count in [counts.lines, counts.unparsed, counts.without_time, counts.not_numbers] {
        push(&mut partial, u128::from(count));
    }
    partial
}

/// What a group begins with.
pub(crate) fn push_key(bytes: &mut Vec<u8>, key: &[u8]) {
    push(bytes, as_u128(key.len()));
    bytes.extend_from_slice(key);
}

/// Writes a group without a large state. False, and nothing is written, if it has one.
fn push_small(bytes: &mut Vec<u8>, table: &Table, group: usize) -> bool {
    let size: usize = table.states.iter().map(|states| states.size(group)).sum();
    if size > PIECE {
        return false;
    }
    push_key(bytes, table.key(group));
    for states in &table.states {
        push_state(bytes, &states.state(group));
    }
    true
}

/// A group in as many pieces as it needs: first all small states, then the rest of each large one.
fn pieces(table: &Table, group: usize) -> Vec<Vec<u8>> {
    let states: Vec<State> = table.states.iter().map(|states| states.state(group)).collect();
    let key = table.key(group);
    let mut budget = PIECE;
    let mut first = states.clone();
    let mut later = Vec::new();
    for (at, state) in states.iter().enumerate() {
        let size = table.states[at].size(group);
        if size <= budget {
            budget -= size;
            continue;
        }
        first[at] = empty(state);
        later.extend(divided(state).into_iter().map(|part| {
            let mut alone: Vec<State> = states.iter().map(empty).collect();
            alone[at] = part;
            written(key, &alone)
        }));
    }
    let mut pieces = vec![written(key, &first)];
    pieces.extend(later);
    pieces
}

fn empty(state: &State) -> State {
    State::empty(match state {
        State::Count(_) => StateKind::Count,
        State::Sum(_) => StateKind::Sum,
        State::Least(_) => StateKind::Least,
        State::Most(_) => StateKind::Most,
        State::Sketch(_) => StateKind::Sketch,
        State::Distinct(_) => StateKind::Distinct,
    })
}

fn divided(state: &State) -> Vec<State> {
    match state {
        State::Sketch(sketch) => {
            let parts = sketch.buckets.chunks(PIECE);
            parts.map(|part| State::Sketch(Sketch { buckets: part.to_vec() })).collect()
        }
        State::Distinct(Distinct::Few(hashes)) => {
            let parts = hashes.chunks(PIECE);
            parts.map(|part| State::Distinct(Distinct::Few(part.to_vec()))).collect()
        }
        _ => vec![state.clone()],
    }
}

fn written(key: &[u8], states: &[State]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(key.len() + 16);
    push_key(&mut bytes, key);
    for state in states {
        push_state(&mut bytes, state);
    }
    bytes
}

pub(crate) fn push_state(bytes: &mut Vec<u8>, state: &State) {
    match state {
        State::Count(count) => push(bytes, u128::from(*count)),
        State::Sum(sum) => {
            push(bytes, u128::from(sum.count));
            push_signed(bytes, sum.whole);
            push_signed(bytes, sum.fraction);
        }
        State::Least(None) | State::Most(None) => bytes.push(0),
        State::Least(Some(number)) | State::Most(Some(number)) => {
            let (mantissa, scale) = number.parts();
            bytes.push(scale + 1);
            push_signed(bytes, mantissa);
        }
        State::Sketch(sketch) => {
            push(bytes, as_u128(sketch.buckets.len()));
            let mut before = 0;
            for (bucket, count) in &sketch.buckets {
                push_signed(bytes, i128::from(*bucket) - before);
                push(bytes, u128::from(*count));
                before = i128::from(*bucket);
            }
        }
        State::Distinct(Distinct::Few(hashes)) => {
            push(bytes, as_u128(hashes.len()));
            for hash in hashes {
                bytes.extend_from_slice(&hash.to_be_bytes());
            }
        }
        State::Distinct(Distinct::Many(registers)) => {
            push(bytes, as_u128(MAX_EXACT + 1));
            bytes.extend_from_slice(registers);
        }
    }
}

fn as_u128(number: usize) -> u128 {
    u128::try_from(number).unwrap_or(u128::MAX)
}

fn push(bytes: &mut Vec<u8>, mut number: u128) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn push_signed(bytes: &mut Vec<u8>, number: i128) {
    push(bytes, ((number << 1) ^ (number >> 127)).cast_unsigned());
}

/// Takes what a partial has.
pub(crate) trait Sink {
    /// The key of a group. Its states follow.
    fn group(&mut self, key: &[u8]) -> Read<()>;

    /// The state of this number.
    fn state(&mut self, at: usize, state: &State) -> Read<()>;
}

/// Reads a partial: its counts, and each group's key and states, in order. Nothing larger than the
/// partial is allocated.
pub(crate) fn read(plan: &Plan, bytes: &[u8], sink: &mut dyn Sink) -> Read<Counts> {
    if bytes.len() > MAX_PARTIAL {
        return Err(PartialError::Malformed("they are too long"));
    }
    let mut reader = Reader { rest: bytes };
    match reader.take(1)? {
        [VERSION] => {}
        version => return Err(PartialError::Version(version[0])),
    }
    if reader.take(plan.hash().len())? != plan.hash() {
        return Err(PartialError::OtherQuery);
    }
    let counts = Counts {
        lines: reader.count()?,
        unparsed: reader.count()?,
        without_time: reader.count()?,
        not_numbers: reader.count()?,
        // Only who gathers knows which windows it has forgotten.
        late: 0,
    };
    while !reader.rest.is_empty() {
        let length = reader.length()?;
        let key = reader.take(length)?;
        if !is_key(key, plan.every(), plan.keys().len()) {
            return Err(PartialError::Malformed("no key of this query"));
        }
        sink.group(key)?;
        for (at, kind) in plan.state_kinds().iter().enumerate() {
            sink.state(at, &reader.state(*kind)?)?;
        }
    }
    Ok(counts)
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Read<&'a [u8]> {
        let cut = PartialError::Malformed("they are cut off");
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(cut)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Read<u128> {
        let malformed = PartialError::Malformed("a number");
        let mut number = 0_u128;
        for shift in (0..=126).step_by(7) {
            let byte = self.take(1)?[0];
            let low = u128::from(byte & 0x7f);
            if (low << shift) >> shift != low || (byte == 0 && shift > 0) {
                return Err(malformed);
            }
            number |= low << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(malformed)
    }

    fn signed(&mut self) -> Read<i128> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    fn count(&mut self) -> Read<u64> {
        u64::try_from(self.number()?).map_err(|_| PartialError::Malformed("a count"))
    }

    fn length(&mut self) -> Read<usize> {
        usize::try_from(self.number()?).map_err(|_| PartialError::Malformed("a length"))
    }

    fn state(&mut self, kind: StateKind) -> Read<State> {
        Ok(match kind {
            StateKind::Count => State::Count(self.count()?),
            StateKind::Sum => State::Sum(self.sum()?),
            StateKind::Least => State::Least(self.extreme()?),
            StateKind::Most => State::Most(self.extreme()?),
            StateKind::Sketch => State::Sketch(self.sketch()?),
            StateKind::Distinct => State::Distinct(self.distinct()?),
        })
    }

    fn sum(&mut self) -> Read<Sum> {
        let sum = Sum { count: self.count()?, whole: self.signed()?, fraction: self.signed()? };
        let fits = |number: i128| number.unsigned_abs() < MAX_SUM.unsigned_abs();
        if fits(sum.whole) && fits(sum.fraction) {
            return Ok(sum);
        }
        Err(PartialError::Malformed("a sum"))
    }

    fn extreme(&mut self) -> Read<Option<Decimal>> {
        let Some(scale) = self.take(1)?[0].checked_sub(1) else { return Ok(None) };
        let mantissa = self.signed()?;
        // Before the sign is dropped: the smallest number has no opposite.
        let number = if mantissa > -power_of_ten(37) && scale <= 18 {
            Decimal::new(mantissa, scale).filter(|number| number.parts() == (mantissa, scale))
        } else {
            None
        };
        number.map(Some).ok_or(PartialError::Malformed("an extreme"))
    }

    fn sketch(&mut self) -> Read<Sketch> {
        let malformed = PartialError::Malformed("a bucket");
        let length = self.length()?;
        // Each has two bytes at least.
        if length > self.rest.len() / 2 {
            return Err(malformed);
        }
        let mut buckets = Vec::with_capacity(length);
        let mut before: Option<i32> = None;
        for _ in 0..length {
            let step = i32::try_from(self.signed()?).map_err(|_| malformed)?;
            let bucket = before.unwrap_or(0).checked_add(step).ok_or(malformed)?;
            let place = i32::try_from(bucket.unsigned_abs()).map_err(|_| malformed)?;
            let is_bucket = bucket == 0 || (MIN_BUCKET..=MAX_BUCKET).contains(&place);
            let count = self.count()?;
            if !is_bucket || count == 0 || before.is_some_and(|before| before >= bucket) {
                return Err(malformed);
            }
            buckets.push((bucket, count));
            before = Some(bucket);
        }
        Ok(Sketch { buckets })
    }

    fn distinct(&mut self) -> Read<Distinct> {
        let malformed = PartialError::Malformed("a set");
        let length = self.length()?;
        if length > MAX_EXACT + 1 {
            return Err(malformed);
        }
        if length > MAX_EXACT {
            let registers = self.take(REGISTERS)?;
            if registers.iter().any(|rank| *rank > MAX_RANK) {
                return Err(malformed);
            }
            return Ok(Distinct::Many(registers.into()));
        }
        let hashes = self.take(length * 8)?.chunks_exact(8);
        let hash = |bytes: &[u8]| bytes.iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        let hashes: Vec<u64> = hashes.map(hash).collect();
        if hashes.is_sorted_by(|one, next| one < next) {
            return Ok(Distinct::Few(hashes));
        }
        Err(malformed)
    }
}
