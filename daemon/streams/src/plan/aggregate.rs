//! The aggregate: keys, states and figures.

use super::compile::{Names, expression};
use super::lines::Lines;
use super::rows::{RowName, RowStages};
use super::{After, Figure, Grouping, MAX_FIGURES, MAX_KEYS, StatePlan};
use crate::aggregate::StateKind;
use crate::error::QueryError;
use crate::expression::{Expression, Type};
use crate::rows::{Column, ColumnKind};
use crate::syntax::{self, ExpressionKind, Function, Name};
use std::ops::Range;

/// What the column of windows is called.
const WINDOW: &str = "window";

type Grouped = Result<(Grouping, RowStages), QueryError>;

/// A state that several figures may share.
struct Shared {
    kind: StateKind,
    /// The argument as it was written, without spaces.
    argument: String,
}

impl Lines {
    /// `top 10 by path` right behind lines: the values that most lines have.
    pub(super) fn top(
        &mut self,
        rows: usize,
        by: &[syntax::Expression],
        span: &Range<usize>,
    ) -> Grouped {
        let name = |source: &syntax::Expression| match &source.kind {
            ExpressionKind::Name(name) => Ok(name.clone()),
            _ => {
                let message = "a field is expected here: `top 10 by path` counts the lines of each \
                               path; behind an aggregate, `top` takes figures";
                Err(QueryError::new(message, source.span.clone()))
            }
        };
        let by = by.iter().map(name).collect::<Result<_, _>>()?;
        let count = syntax::Figure {
            function: Function::Count,
            argument: None,
            argument_text: String::new(),
            name: "count".to_owned(),
            span: span.clone(),
        };
        let aggregate = syntax::Aggregate { figures: vec![count], by, windows: None };
        let (grouping, mut stages) = self.aggregate(&aggregate, span)?;
        let counts = grouping.keys.len();
        stages.after.push(After::Top(rows, vec![Expression::Slot(counts)]));
        Ok((grouping, stages))
    }

    /// Compiles an aggregate, and says which columns its rows have.
    pub(super) fn aggregate(
        &mut self,
        aggregate: &syntax::Aggregate,
        span: &Range<usize>,
    ) -> Grouped {
        let mut grouping = Grouping { windows: aggregate.windows, ..Grouping::default() };
        let mut rows = RowStages::default();
        if aggregate.windows.is_some() {
            rows.add(row_name(WINDOW, ColumnKind::Window, Type::Time), span)?;
        }
        self.keys(&aggregate.by, &mut grouping, &mut rows)?;
        if let Some(figure) = aggregate.figures.get(MAX_FIGURES) {
            let message = format!("an aggregate has at most {MAX_FIGURES} figures");
            return Err(QueryError::new(message, figure.span.clone()));
        }
        let mut shared: Vec<Shared> = Vec::new();
        for figure in &aggregate.figures {
            let kind = self.figure(figure, &mut grouping, &mut shared)?;
            rows.add(row_name(&figure.name, ColumnKind::Figure, kind), &figure.span)?;
        }
        grouping.kinds = grouping.states.iter().map(|state| state.kind).collect();
        Ok((grouping, rows))
    }

    fn keys(
        &mut self,
        by: &[Name],
        grouping: &mut Grouping,
        rows: &mut RowStages,
    ) -> Result<(), QueryError> {
        if let Some(name) = by.get(MAX_KEYS) {
            let message = format!("lines are grouped by at most {MAX_KEYS} fields");
            return Err(QueryError::new(message, name.span.clone()));
        }
        for name in by {
            let (key, kind) = self.name(name)?;
            grouping.keys.push(key);
            rows.add(row_name(&name.text, ColumnKind::Key, kind), &name.span)?;
        }
        Ok(())
    }

    /// Adds a figure, and its state unless another figure has the same. Returns its type.
    fn figure(
        &mut self,
        figure: &syntax::Figure,
        grouping: &mut Grouping,
        shared: &mut Vec<Shared>,
    ) -> Result<Type, QueryError> {
        let kind = match figure.function {
            Function::Count => StateKind::Count,
            Function::Sum | Function::Average => StateKind::Sum,
            Function::Min => StateKind::Least,
            Function::Max => StateKind::Most,
            Function::Percentile(_) => StateKind::Sketch,
            Function::Distinct => StateKind::Distinct,
        };
        let (argument, of) = match &figure.argument {
            None => (None, Type::Number),
            Some(source) => {
                let (argument, of) = expression(source, self)?;
                if of == Type::Truth && figure.function != Function::Distinct {
                    let message = "a number is expected here; to count lines, put `where` before";
                    return Err(QueryError::new(message, source.span.clone()));
                }
                (Some(argument), of)
            }
        };
        let text = figure.argument_text.clone();
        let found = shared.iter().position(|shared| shared.kind == kind && shared.argument == text);
        let state = found.unwrap_or_else(|| {
            shared.push(Shared { kind, argument: text });
            grouping.states.push(StatePlan { kind, argument });
            grouping.states.len() - 1
        });
        let is_extreme = matches!(figure.function, Function::Min | Function::Max);
        let is_time = is_extreme && of == Type::Time;
        grouping.figures.push(Figure { state, function: figure.function, is_time });
        Ok(if is_time { Type::Time } else { Type::Number })
    }
}

fn row_name(name: &str, kind: ColumnKind, of: Type) -> RowName {
    RowName { column: Column { name: name.to_owned(), kind }, kind: of, slot: 0 }
}
