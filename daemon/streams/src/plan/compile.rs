//! Expressions: names become slots, and types are checked as far as the query tells them.

use crate::error::QueryError;
use crate::expression::{Expression, Function, Type};
use crate::scan::{Memory, compile};
use crate::syntax::{self, ExpressionKind, Name, Operator, suggestion};
use memchr::memmem::Finder;
use std::ops::Range;

type Compiled = Result<(Expression, Type), QueryError>;

/// What names mean at one place of a query.
pub(super) trait Names {
    /// The value of a name.
    fn name(&mut self, name: &Name) -> Compiled;

    /// The value of what is written as a call, if there is a column of that name.
    fn column(&self, text: &str) -> Option<(Expression, Type)>;

    /// A text of the query. Returns its place among all.
    fn literal(&mut self, text: &[u8]) -> usize;

    /// What all regular expressions of the query need.
    fn memory(&mut self) -> &mut Memory;
}

/// Compiles an expression.
pub(super) fn expression(source: &syntax::Expression, names: &mut dyn Names) -> Compiled {
    let span = &source.span;
    match &source.kind {
        ExpressionKind::Name(name) => names.name(name),
        ExpressionKind::Number(number) => Ok((Expression::Number(*number), Type::Number)),
        ExpressionKind::Text(text) => Ok((Expression::Literal(names.literal(text)), Type::Text)),
        ExpressionKind::Truth(truth) => Ok((Expression::Truth(*truth), Type::Truth)),
        ExpressionKind::Not(value) => {
            let value = condition(value, names)?;
            Ok((Expression::Not(Box::new(value)), Type::Truth))
        }
        ExpressionKind::Minus(value) => {
            let value = number(value, names)?;
            Ok((Expression::Minus(Box::new(value)), Type::Number))
        }
        ExpressionKind::Binary(operator, left, right) => binary(*operator, left, right, names),
        ExpressionKind::Matches { value, regex, span } => {
            let (value, _) = expression(value, names)?;
            let regex = compile(regex, names.memory());
            let regex = regex.map_err(|message| QueryError::new(message, span.clone()))?;
            Ok((Expression::Matches(Box::new(value), Box::new(regex)), Type::Truth))
        }
        ExpressionKind::In(value, list) => {
            if list.is_empty() {
                return Err(QueryError::new("this list is empty", span.clone()));
            }
            let mut items = Vec::new();
            for item in list {
                comparable(Operator::Equal, value, item)?;
                items.push(expression(item, names)?.0);
            }
            let (value, _) = expression(value, names)?;
            Ok((Expression::In(Box::new(value), items), Type::Truth))
        }
        ExpressionKind::Call { function, arguments, text } => {
            if let Some(column) = names.column(text) {
                return Ok(column);
            }
            call(function, arguments, span, names)
        }
    }
}

/// Compiles what must be true or false.
pub(super) fn condition(
    source: &syntax::Expression,
    names: &mut dyn Names,
) -> Result<Expression, QueryError> {
    let (compiled, kind) = expression(source, names)?;
    if matches!(kind, Type::Truth | Type::Field) {
        return Ok(compiled);
    }
    let message = "a condition is expected, such as `status >= 500` or `has(rt)`";
    Err(QueryError::new(message, source.span.clone()))
}

/// Compiles what must be a number.
fn number(source: &syntax::Expression, names: &mut dyn Names) -> Result<Expression, QueryError> {
    let (compiled, kind) = expression(source, names)?;
    let is_literal = matches!(source.kind, ExpressionKind::Text(_));
    if kind == Type::Truth || is_literal {
        return Err(QueryError::new("a number is expected here", source.span.clone()));
    }
    Ok(compiled)
}

