//! The sums of one thread that reads lines.

use super::aggregate::hash;
use super::cells::{Cell, Cells, Clock, Context, Origin};
use super::error::Full;
use super::expression::Expression;
use super::key::{push_part, push_window};
use super::partial::Partials;
use super::plan::{Plan, Step};
use super::rows::Counts;
use super::scan::Scanner;
use super::table::Table;
use std::sync::Arc;

/// The longest partial sum in bytes.
pub const MAX_PARTIAL: usize = 64 * 1024;

/// Reads the times of lines.
pub trait LineTime {
    /// The time of the line in milliseconds since the Unix epoch. It is asked at most once a line,
    /// and only if the query needs it.
    fn milliseconds(&mut self, line: &[u8]) -> Option<i64>;
}

/// What a table may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Groups: different windows and keys. At most 2^31.
    pub groups: usize,
    /// Bytes in memory, of keys and sums together. At most 4 GiB of keys. While a list grows, it
    /// needs up to as much again for a moment.
    pub bytes: usize,
}

/// The sums of one thread. It owns its table.
#[derive(Debug)]
pub struct Fold {
    plan: Arc<Plan>,
    member: Vec<u8>,
    file: Vec<u8>,
    counts: Counts,
    /// Lines that are in no group since they could not be read, or have no time.
    uncounted: u64,
    table: Table,
    cells: Cells,
    /// The key of the line that is read.
    key: Vec<u8>,
    /// When the window of the line before begins and ends.
    window: (i64, i64),
}

impl Fold {
    /// An empty table. `member` is the name of the member whose lines these are.
    pub fn new(plan: Arc<Plan>, member: &str, limits: Limits) -> Self {
        Self::begin(plan, member.as_bytes().to_vec(), limits)
    }

    fn begin(plan: Arc<Plan>, member: Vec<u8>, limits: Limits) -> Self {
        Self {
            member,
            file: Vec::new(),
            counts: Counts::default(),
            uncounted: 0,
            table: Table::new(plan.seed(), plan.state_kinds(), limits),
            cells: Cells::new(plan.slots()),
            key: Vec::new(),
            window: (0, 0),
            plan,
        }
    }

    /// The path of the file of the lines that follow.
    pub fn set_file(&mut self, file: &[u8]) {
        file.clone_into(&mut self.file);
    }

    /// What was counted until now.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many lines are in no group until now since they could not be read, or since they have no
    /// time although the query asks for it.
    pub fn uncounted(&self) -> u64 {
        self.uncounted
    }

    /// Takes one line that matched the pattern, without its newline. After an error the table lacks
    /// lines, and should be given up.
    pub fn line(&mut self, line: &[u8], times: &mut dyn LineTime) -> Result<(), Full> {
        self.counts.lines += 1;
        self.cells.begin(line.len());
        let mut context = Context {
            line,
            cells: &mut self.cells,
            literals: self.plan.literals(),
            member: &self.member,
            file: &self.file,
            clock: Clock::new(Some(times)),
        };
        let counts = &mut self.counts;
        let unparsed = counts.unparsed;
        let chosen = is_chosen(self.plan.steps(), &mut context, counts)
            && group_key(&self.plan, &mut context, &mut self.window, &mut self.key);
        let summed = if chosen {
            sum_line(&self.plan, &mut context, counts, &mut self.table, &self.key)
        } else {
            Ok(())
        };
        let missing = context.clock.missing;
        counts.without_time += u64::from(missing);
        self.uncounted += u64::from(!chosen && (missing || counts.unparsed > unparsed));
        summed
    }

    /// Whether the table has half of the bytes or groups that it may have. Whoever then takes the
    /// sums has room for one more line, unless that is very long.
    pub fn is_half_full(&self) -> bool {
        self.table.is_half_full()
    }

