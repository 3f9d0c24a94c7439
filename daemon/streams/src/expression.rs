//! Compiled expressions. They have no errors: what cannot be computed is missing. What is missing
//! differs from everything, so `!=` is true of it, and every other comparison is false.

use super::cells::{Cell, Context};
use super::decimal::Decimal;
use super::syntax::Operator;
use memchr::memmem::Finder;
use regex_automata::meta::Regex;
use std::cmp::Ordering;

/// The longest text that `concat` makes. Stages could make it 16 times as long each, without end.
const MAX_CONCAT: usize = 64 * 1024;

/// What a value is, as far as the query tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    /// A field: text, which may say a number.
    Field,
    Number,
    Text,
    Time,
    Truth,
}

#[derive(Debug)]
pub(crate) enum Expression {
    Slot(usize),
    /// The first of these slots that has something.
    First(Vec<usize>),
    Literal(usize),
    Number(Decimal),
    Truth(bool),
    Member,
    File,
    Line,
    Time,
    Not(Box<Expression>),
    Minus(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// Contains a text of the query.
    Contains(Box<Expression>, Box<Finder<'static>>),
    Matches(Box<Expression>, Box<Regex>),
    In(Box<Expression>, Vec<Expression>),
    Call(Function, Vec<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Lower,
    Upper,
    Length,
    Floor,
    Round,
    Has,
    If,
    Concat,
}

impl Function {
    /// The names, how many arguments each takes, and of what type its value is.
    pub(crate) const ALL: [(&str, Self, std::ops::RangeInclusive<usize>, Type); 8] = [
        ("lower", Self::Lower, 1..=1, Type::Text),
        ("upper", Self::Upper, 1..=1, Type::Text),
        ("length", Self::Length, 1..=1, Type::Number),
        ("floor", Self::Floor, 1..=1, Type::Number),
        ("round", Self::Round, 1..=2, Type::Number),
        ("has", Self::Has, 1..=1, Type::Truth),
        ("if", Self::If, 3..=3, Type::Field),
        ("concat", Self::Concat, 1..=16, Type::Text),
    ];
}

impl Expression {
    /// The value.
    pub(crate) fn value(&self, context: &mut Context) -> Cell {
        match self {
            Self::Slot(slot) => context.cells.get(*slot),
            Self::First(slots) => {
                let cells = slots.iter().map(|slot| context.cells.get(*slot));
                cells.into_iter().find(|cell| *cell != Cell::Missing).unwrap_or(Cell::Missing)
            }
            Self::Literal(at) => Cell::Literal(*at),
            Self::Number(number) => Cell::Number(*number),
            Self::Member => Cell::Member,
            Self::File => Cell::File,
            Self::Line => Cell::Line(0, context.line.len()),
            Self::Time => {
                let time = context.clock.of(context.line);
                time.map_or(Cell::Missing, Cell::Time)
            }
            Self::Minus(value) => {
                let cell = value.value(context);
                number_or_missing(context.number(cell).map(Decimal::negated))
            }
            Self::Binary(
                operator @ (Operator::Plus
                | Operator::Minus
                | Operator::Times
                | Operator::Divide
                | Operator::Remainder),
                left,
                right,
            ) => arithmetic(*operator, left, right, context),
            Self::Call(function, arguments) => call(*function, arguments, context),
            Self::Truth(_)
            | Self::Not(_)
            | Self::Binary(..)
            | Self::Contains(..)
            | Self::Matches(..)
            | Self::In(..) => Cell::Truth(self.holds(context)),
        }
    }

    /// Whether it is true. A field is true if it says `true`.
    pub(crate) fn holds(&self, context: &mut Context) -> bool {
        match self {
            Self::Truth(truth) => *truth,
            Self::Not(value) => !value.holds(context),
            Self::Binary(Operator::Or, left, right) => left.holds(context) || right.holds(context),
            Self::Binary(Operator::And, left, right) => left.holds(context) && right.holds(context),
            Self::Binary(operator, left, right) => {
                let (left, right) = (left.value(context), right.value(context));
                compare(*operator, left, right, context)
            }
            Self::Contains(value, finder) => {
                let cell = value.value(context);
                let cell = context.as_text(cell);
                context.text(cell).is_some_and(|text| finder.find(text).is_some())
            }
            Self::Matches(value, regex) => {
                let cell = value.value(context);
                let cell = context.as_text(cell);
                context.text(cell).is_some_and(|text| regex.is_match(text))
            }
            Self::In(value, list) => {
                let value = value.value(context);
                list.iter().any(|item| {
                    let item = item.value(context);
                    compare(Operator::Equal, value, item, context)
                })
            }
            _ => {
                let cell = self.value(context);
                context.text(cell) == Some(b"true")
            }
        }
    }
}

fn number_or_missing(number: Option<Decimal>) -> Cell {
    number.map_or(Cell::Missing, Cell::Number)
}

fn arithmetic(
    operator: Operator,
    left: &Expression,
    right: &Expression,
    context: &mut Context,
) -> Cell {
    let (left, right) = (left.value(context), right.value(context));
    let (Some(left), Some(right)) = (context.number(left), context.number(right)) else {
        return Cell::Missing;
    };
    number_or_missing(match operator {
        Operator::Plus => left.plus(right),
        Operator::Minus => left.plus(right.negated()),
        Operator::Times => left.times(right),
        Operator::Divide => left.divided_by(right),
        _ => left.remainder(right),
    })
}

/// The order of two values: by number if one is a number, or if both are fields that say numbers;
/// else by bytes. None if there is no order: one is missing, or only one says a number.
fn order(left: Cell, right: Cell, context: &Context) -> Option<Ordering> {
    let is_number = |cell| matches!(cell, Cell::Number(_) | Cell::Time(_));
    if is_number(left) || is_number(right) {
        return Some(context.number(left)?.cmp(&context.number(right)?));
    }
    let (left_text, right_text) = (context.text(left)?, context.text(right)?);
    let is_literal = |cell| matches!(cell, Cell::Literal(_) | Cell::Truth(_));
    if !is_literal(left)
        && !is_literal(right)
        && let (Some(left), Some(right)) = (Decimal::parse(left_text), Decimal::parse(right_text))
    {
        return Some(left.cmp(&right));
    }
    Some(left_text.cmp(right_text))
}

fn compare(operator: Operator, left: Cell, right: Cell, context: &mut Context) -> bool {
    let ordered = |test: fn(Ordering) -> bool| order(left, right, context).is_some_and(test);
    match operator {
        Operator::Equal => ordered(Ordering::is_eq),
        Operator::NotEqual => !ordered(Ordering::is_eq),
        Operator::Less => ordered(Ordering::is_lt),
        Operator::LessOrEqual => ordered(Ordering::is_le),
        Operator::Greater => ordered(Ordering::is_gt),
        Operator::GreaterOrEqual => ordered(Ordering::is_ge),
        _ => {
            let (left, right) = (context.as_text(left), context.as_text(right));
            let (Some(left), Some(right)) = (context.text(left), context.text(right)) else {
                return false;
            };
            match operator {
                Operator::Contains => memchr::memmem::find(left, right).is_some(),
                Operator::StartsWith => left.starts_with(right),
                _ => left.ends_with(right),
            }
        }
    }
}

fn call(function: Function, arguments: &[Expression], context: &mut Context) -> Cell {
    let first = arguments[0].value(context);
    match function {
        Function::Has => Cell::Truth(first != Cell::Missing),
        Function::If => {
            let chosen = if arguments[0].holds(context) { 1 } else { 2 };
            arguments[chosen].value(context)
        }
        Function::Floor => number_or_missing(context.number(first).map(Decimal::floor)),
        Function::Round => {
            let digits = arguments.get(1).map(|digits| digits.value(context));
            let digits = digits.map_or(Some(Decimal::default()), |digits| context.number(digits));
            // A whole number has no digits behind the point; others are no number of digits.
            let whole = digits.map(Decimal::parts).filter(|(_, scale)| *scale == 0);
            let digits = whole.and_then(|(digits, _)| u8::try_from(digits.min(255)).ok());
            let number = context.number(first);
            number_or_missing(number.zip(digits).and_then(|(number, to)| number.rounded(to)))
        }
        Function::Length => {
            let cell = context.as_text(first);
            let length = context.text(cell).and_then(|text| u64::try_from(text.len()).ok());
            number_or_missing(length.map(Decimal::from))
        }
        Function::Lower | Function::Upper => {
            let cell = context.as_text(first);
            let Some(text) = context.text(cell) else { return Cell::Missing };
            let mut text = text.to_vec();
            if function == Function::Lower {
                text.make_ascii_lowercase();
            } else {
                text.make_ascii_uppercase();
            }
            context.cells.keep(&text)
        }
        Function::Concat => {
            let mut all = Vec::new();
            for argument in arguments {
                let cell = argument.value(context);
                let cell = context.as_text(cell);
                let text = context.text(cell).unwrap_or_default();
                if all.len() + text.len() > MAX_CONCAT {
                    return Cell::Missing;
                }
                all.extend_from_slice(text);
            }
            context.cells.keep(&all)
        }
    }
}