fn binary(
    operator: Operator,
    left: &syntax::Expression,
    right: &syntax::Expression,
    names: &mut dyn Names,
) -> Compiled {
    let (left, right, kind) = match operator {
        Operator::Or | Operator::And => {
            (condition(left, names)?, condition(right, names)?, Type::Truth)
        }
        Operator::Plus
        | Operator::Minus
        | Operator::Times
        | Operator::Divide
        | Operator::Remainder => (number(left, names)?, number(right, names)?, Type::Number),
        Operator::Contains => {
            if let ExpressionKind::Text(text) = &right.kind {
                let (left, _) = expression(left, names)?;
                let finder = Box::new(Finder::new(text).into_owned());
                return Ok((Expression::Contains(Box::new(left), finder), Type::Truth));
            }
            (expression(left, names)?.0, expression(right, names)?.0, Type::Truth)
        }
        _ => {
            comparable(operator, left, right)?;
            (expression(left, names)?.0, expression(right, names)?.0, Type::Truth)
        }
    };
    Ok((Expression::Binary(operator, Box::new(left), Box::new(right)), kind))
}

/// Refuses comparisons that cannot be meant: of numbers that are written as texts.
fn comparable(
    operator: Operator,
    left: &syntax::Expression,
    right: &syntax::Expression,
) -> Result<(), QueryError> {
    let ordering = matches!(
        operator,
        Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual
    );
    for (one, other) in [(left, right), (right, left)] {
        let ExpressionKind::Text(text) = &one.kind else { continue };
        let says_number = crate::decimal::Decimal::parse(text).is_some();
        let other_is_number = matches!(other.kind, ExpressionKind::Number(_));
        if says_number && (ordering || other_is_number) {
            let message = "this is a text; without quotes it is compared as a number";
            return Err(QueryError::new(message, one.span.clone()));
        }
        if other_is_number && !matches!(operator, Operator::StartsWith | Operator::EndsWith) {
            let message = "this text is never equal to a number";
            return Err(QueryError::new(message, one.span.clone()));
        }
    }
    Ok(())
}

fn call(
    name: &Name,
    arguments: &[syntax::Expression],
    span: &Range<usize>,
    names: &mut dyn Names,
) -> Compiled {
    let known = Function::ALL.iter().find(|(known, ..)| *known == name.text);
    let Some((_, function, takes, kind)) = known else {
        return Err(unknown_function(name, span));
    };
    if !takes.contains(&arguments.len()) {
        let message = format!("`{}` takes {}", name.text, count(takes));
        return Err(QueryError::new(message, span.clone()));
    }
    let mut compiled = Vec::new();
    for (at, argument) in arguments.iter().enumerate() {
        compiled.push(match function {
            Function::If if at == 0 => condition(argument, names)?,
            Function::Floor | Function::Round => number(argument, names)?,
            _ => expression(argument, names)?.0,
        });
    }
    Ok((Expression::Call(*function, compiled), *kind))
}

fn count(takes: &std::ops::RangeInclusive<usize>) -> String {
    match (*takes.start(), *takes.end()) {
        (1, 1) => "one value".to_owned(),
        (least, most) if least == most => format!("{least} values"),
        (least, most) => format!("{least} to {most} values"),
    }
}

fn unknown_function(name: &Name, span: &Range<usize>) -> QueryError {
    let aggregates = ["count", "sum", "min", "max", "avg", "distinct"];
    let digits = name.text.strip_prefix('p').unwrap_or_default();
    let is_percentile = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if aggregates.contains(&name.text.as_str()) || is_percentile {
        let message = "an aggregate is a stage of its own; behind it, its figures are columns, and \
                       this is none of them";
        return QueryError::new(message, span.clone());
    }
    let known = Function::ALL.iter().map(|(known, ..)| *known);
    let rest = suggestion(&name.text, known.clone()).map_or_else(
        || format!(": there are {}", known.collect::<Vec<_>>().join(", ")),
        |near| format!("; did you mean `{near}`?"),
    );
    QueryError::new(format!("`{}` is no function{rest}", name.text), name.span.clone())
}