    /// Takes the sums until now. What follows is summed anew.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let file = self.file.clone();
        let member = std::mem::take(&mut self.member);
        let empty = Self::begin(Arc::clone(&self.plan), member, self.table.limits());
        std::mem::replace(self, Self { file, ..empty })
    }

    /// Adds what another thread of the same member summed by the same plan.
    pub fn merge(&mut self, other: Self) -> Result<(), Full> {
        self.counts.add(other.counts);
        self.uncounted += other.uncounted;
        self.table.merge(other.table)
    }

    /// The sums as bytes for a [`Gather`](crate::Gather), at most [`MAX_PARTIAL`] each. At least
    /// one, since the number of lines is in it.
    pub fn into_partials(self) -> impl Iterator<Item = Vec<u8>> {
        Partials::new(self.plan, self.table, self.counts)
    }
}

/// Reads the line's fields. False if it is not counted: it cannot be read, or a condition leaves it
/// out.
fn is_chosen(steps: &[Step], context: &mut Context, counts: &mut Counts) -> bool {
    steps.iter().all(|step| match step {
        Step::Scan(scanner, from) => {
            let parsed = match from {
                None => scanner.scan(context.line, context.cells),
                Some(from) => scan_value(scanner, from, context),
            };
            counts.unparsed += u64::from(!parsed);
            parsed
        }
        Step::Where(condition) => condition.holds(context),
        Step::Let(slot, value) => {
            let cell = value.value(context);
            context.cells.set(*slot, cell);
            true
        }
    })
}

/// Reads the text of a value. What is missing cannot be read.
fn scan_value(scanner: &Scanner, from: &Expression, context: &mut Context) -> bool {
    let cell = from.value(context);
    let cell = context.as_text(cell);
    if let Cell::Line(start, end) = cell {
        context.cells.origin = Origin::Line(start);
        let parsed = scanner.scan(&context.line[start..end], context.cells);
        context.cells.origin = Origin::default();
        return parsed;
    }
    // Scanners write to the scratch, so they read a copy.
    let mut copy = std::mem::take(&mut context.cells.copy);
    copy.clear();
    let Some(text) = context.text(cell) else { return false };
    copy.extend_from_slice(text);
    let kept = if let Cell::Scratch(..) = cell { cell } else { context.cells.keep(&copy) };
    let mut parsed = false;
    if let Cell::Scratch(start, _) = kept {
        context.cells.origin = Origin::Scratch(start);
        parsed = scanner.scan(&copy, context.cells);
        context.cells.origin = Origin::default();
    }
    context.cells.copy = copy;
    parsed
}

/// Writes the key of the line's group. False if the line has no time but needs one.
fn group_key(
    plan: &Plan,
    context: &mut Context,
    window: &mut (i64, i64),
    key: &mut Vec<u8>,
) -> bool {
    key.clear();
    if let Some(every) = plan.every() {
        let Some(time) = context.clock.of(context.line) else { return false };
        if !(window.0..window.1).contains(&time) {
            let Some(start) = time.checked_sub(time.rem_euclid(every)) else {
                // Further back than there are windows.
                context.clock.missing = true;
                return false;
            };
            *window = (start, start.saturating_add(every));
        }
        push_window(key, window.0);
    }
    for part in plan.keys() {
        let cell = part.value(context);
        push_part(key, cell, context);
    }
    true
}

/// Adds the line to its group.
fn sum_line(
    plan: &Plan,
    context: &mut Context,
    counts: &mut Counts,
    table: &mut Table,
    key: &[u8],
) -> Result<(), Full> {
    let group = table.group(key)?;
    for at in plan.counts() {
        table.states[*at].count(group);
    }
    for input in plan.inputs() {
        let cell = input.value.value(context);
        if cell == Cell::Missing {
            continue;
        }
        if !input.numbers.is_empty() {
            if let Some(number) = context.number(cell) {
                for at in &input.numbers {
                    table.change(group, *at, |states| states.number(group, number))?;
                }
            } else {
                let is_absent = matches!(context.text(cell), Some(b"" | b"-"));
                counts.not_numbers += u64::from(!is_absent);
            }
        }
        if !input.values.is_empty() {
            let cell = context.as_text(cell);
            let hash = hash(context.text(cell).unwrap_or_default());
            for at in &input.values {
                table.change(group, *at, |states| states.value(group, hash))?;
            }
        }
    }
    Ok(())
}
