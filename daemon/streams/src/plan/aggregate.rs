//! The aggregate: keys, states and figures.

use super::compile::{Names, expression};
use super::lines::Lines;
use super::rows::{RowName, RowStages};
use super::{After, Figure, Grouping, Input, MAX_FIGURES, MAX_KEYS};
use crate::aggregate::StateKind;
use crate::error::QueryError;
use crate::expression::{Expression, Type};
use crate::rows::{Column, ColumnKind};
use crate::syntax::{self, ExpressionKind, Function, Name};
use std::ops::Range;

/// What the column of windows is called.
const WINDOW: &str = "window";

type Grouped = Result<(Grouping, RowStages), QueryError>;

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
        let mut grouping = Grouping { windows: aggregate.windows.clone(), ..Grouping::default() };
        let mut rows = RowStages::default();
        if aggregate.windows.is_some() {
            rows.add(row_name(WINDOW, ColumnKind::Window, Type::Time), span)?;
        }
        self.keys(&aggregate.by, &mut grouping, &mut rows)?;
        if let Some(figure) = aggregate.figures.get(MAX_FIGURES) {
            let message = format!("an aggregate has at most {MAX_FIGURES} figures");
            return Err(QueryError::new(message, figure.span.clone()));
        }
        let mut known = Vec::new();
        for figure in &aggregate.figures {
            let kind = self.figure(figure, &mut grouping, &mut known)?;
            rows.add(row_name(&figure.name, ColumnKind::Figure, kind), &figure.span)?;
        }
        if grouping.windows.is_some() {
            // Lines that come too late for their window are counted, whatever the figures are.
            grouping.state(StateKind::Count, None);
        }
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

    /// Adds a figure, and its state unless another figure has the same. `known` has the arguments
    /// of all inputs. Returns the figure's type.
    fn figure(
        &mut self,
        figure: &syntax::Figure,
        grouping: &mut Grouping,
        known: &mut Vec<String>,
    ) -> Result<Type, QueryError> {
        let kind = match figure.function {
            Function::Count => StateKind::Count,
            Function::Sum | Function::Average => StateKind::Sum,
            Function::Min => StateKind::Least,
            Function::Max => StateKind::Most,
            Function::Percentile(_) => StateKind::Sketch,
            Function::Distinct => StateKind::Distinct,
        };
        let mut of = Type::Number;
        let mut input = None;
        if let Some(source) = &figure.argument {
            let (value, its_type) = expression(source, self)?;
            if its_type == Type::Truth && kind != StateKind::Distinct {
                let message = "a number is expected here; to count lines, put `where` before";
                return Err(QueryError::new(message, source.span.clone()));
            }
            of = its_type;
            let found = known.iter().position(|text| *text == figure.argument_text);
            input = Some(found.unwrap_or_else(|| {
                known.push(figure.argument_text.clone());
                grouping.inputs.push(Input { value, numbers: Vec::new(), values: Vec::new() });
                grouping.inputs.len() - 1
            }));
        }
        let state = grouping.state(kind, input);
        let is_extreme = matches!(figure.function, Function::Min | Function::Max);
        let is_time = is_extreme && of == Type::Time;
        grouping.figures.push(Figure { state, function: figure.function, is_time });
        Ok(if is_time { Type::Time } else { Type::Number })
    }
}

impl Grouping {
    /// The state of this kind that sums this input, or counts lines.
    fn state(&mut self, kind: StateKind, input: Option<usize>) -> usize {
        let next = self.kinds.len();
        let states = match input.map(|input| &mut self.inputs[input]) {
            None => &mut self.counts,
            Some(input) if kind == StateKind::Distinct => &mut input.values,
            Some(input) => &mut input.numbers,
        };
        if let Some(found) = states.iter().find(|state| self.kinds[**state] == kind) {
            return *found;
        }
        states.push(next);
        self.kinds.push(kind);
        next
    }
}

fn row_name(name: &str, kind: ColumnKind, of: Type) -> RowName {
    RowName { column: Column { name: name.to_owned(), kind }, kind: of, slot: 0 }
}
