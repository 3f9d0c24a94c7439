//! A query, checked and compiled: steps for each line, keys, states, figures, and stages for rows.

mod aggregate;
mod compile;
mod durable;
mod lines;
mod rows;

use super::aggregate::StateKind;
use super::error::QueryError;
use super::expression::Expression;
use super::query::Query;
use super::rows::{Column, OrderStage};
use super::scan::{Memory, Scanner};
use super::syntax::{Function, StageKind, Windows};
pub use durable::{DurableWindows, MAX_DURABLE_OVERLAP};
use lines::Lines;
use rows::RowStages;

/// The most lists in a query: names behind `by`, figures, stages.
const MAX_KEYS: usize = 8;
const MAX_FIGURES: usize = 16;
const MAX_STAGES: usize = 32;

/// What is done with each line.
#[derive(Debug)]
pub(crate) enum Step {
    /// Reads the line, or the text of this value.
    Scan(Box<Scanner>, Option<Expression>),
    Where(Expression),
    Let(usize, Expression),
}

/// A value of each line, and the states that sum it.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) value: Expression,
    /// States of numbers.
    pub(crate) numbers: Vec<usize>,
    /// States of values of any kind.
    pub(crate) values: Vec<usize>,
}

/// What is made of a state.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) state: usize,
    pub(crate) function: Function,
    /// The number is a time.
    pub(crate) is_time: bool,
}

/// What is done with the rows.
#[derive(Debug)]
pub(crate) enum After {
    Where(Expression),
    Let(usize, Expression),
    /// Each with whether it descends.
    Sort(Vec<(Expression, bool)>),
    /// So many rows of each window: those with the largest values.
    Top(usize, Vec<Expression>),
}

/// What an aggregate becomes.
#[derive(Debug, Default)]
struct Grouping {
    keys: Vec<Expression>,
    windows: Option<Windows>,
    kinds: Vec<StateKind>,
    /// The states that count lines.
    counts: Vec<usize>,
    inputs: Vec<Input>,
    figures: Vec<Figure>,
}

/// A query, checked and compiled. It is the same on all members, and shared by all folds of one.
#[derive(Debug)]
pub struct Plan {
    hash: [u8; 16],
    /// What tables hash keys with.
    seed: u64,
    literals: Vec<Vec<u8>>,
    memory: Memory,
    needs_time: bool,
    slots: usize,
    steps: Vec<Step>,
    grouping: Grouping,
    after: Vec<After>,
    row_slots: usize,
    columns: Vec<Column>,
    /// Which slots of a row its columns are.
    visible: Vec<usize>,
}

