//! Orders members' names for people. It owns no state.

use std::cmp::Ordering;

/// Compares names with their numbers by value: `vm2` before `vm10`. Leading zeros decide last.
pub fn natural(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one, other);
    while !left.is_empty() && !right.is_empty() {
        let ((left_run, left_rest), (right_run, right_rest)) = (run(left), run(right));
        let order = match (number(left_run), number(right_run)) {
            (Some(left), Some(right)) => left.len().cmp(&right.len()).then_with(|| left.cmp(right)),
            _ => left_run.cmp(right_run),
        };
        if order.is_ne() {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    left.len().cmp(&right.len()).then_with(|| one.cmp(other))
}

/// The first run of digits or of other characters, and the rest.
fn run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|first: char| first.is_ascii_digit());
    let end =
        text.find(|character: char| character.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

/// A run of digits without its leading zeros.
fn number(run: &str) -> Option<&str> {
    run.starts_with(|first: char| first.is_ascii_digit()).then(|| run.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::natural;

    #[test]
    fn numbers_in_names_are_compared_by_value() {
        let ordered = [
            "1", "9a", "010", "db", "db-2", "db-10", "vm", "vm01", "vm1", "vm2", "vm10", "vm10b2",
            "vm10b11", "wm",
        ];
        let mut shuffled = ordered;
        shuffled.reverse();
        shuffled.sort_by(|one, other| natural(one, other));
        assert_eq!(shuffled, ordered);
        let longer = ["x99999999999999999999999998", "x99999999999999999999999999"];
        assert!(natural(longer[0], longer[1]).is_lt());
    }
}
