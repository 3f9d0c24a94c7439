//! From rows of groups to those of the answer: their order, and the stages behind the aggregate.

mod ranked;
mod wide;

use super::cells::{Cell, Cells, Clock, Context};
use super::decimal::Decimal;
use super::error::Full;
use super::expression::Expression;
use super::plan::{After, Plan};
use super::rows::{Counts, Row, Rows, Value};
use super::table::Table;
use std::borrow::Cow;
use std::cmp::Ordering;
pub(crate) use wide::{Groups, Shown};
use wide::{Wide, wide_rows};

/// How values are ordered: what is missing, then numbers, then texts. A text that says a number is
/// among the numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum OrderKey<'a> {
    Missing,
    Number(Decimal, Cow<'a, [u8]>),
    Text(Cow<'a, [u8]>),
}

impl<'a> OrderKey<'a> {
    fn of(value: &'a Value) -> Self {
        let number = |number| Self::Number(number, Cow::default());
        match value {
            Value::Missing => Self::Missing,
            Value::Number(exact) => number(*exact),
            Value::Estimate(count) => number(Decimal::from(*count)),
            Value::Time(milliseconds) => number(Decimal::from(*milliseconds)),
            Value::Text(text) => Self::of_text(text),
        }
    }

    fn of_text(text: &'a [u8]) -> Self {
        match Decimal::parse(text) {
            Some(number) => Self::Number(number, Cow::Borrowed(text)),
            None => Self::Text(Cow::Borrowed(text)),
        }
    }

    fn of_cell(cell: Cell, context: &'a Context) -> Self {
        match cell {
            Cell::Number(number) => Self::Number(number, Cow::default()),
            Cell::Time(milliseconds) => Self::Number(milliseconds.into(), Cow::default()),
            _ => context.text(cell).map_or(Self::Missing, Self::of_text),
        }
    }

    fn owned(self) -> OrderKey<'static> {
        match self {
            Self::Missing => OrderKey::Missing,
            Self::Number(number, text) => OrderKey::Number(number, text.into_owned().into()),
            Self::Text(text) => OrderKey::Text(text.into_owned().into()),
        }
    }
}

/// The rows, while stages change them.
pub(crate) struct Report<'a> {
    plan: &'a Plan,
    rows: Vec<Wide>,
    /// The values of the row that is looked at.
    cells: Cells,
}

/// Runs with a row's values in the slots.
fn with_row<T>(
    plan: &Plan,
    cells: &mut Cells,
    row: &Wide,
    run: impl FnOnce(&mut Context) -> T,
) -> T {
    let lengths = row.values.iter().map(|value| match value {
        Value::Text(text) => text.len(),
        _ => 0,
    });
    cells.begin(lengths.sum());
    for (slot, value) in row.values.iter().enumerate() {
        match value {
            Value::Missing => cells.set(slot, Cell::Missing),
            Value::Text(text) => cells.set_bytes(slot, text),
            Value::Number(number) => cells.set(slot, Cell::Number(*number)),
            Value::Estimate(count) => cells.set(slot, Cell::Number(Decimal::from(*count))),
            Value::Time(milliseconds) => cells.set(slot, Cell::Time(*milliseconds)),
        }
    }
    let literals = plan.literals();
    let clock = Clock::new(None);
    run(&mut Context { line: &[], cells, literals, member: &[], file: &[], clock })
}

fn value_of(cell: Cell, context: &Context) -> Value {
    match cell {
        Cell::Number(number) => Value::Number(number),
        Cell::Time(milliseconds) => Value::Time(milliseconds),
        _ => context.text(cell).map_or(Value::Missing, |text| Value::Text(text.to_vec())),
    }
}

impl<'a> Report<'a> {
    /// Begins with a row for each of these groups. Nothing of the table is needed any more.
    pub(crate) fn new(plan: &'a Plan, table: &Table, groups: Groups) -> Result<Self, Full> {
        let rows = wide_rows(plan, table, groups)?;
        Ok(Self { plan, rows, cells: Cells::new(plan.row_slots()) })
    }

    /// The answer.
    pub(crate) fn answer(self, counts: Counts) -> Rows {
        let plan = self.plan;
        Rows { columns: plan.columns().to_vec(), rows: self.staged().visible(), counts }
    }

    /// The rows of the answer that `is_wanted`.
    pub(crate) fn answer_of(
        self,
        counts: Counts,
        mut is_wanted: impl FnMut(&Shown) -> bool,
    ) -> Rows {
        let plan = self.plan;
        let mut report = self.staged();
        let keys = report.key_columns();
        report.rows.retain(|row| is_wanted(&Shown::of(row, keys, plan.visible())));
        Rows { columns: plan.columns().to_vec(), rows: report.visible(), counts }
    }

    /// The rows behind all stages.
    fn staged(mut self) -> Self {
        let mut stages = self.plan.after().iter();
        match self.plan.after().first() {
            // The most frequent of very many need not wait until all are in order.
            Some(After::Top(count, by)) if self.plan.every().is_none() => {
                self.top_of_unordered(*count, by);
                stages.next();
            }
            _ => self.order(),
        }
        stages.for_each(|stage| self.apply(stage));
        self
    }

