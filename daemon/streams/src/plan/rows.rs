//! The stages behind the aggregate: which columns rows have.

use super::After;
use super::compile::{Names, condition, expression};
use crate::error::QueryError;
use crate::expression::{Expression, Type};
use crate::rows::{Column, ColumnKind};
use crate::scan::Memory;
use crate::syntax::{Name, Stage, StageKind, suggestion};
use std::ops::Range;

/// A column, and where its values are in a row.
#[derive(Debug)]
pub(super) struct RowName {
    pub(super) column: Column,
    pub(super) kind: Type,
    pub(super) slot: usize,
}

/// What is compiled so far.
#[derive(Debug, Default)]
pub(super) struct RowStages {
    pub(super) after: Vec<After>,
    pub(super) slots: usize,
    /// The columns that are there now, in their order.
    pub(super) names: Vec<RowName>,
}

impl RowStages {
    /// Adds a column with a slot of its own.
    pub(super) fn add(&mut self, mut name: RowName, span: &Range<usize>) -> Result<(), QueryError> {
        if self.names.iter().any(|other| other.column.name == name.column.name) {
            let name = &name.column.name;
            let message = format!("two columns are called `{name}`; call one of them otherwise");
            return Err(QueryError::new(message, span.clone()));
        }
        name.slot = self.slots;
        self.slots += 1;
        self.names.push(name);
        Ok(())
    }

    /// Compiles a stage.
    pub(super) fn stage(
        &mut self,
        stage: &Stage,
        literals: &mut Vec<Vec<u8>>,
        memory: &mut Memory,
    ) -> Result<(), QueryError> {
        let mut columns = Columns { names: &self.names, literals, memory };
        let after = match &stage.kind {
            StageKind::Where(source) => After::Where(condition(source, &mut columns)?),
            StageKind::Let { name, value } => {
                let (value, kind) = expression(value, &mut columns)?;
                let column = Column { name: name.text.clone(), kind: ColumnKind::Figure };
                let slot = self.slots;
                self.add(RowName { column, kind, slot }, &name.span)?;
                After::Let(slot, value)
            }
            StageKind::Sort(keys) => {
                let mut sorted = Vec::new();
                for key in keys {
                    sorted.push((expression(&key.value, &mut columns)?.0, key.descending));
                }
                After::Sort(sorted)
            }
            StageKind::Top { rows, by } => {
                let mut values = Vec::new();
                for value in by {
                    values.push(expression(value, &mut columns)?.0);
                }
                After::Top(*rows, values)
            }
            StageKind::Keep(names) => return self.keep(names),
            StageKind::Aggregate(_) => {
                let message = "a query has one aggregate; write several figures with commas, as \
                               in `count, p99(rt) by member`";
                return Err(QueryError::new(message, stage.span.clone()));
            }
            StageKind::Read { .. } => {
                let message = "this reads lines: put it before the aggregate";
                return Err(QueryError::new(message, stage.span.clone()));
            }
        };
        self.after.push(after);
        Ok(())
    }

    /// Chooses columns, in this order.
    fn keep(&mut self, names: &[Name]) -> Result<(), QueryError> {
        let mut kept: Vec<RowName> = Vec::new();
        for name in names {
            let found = self.names.iter().position(|known| known.column.name == name.text);
            match found {
                Some(at) => kept.push(self.names.remove(at)),
                None if kept.iter().any(|other| other.column.name == name.text) => {
                    let message = format!("`{}` is there twice", name.text);
                    return Err(QueryError::new(message, name.span.clone()));
                }
                None => return Err(unknown(name, &self.names)),
            }
        }
        self.names = kept;
        Ok(())
    }
}

/// Names of columns.
struct Columns<'a> {
    names: &'a [RowName],
    literals: &'a mut Vec<Vec<u8>>,
    memory: &'a mut Memory,
}

fn unknown(name: &Name, names: &[RowName]) -> QueryError {
    let known = names.iter().map(|known| known.column.name.as_str());
    let rest = suggestion(&name.text, known.clone()).map_or_else(
        || format!(": there are {}", known.collect::<Vec<_>>().join(", ")),
        |near| format!("; did you mean `{near}`?"),
    );
    QueryError::new(format!("there is no column `{}` here{rest}", name.text), name.span.clone())
}

impl Names for Columns<'_> {
    fn name(&mut self, name: &Name) -> Result<(Expression, Type), QueryError> {
        self.column(&name.text).ok_or_else(|| unknown(name, self.names))
    }

    fn column(&self, text: &str) -> Option<(Expression, Type)> {
        let found = self.names.iter().find(|known| known.column.name == text);
        found.map(|known| (Expression::Slot(known.slot), known.kind))
    }

    fn literal(&mut self, text: &[u8]) -> usize {
        self.literals.push(text.to_vec());
        self.literals.len() - 1
    }

    fn memory(&mut self) -> &mut Memory {
        self.memory
    }
}