impl Plan {
    /// Checks names and types, and compiles.
    pub fn new(query: &Query) -> Result<Self, QueryError> {
        let stages = query.stages();
        if let Some(stage) = stages.get(MAX_STAGES) {
            let message = format!("a query has at most {MAX_STAGES} stages");
            return Err(QueryError::new(message, stage.span.clone()));
        }
        let mut lines = Lines::default();
        let mut stages = stages.iter();
        let (grouping, mut rows) = loop {
            let Some(stage) = stages.next() else {
                let end = query.text().len();
                let message = "an aggregate is missing, such as `| count by member`; to print \
                               lines, use memberctl grep";
                return Err(QueryError::new(message, end..end));
            };
            match &stage.kind {
                StageKind::Aggregate(aggregate) => {
                    break lines.aggregate(aggregate, &stage.span)?;
                }
                StageKind::Top { rows, by } => break lines.top(*rows, by, &stage.span)?,
                _ => lines.stage(stage)?,
            }
        };
        for stage in stages {
            rows.stage(stage, &mut lines.literals, &mut lines.memory)?;
        }
        let RowStages { after, slots: row_slots, names } = rows;
        let hash = hash(query.text());
        let (columns, visible) = names.into_iter().map(|name| (name.column, name.slot)).unzip();
        Ok(Self {
            seed: hash.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte)),
            hash,
            literals: lines.literals,
            memory: lines.memory,
            needs_time: lines.needs_time || grouping.windows.is_some(),
            slots: lines.slots,
            steps: lines.steps,
            grouping,
            after,
            row_slots,
            columns,
            visible,
        })
    }

    /// The same plan for tables that hash keys with a drawn seed. Without it the seed comes of the
    /// query: who knows that and writes logs could choose keys that collide, and slow a table down.
    /// No answer depends on it.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Whether the times of lines are asked for.
    pub fn needs_time(&self) -> bool {
        self.needs_time
    }

    /// The stage that reads lines, such as `nginx`: those that it cannot read are counted as
    /// unparsed. None if there is no such stage, or more than one.
    pub fn reader(&self) -> Option<&str> {
        let mut readers = self.steps.iter().filter_map(|step| match step {
            Step::Scan(scanner, _) => Some(scanner.stage()),
            Step::Where(_) | Step::Let(..) => None,
        });
        let reader = readers.next()?;
        readers.next().is_none().then_some(reader)
    }

    /// Whether rows are in the order of their windows, the newest last. False without windows, and
    /// if the query sorts its rows otherwise.
    pub fn is_by_window(&self) -> bool {
        let sorts = |stage: &After| matches!(stage, After::Sort(_));
        self.every().is_some() && !self.after.iter().any(sorts)
    }

    /// The stages behind the aggregate that order rows.
    pub fn order_stages(&self) -> Vec<OrderStage> {
        let order = |stage: &After| match stage {
            After::Sort(_) => Some(OrderStage::Sort),
            After::Top(rows, _) => Some(OrderStage::Top(*rows)),
            After::Where(_) | After::Let(..) => None,
        };
        self.after.iter().filter_map(order).collect()
    }

    /// Whether a row depends on the lines of its own group alone.
    pub(crate) fn has_lone_rows(&self) -> bool {
        let chooses = |stage: &After| matches!(stage, After::Top(..));
        let overlaps = self.over().is_some_and(|(every, over)| over > every);
        !overlaps && !self.after.iter().any(chooses)
    }

    /// The columns of the answer.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many bytes the query's regular expressions take, once for all threads.
    pub fn shared_bytes(&self) -> usize {
        self.memory.shared
    }

    /// How many bytes they may take for each thread that reads lines, beside its table: at most 26
    /// MiB, and nothing without a regular expression.
    pub fn thread_bytes(&self) -> usize {
        self.memory.thread()
    }

    /// A hash of the query. Partial sums carry it.
    pub(crate) fn hash(&self) -> &[u8; 16] {
        &self.hash
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    pub(crate) fn literals(&self) -> &[Vec<u8>] {
        &self.literals
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(crate) fn keys(&self) -> &[Expression] {
        &self.grouping.keys
    }

    /// Of each key, whether it is the name of the member, by whatever name a stage calls it.
    pub(crate) fn member_keys(&self) -> impl Iterator<Item = bool> {
        self.grouping.keys.iter().map(|key| self.is_member(key))
    }

    fn is_member(&self, value: &Expression) -> bool {
        let made = |slot: usize| {
            self.steps.iter().find_map(|step| match step {
                Step::Let(made, value) if *made == slot => Some(value),
                _ => None,
            })
        };
        match value {
            Expression::Member => true,
            // A value of `let` names only what was made before it, so this ends.
            Expression::Slot(slot) => made(*slot).is_some_and(|value| self.is_member(value)),
            _ => false,
        }
    }

    /// How often a window begins, in milliseconds. None without windows.
    pub(crate) fn every(&self) -> Option<i64> {
        self.grouping.windows.as_ref().map(|windows| windows.every)
    }

    /// How often a window begins, and how long it is, in milliseconds.
    pub(crate) fn over(&self) -> Option<(i64, i64)> {
        self.grouping.windows.as_ref().map(|windows| (windows.every, windows.over))
    }

    /// Whether there is one row, even without lines.
    pub(crate) fn is_one_row(&self) -> bool {
        self.grouping.keys.is_empty() && self.grouping.windows.is_none()
    }

    /// The states that count lines.
    pub(crate) fn counts(&self) -> &[usize] {
        &self.grouping.counts
    }

    pub(crate) fn inputs(&self) -> &[Input] {
        &self.grouping.inputs
    }

    pub(crate) fn state_kinds(&self) -> &[StateKind] {
        &self.grouping.kinds
    }

    pub(crate) fn figures(&self) -> &[Figure] {
        &self.grouping.figures
    }

    pub(crate) fn after(&self) -> &[After] {
        &self.after
    }

    /// How many values a row has before columns are chosen.
    pub(crate) fn row_slots(&self) -> usize {
        self.row_slots
    }

    pub(crate) fn visible(&self) -> &[usize] {
        &self.visible
    }
}

/// Partial sums of different texts are never merged, even if they mean the same.
fn hash(text: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key("memberd 2026-11-30 streams query");
    hasher.update(text.as_bytes());
    let mut hash = [0; 16];
    hasher.finalize_xof().fill(&mut hash);
    hash
}