    /// Orders rows by their windows and keys.
    fn order(&mut self) {
        let keys = self.key_columns();
        let all = self.rows.iter().flat_map(|row| row.values[..keys].iter().map(OrderKey::of));
        let all: Vec<OrderKey> = all.collect();
        let key = |row: usize| &all[row * keys..(row + 1) * keys];
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_unstable_by(|one, other| key(*one).cmp(key(*other)));
        drop(all);
        self.arrange(&order);
    }

    /// How many values of each row are its window and its keys.
    fn key_columns(&self) -> usize {
        self.plan.keys().len() + usize::from(self.plan.every().is_some())
    }

    /// Takes the rows of these numbers, in this order.
    fn arrange(&mut self, order: &[usize]) {
        let mut rows: Vec<Option<Wide>> =
            std::mem::take(&mut self.rows).into_iter().map(Some).collect();
        self.rows = order.iter().filter_map(|at| rows[*at].take()).collect();
    }

    /// What to order all rows by: so many keys of each row, one behind the other.
    fn order_keys(&mut self, by: &[&Expression]) -> Vec<OrderKey<'static>> {
        let mut keys = Vec::with_capacity(self.rows.len() * by.len());
        for row in &self.rows {
            with_row(self.plan, &mut self.cells, row, |context| {
                for key in by {
                    let cell = key.value(context);
                    keys.push(OrderKey::of_cell(cell, context).owned());
                }
            });
        }
        keys
    }

    fn apply(&mut self, stage: &After) {
        match stage {
            After::Where(condition) => {
                let (plan, cells) = (self.plan, &mut self.cells);
                self.rows
                    .retain(|row| with_row(plan, cells, row, |context| condition.holds(context)));
            }
            After::Let(slot, expression) => {
                for row in &mut self.rows {
                    row.values[*slot] = with_row(self.plan, &mut self.cells, row, |context| {
                        let cell = expression.value(context);
                        value_of(cell, context)
                    });
                }
            }
            After::Sort(keys) => {
                let by: Vec<&Expression> = keys.iter().map(|(key, _)| key).collect();
                let descending: Vec<bool> = keys.iter().map(|(_, descends)| *descends).collect();
                self.sort(&by, &descending);
            }
            After::Top(count, by) => self.top(*count, by),
        }
    }

    fn sort(&mut self, by: &[&Expression], descending: &[bool]) {
        let all = self.order_keys(by);
        let key = |row: usize| &all[row * by.len()..(row + 1) * by.len()];
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by(|one, other| ordered(key(*one), key(*other), descending));
        self.arrange(&order);
    }

    /// Takes the first rows of each window in descending order. Those that are equal stay in their
    /// order.
    fn top(&mut self, count: usize, by: &[Expression]) {
        let by: Vec<&Expression> = by.iter().collect();
        let all = self.order_keys(&by);
        let key = |row: usize| &all[row * by.len()..(row + 1) * by.len()];
        let window = |row: usize| self.rows[row].window;
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by(|one, other| {
            window(*one).cmp(&window(*other)).then_with(|| key(*other).cmp(key(*one)))
        });
        let mut taken = (None, 0);
        order.retain(|row| {
            let window = Some(window(*row));
            taken = if taken.0 == window { (window, taken.1 + 1) } else { (window, 1) };
            taken.1 <= count
        });
        self.arrange(&order);
    }

    /// The same for rows without windows that are in no order yet.
    fn top_of_unordered(&mut self, count: usize, by: &[Expression]) {
        let by: Vec<&Expression> = by.iter().collect();
        let all = self.order_keys(&by);
        let key = |row: usize| &all[row * by.len()..(row + 1) * by.len()];
        let keys = self.key_columns();
        let own = |row: usize| self.rows[row].values[..keys].iter().map(OrderKey::of);
        let compare = |one: &usize, other: &usize| {
            key(*other).cmp(key(*one)).then_with(|| own(*one).cmp(own(*other)))
        };
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        if count < order.len() {
            order.select_nth_unstable_by(count, compare);
            order.truncate(count);
        }
        order.sort_unstable_by(compare);
        self.arrange(&order);
    }

    /// The rows with the values of the columns.
    fn visible(self) -> Vec<Row> {
        let slots = self.plan.visible();
        let row = |mut row: Wide| Row {
            values: slots
                .iter()
                .map(|slot| std::mem::replace(&mut row.values[*slot], Value::Missing))
                .collect(),
        };
        self.rows.into_iter().map(row).collect()
    }
}

fn ordered(one: &[OrderKey], other: &[OrderKey], descending: &[bool]) -> Ordering {
    let pairs = one.iter().zip(other).zip(descending);
    let orders = pairs.map(
        |((one, other), descending)| {
            if *descending { other.cmp(one) } else { one.cmp(other) }
        },
    );
    orders.fold(Ordering::Equal, Ordering::then)
}
