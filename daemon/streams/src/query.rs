//! The text of a query, parsed.

use super::error::QueryError;

/// A query: a pattern, then stages.
#[derive(Debug, Clone)]
pub struct Query {
    pattern: Option<String>,
}

impl Query {
    /// Reads a query: grep's pattern, bare or in quotes, then `| stage` once or more often.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let (pattern, _) = text
            .split_once('|')
            .ok_or_else(|| QueryError::new("a query needs `| count`", text.len()..text.len()))?;
        let pattern = pattern.trim();
        Ok(Self { pattern: (!pattern.is_empty()).then(|| pattern.to_owned()) })
    }

    /// The pattern by which grep finds the lines. None if all lines are meant.
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }
}
