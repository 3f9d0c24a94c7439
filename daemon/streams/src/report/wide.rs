//! From merged sums to rows: windows that overlap, and figures.

use crate::aggregate::State;
use crate::decimal::Decimal;
use crate::error::Full;
use crate::key::{Parts, push_window};
use crate::plan::{Figure, Plan};
use crate::rows::Value;
use crate::syntax::Function;
use crate::table::Table;

/// A row with all values that stages may ask for, not only those of the columns.
pub(super) struct Wide {
    /// When its window begins, if there are windows.
    pub(super) window: Option<i64>,
    pub(super) values: Vec<Value>,
}

/// Which groups of a table become rows.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// Only those whose window begins here or later.
    pub(crate) floor: Option<i64>,
    /// Only these. Windows may not overlap then.
    pub(crate) chosen: Option<Vec<usize>>,
    /// The sums are already those of whole windows, also of windows that overlap.
    pub(crate) are_whole: bool,
}

/// Rows of groups, in no order, before any stage behind the aggregate.
pub(super) fn wide_rows(plan: &Plan, table: &Table, groups: Groups) -> Result<Vec<Wide>, Full> {
    let Groups { floor, chosen, are_whole } = groups;
    let made = match plan.over() {
        Some((every, over)) if over > every && !are_whole => {
            Some(overlapping(plan, table, every, over, floor)?)
        }
        _ if plan.is_one_row() && table.groups() == 0 => {
            let mut table = Table::new(plan.seed(), plan.state_kinds(), table.limits());
            table.group(&[])?;
            Some(table)
        }
        _ => None,
    };
    let (table, chosen) = match &made {
        Some(made) => (made, None),
        None => (table, chosen),
    };
    let all = 0..table.groups();
    let row = |group| wide(plan, table, group);
    let mut rows: Vec<Wide> = match chosen {
        None => all.map(row).collect(),
        Some(chosen) => chosen.into_iter().map(row).collect(),
    };
    if floor.is_some() {
        rows.retain(|row| row.window >= floor);
    }
    Ok(rows)
}

/// What a row is known by, and what it shows, as bytes. Equal ones have equal bytes.
pub(crate) struct Shown {
    /// When its window begins, if there are windows.
    pub(crate) window: Option<i64>,
    pub(crate) key: Vec<u8>,
    pub(crate) values: Vec<u8>,
}

impl Shown {
    pub(super) fn of(row: &Wide, keys: usize, visible: &[usize]) -> Self {
        let (mut key, mut values) = (Vec::new(), Vec::new());
        row.values[..keys].iter().for_each(|value| push_value(&mut key, value));
        visible.iter().for_each(|slot| push_value(&mut values, &row.values[*slot]));
        Self { window: row.window, key, values }
    }
}

/// The kind, the length and the text of a value.
fn push_value(bytes: &mut Vec<u8>, value: &Value) {
    let kind = match value {
        Value::Missing => 0,
        Value::Text(_) => 1,
        Value::Number(_) => 2,
        Value::Estimate(_) => 3,
        Value::Time(_) => 4,
    };
    let text = value.to_bytes();
    bytes.push(kind);
    bytes.extend_from_slice(&text.len().to_be_bytes());
    bytes.extend_from_slice(&text);
}

/// A table of windows of `over`, made of one of windows of `every`. Those that begin before `floor`
/// are left out.
fn overlapping(
    plan: &Plan,
    panes: &Table,
    every: i64,
    over: i64,
    floor: Option<i64>,
) -> Result<Table, Full> {
    let mut table = Table::new(plan.seed(), plan.state_kinds(), panes.limits());
    let mut key = Vec::new();
    for pane in 0..panes.groups() {
        let mut parts = Parts(panes.key(pane));
        let start = parts.window().unwrap_or_default();
        for step in 0..over / every {
            let window = start.saturating_sub(step * every);
            if floor.is_some_and(|floor| window < floor) {
                break;
            }
            key.clear();
            push_window(&mut key, window);
            key.extend_from_slice(parts.0);
            table.take(&key, panes, pane)?;
        }
    }
    Ok(table)
}

/// The row of a group.
fn wide(plan: &Plan, table: &Table, group: usize) -> Wide {
    let mut parts = Parts(table.key(group));
    let window = plan.every().and_then(|_| parts.window());
    let mut values: Vec<Value> = window.map(Value::Time).into_iter().collect();
    values.extend(plan.keys().iter().map(|_| parts.value()));
    for figure in plan.figures() {
        values.push(figure_value(figure, &table.states[figure.state].state(group)));
    }
    values.resize(plan.row_slots(), Value::Missing);
    Wide { window, values }
}

fn figure_value(figure: &Figure, state: &State) -> Value {
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
