//! From merged sums to rows: windows that overlap, figures, and the stages behind the aggregate.

use super::aggregate::State;
use super::cells::{Cell, Cells, Clock, Context};
use super::decimal::Decimal;
use super::error::Full;
use super::key::{Parts, push_window};
use super::plan::{After, Figure, Plan};
use super::rows::{Counts, Row, Rows, Value};
use super::table::Table;
use std::cmp::{Ordering, Reverse};

/// A row with all values that stages may ask for, not only those of the columns.
struct Wide {
    /// When its window begins, if there are windows.
    window: Option<i64>,
    values: Vec<Value>,
}

/// How values are ordered: what is missing, then numbers, then texts. A text that says a number is
/// among the numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum OrderKey {
    Missing,
    Number(Decimal, Vec<u8>),
    Text(Vec<u8>),
}

impl OrderKey {
    fn of(value: &Value) -> Self {
        match value {
            Value::Missing => Self::Missing,
            Value::Number(number) => Self::Number(*number, Vec::new()),
            Value::Estimate(count) => Self::Number(Decimal::from(*count), Vec::new()),
            Value::Time(milliseconds) => Self::Number(Decimal::from(*milliseconds), Vec::new()),
            Value::Text(text) => match Decimal::parse(text) {
                Some(number) => Self::Number(number, text.clone()),
                None => Self::Text(text.clone()),
            },
        }
    }
}

/// The answer.
pub(crate) fn report(plan: &Plan, table: Table, counts: Counts) -> Result<Rows, Full> {
    let mut table = match plan.over() {
        Some((every, over)) if over > every => overlapping(plan, &table, every, over)?,
        _ => table,
    };
    if plan.is_one_row() && table.groups() == 0 {
        table.group(&[])?;
    }
    let mut rows: Vec<Wide> = (0..table.groups()).map(|group| wide(plan, &table, group)).collect();
    drop(table);
    let keys = plan.keys().len() + usize::from(plan.every().is_some());
    rows.sort_by_cached_key(|row| row.values[..keys].iter().map(OrderKey::of).collect::<Vec<_>>());
    for stage in plan.after() {
        rows = apply(plan, stage, rows);
    }
    let row = |row: Wide| {
        let values = plan.visible().iter().map(|slot| row.values[*slot].clone());
        Row { values: values.collect() }
    };
    let rows = rows.into_iter().map(row).collect();
    Ok(Rows { columns: plan.columns().to_vec(), rows, counts })
}

/// A table of windows of `over`, made of one of windows of `every`.
fn overlapping(plan: &Plan, panes: &Table, every: i64, over: i64) -> Result<Table, Full> {
    let mut table = Table::new(plan.seed(), plan.state_kinds(), panes.limits());
    let mut key = Vec::new();
    for pane in 0..panes.groups() {
        let mut parts = Parts(panes.key(pane));
        let start = parts.window().unwrap_or_default();
        for step in 0..over / every {
            key.clear();
            push_window(&mut key, start.saturating_sub(step * every));
            key.extend_from_slice(parts.0);
            let group = table.group(&key)?;
            for (at, states) in panes.states.iter().enumerate() {
                table.merge_state(group, at, &states.state(pane))?;
            }
        }
    }
    Ok(table)
}

/// The row of a group.
fn wide(plan: &Plan, table: &Table, group: usize) -> Wide {
    let mut parts = Parts(table.key(group));
    let window = plan.every().and_then(|_| parts.window());
    let mut values: Vec<Value> = window.map(Value::Time).into_iter().collect();
    values.extend(plan.keys().iter().map(|_| parts.part().unwrap_or(Value::Missing)));
    for figure in plan.figures() {
        values.push(figure_value(figure, &table.states[figure.state].state(group)));
    }
    values.resize(plan.row_slots(), Value::Missing);
    Wide { window, values }
}

fn figure_value(figure: &Figure, state: &State) -> Value {
    use super::syntax::Function;
    let number = match state {
        State::Count(count) => Some(Decimal::from(*count)),
        State::Sum(sum) if figure.function == Function::Average => sum.average(),
        State::Sum(sum) => Some(sum.total()),
        State::Least(number) | State::Most(number) => *number,
        State::Sketch(sketch) => match figure.function {
            Function::Percentile(hundredths) => sketch.percentile(hundredths),
            _ => None,
        },
        State::Distinct(set) => match set.count() {
            (count, true) => Some(Decimal::from(count)),
            (count, false) => return Value::Estimate(count),
        },
    };
    match number {
        None => Value::Missing,
        Some(number) if figure.is_time => {
            i64::try_from(number.parts().0).map_or(Value::Missing, Value::Time)
        }
        Some(number) => Value::Number(number),
    }
}

/// Runs with a row's values in the slots.
fn with_row<T>(plan: &Plan, row: &Wide, run: impl FnOnce(&mut Context) -> T) -> T {
    let mut cells = Cells::new(row.values.len());
    for (slot, value) in row.values.iter().enumerate() {
        match value {
            Value::Missing => {}
            Value::Text(text) => cells.set_bytes(slot, text),
            Value::Number(number) => cells.set(slot, Cell::Number(*number)),
            Value::Estimate(count) => cells.set(slot, Cell::Number(Decimal::from(*count))),
            Value::Time(milliseconds) => cells.set(slot, Cell::Time(*milliseconds)),
        }
    }
    let mut context = Context {
        line: &[],
        cells: &mut cells,
        literals: plan.literals(),
        member: &[],
        file: &[],
        clock: Clock::new(None),
    };
    run(&mut context)
}

fn value_of(cell: Cell, context: &Context) -> Value {
    match cell {
        Cell::Number(number) => Value::Number(number),
        Cell::Time(milliseconds) => Value::Time(milliseconds),
        _ => context.text(cell).map_or(Value::Missing, |text| Value::Text(text.to_vec())),
    }
}

fn apply(plan: &Plan, stage: &After, mut rows: Vec<Wide>) -> Vec<Wide> {
    match stage {
        After::Where(condition) => {
            rows.retain(|row| with_row(plan, row, |context| condition.holds(context)));
        }
        After::Let(slot, expression) => {
            for row in &mut rows {
                let value = with_row(plan, row, |context| {
                    let cell = expression.value(context);
                    value_of(cell, context)
                });
                row.values[*slot] = value;
            }
        }
        After::Sort(keys) => {
            let descending: Vec<bool> = keys.iter().map(|(_, descending)| *descending).collect();
            let mut keyed: Vec<_> = rows
                .into_iter()
                .map(|row| (order_keys(plan, &row, keys.iter().map(|(key, _)| key)), row))
                .collect();
            keyed.sort_by(|(one, _), (other, _)| ordered(one, other, &descending));
            rows = keyed.into_iter().map(|(_, row)| row).collect();
        }
        After::Top(count, by) => {
            rows.sort_by_cached_key(|row| (row.window, Reverse(order_keys(plan, row, by.iter()))));
            let mut taken = (None, 0);
            rows.retain(|row| {
                if taken.0 != Some(row.window) {
                    taken = (Some(row.window), 0);
                }
                taken.1 += 1;
                taken.1 <= *count
            });
        }
    }
    rows
}

fn order_keys<'a>(
    plan: &Plan,
    row: &Wide,
    by: impl Iterator<Item = &'a super::expression::Expression>,
) -> Vec<OrderKey> {
    with_row(plan, row, |context| {
        by.map(|key| {
            let cell = key.value(context);
            OrderKey::of(&value_of(cell, context))
        })
        .collect()
    })
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
