//! The rows of a window that stages order, such as `top 20 by count`: what a partition sends of
//! them, and how the lists of all partitions become one. Owns no state.
//!
//! Partitions have different keys, and ranks order all rows of a window. So the first rows of all
//! are among the first rows of each.

use crate::forms;
use crate::sums::{OrderStep, SumRow, SumsError};
use serde::{Deserialize, Serialize};

/// A row of a list.
#[derive(Debug, Serialize, Deserialize)]
struct Listed(
    #[serde(with = "forms::bytes")] Vec<u8>,
    #[serde(with = "forms::bytes")] Vec<u8>,
    #[serde(with = "forms::pieces")] Vec<Vec<u8>>,
);

/// The rows of a window in a partition as bytes.
#[must_use]
pub fn list_bytes(rows: Vec<SumRow>) -> Vec<u8> {
    let listed = |row: SumRow| Listed(row.key, row.values, row.ranks);
    let rows: Vec<Listed> = rows.into_iter().map(listed).collect();
    let mut bytes = Vec::new();
    let written = ciborium::into_writer(&rows, &mut bytes);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    bytes
}

/// The rows that [`list_bytes`] wrote, for a query with these steps.
///
/// # Errors
/// When they are none, or have other ranks.
pub fn list_rows(steps: &[OrderStep], bytes: &[u8]) -> Result<Vec<SumRow>, SumsError> {
    let rows: Vec<Listed> = ciborium::from_reader(bytes)
        .map_err(|error| SumsError::Malformed(format!("a list of rows: {error}")))?;
    let row = |Listed(key, values, ranks)| SumRow { key, values, ranks };
    let rows: Vec<SumRow> = rows.into_iter().map(row).collect();
    match rows.iter().all(|row| row.ranks.len() == steps.len() + 1) {
        true => Ok(rows),
        false => Err(SumsError::Malformed("a list of rows has other ranks".to_owned())),
    }
}

/// The rows that are left of these, in their order. Each has its ranks.
#[must_use]
pub fn ordered(steps: &[OrderStep], mut rows: Vec<SumRow>) -> Vec<SumRow> {
    let by = |rows: &mut Vec<SumRow>, at: usize| {
        rows.sort_by(|one, other| one.ranks.get(at).cmp(&other.ranks.get(at)));
    };
    by(&mut rows, 0);
    for (at, step) in steps.iter().enumerate() {
        by(&mut rows, at + 1);
        if let OrderStep::Top(most) = step {
            rows.truncate(*most);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [OrderStep; 2] = [OrderStep::Top(2), OrderStep::Sort];

    fn row(key: u8, first: u8, second: u8) -> SumRow {
        SumRow {
            key: vec![key],
            values: vec![1],
            ranks: vec![vec![key], vec![first], vec![second]],
        }
    }

    #[test]
    fn lists_of_partitions_become_that_of_all_rows() {
        let all = vec![row(9, 1, 0), row(7, 3, 0), row(5, 1, 0), row(3, 1, 4), row(1, 2, 0)];
        let expected = [row(5, 1, 0), row(3, 1, 4)];
        assert_eq!(ordered(&STEPS, all.clone()), expected);
        let (one, other) = all.split_at(2);
        let lists = [one, other].map(|rows| ordered(&STEPS[..1], rows.to_vec()));
        assert_eq!(ordered(&STEPS, lists.concat()), expected);
    }

    #[test]
    fn a_list_comes_back_and_others_are_refused() {
        let rows = vec![row(1, 0, 255), row(2, 3, 4)];
        let bytes = list_bytes(rows.clone());
        assert_eq!(list_rows(&STEPS, &bytes), Ok(rows));
        assert!(list_rows(&STEPS[..1], &bytes).is_err());
        for end in 0..bytes.len() {
            assert!(list_rows(&STEPS, &bytes[..end]).is_err());
        }
    }
}
