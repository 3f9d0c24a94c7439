//! Rows that are merged with those of other tables, and then chosen and ordered: each has beside it
//! what orders it, as bytes that compare as the values do.

use super::{OrderKey, Report};
use crate::decimal::{Decimal, power_of_ten};
use crate::expression::Expression;
use crate::plan::After;
use crate::rows::RankedRow;

/// The most digits behind the point of a number.
const SCALE: u8 = 18;

impl Report<'_> {
    /// The rows that the first `top` leaves of these, or all without one; and what orders them at
    /// each stage that does. A stage that removes rows otherwise may stand before the first `top`.
    pub(crate) fn ranked(mut self) -> Vec<RankedRow> {
        let after = self.plan.after();
        let top = after.iter().position(|stage| matches!(stage, After::Top(..)));
        let (first, rest) = after.split_at(top.map_or(0, |top| top + 1));
        self.order();
        first.iter().for_each(|stage| self.apply(stage));
        let lets = rest.iter().filter(|stage| matches!(stage, After::Let(..)));
        lets.for_each(|stage| self.apply(stage));
        let mut ranks = self.natural_ranks();
        for stage in after {
            let by: Vec<(&Expression, bool)> = match stage {
                After::Sort(keys) => keys.iter().map(|(key, falls)| (key, *falls)).collect(),
                After::Top(_, by) => by.iter().map(|value| (value, true)).collect(),
                After::Where(_) | After::Let(..) => continue,
            };
            self.add_ranks(&by, &mut ranks);
        }
        let rows = self.visible().into_iter().zip(ranks);
        rows.map(|(row, ranks)| RankedRow { row, ranks }).collect()
    }

    /// What orders rows that no stage has ordered: their keys.
    fn natural_ranks(&self) -> Vec<Vec<Vec<u8>>> {
        let windows = usize::from(self.plan.every().is_some());
        let keys = windows..self.key_columns();
        let rank = |values: &[crate::rows::Value]| {
            let mut rank = Vec::new();
            values.iter().for_each(|value| OrderKey::of(value).push(&mut rank, false));
            vec![rank]
        };
        self.rows.iter().map(|row| rank(&row.values[keys.clone()])).collect()
    }

    /// Adds to each row what orders it by these, each with whether it descends.
    fn add_ranks(&mut self, by: &[(&Expression, bool)], ranks: &mut [Vec<Vec<u8>>]) {
        let values: Vec<&Expression> = by.iter().map(|(value, _)| *value).collect();
        let all = self.order_keys(&values);
        for (keys, ranks) in all.chunks(by.len().max(1)).zip(ranks) {
            let mut rank = Vec::new();
            let keys = keys.iter().zip(by);
            keys.for_each(|(key, (_, descends))| key.push(&mut rank, *descends));
            ranks.push(rank);
        }
    }
}

impl OrderKey<'_> {
    /// Bytes that compare as the keys do; or the other way round, if they descend. No key's bytes
    /// begin with those of another one, so more may follow.
    fn push(&self, bytes: &mut Vec<u8>, descends: bool) {
        let begin = bytes.len();
        match self {
            Self::Missing => bytes.push(0),
            Self::Number(number, text) => {
                bytes.push(1);
                push_number(bytes, *number);
                push_text(bytes, text);
            }
            Self::Text(text) => {
                bytes.push(2);
                push_text(bytes, text);
            }
        }
        if descends {
            bytes[begin..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
}

/// A zero is followed by a 255, and the end by another zero.
fn push_text(bytes: &mut Vec<u8>, text: &[u8]) {
    for byte in text {
        bytes.push(*byte);
        if *byte == 0 {
            bytes.push(255);
        }
    }
    bytes.extend_from_slice(&[0, 0]);
}

/// How many bytes the part before the point has, these bytes, and the part behind the point.
fn push_number(bytes: &mut Vec<u8>, number: Decimal) {
    let (mantissa, scale) = number.parts();
    let unit = power_of_ten(scale);
    let (whole, fraction) = (mantissa.div_euclid(unit), mantissa.rem_euclid(unit));
    // Numbers below zero are as those above it, the other way round.
    let (magnitude, is_negative) = if whole < 0 { (!whole, true) } else { (whole, false) };
    let begin = bytes.len();
    let zeros = magnitude.leading_zeros() / 8;
    let significant = magnitude.to_be_bytes().into_iter().skip(zeros as usize);
    bytes.push(128 + u8::try_from(16 - zeros).unwrap_or_default());
    bytes.extend(significant);
    if is_negative {
        bytes[begin..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    let fraction = fraction * power_of_ten(SCALE.saturating_sub(scale));
    match u64::try_from(fraction).unwrap_or(u64::MAX) {
        0 => bytes.push(0),
        some => {
            bytes.push(1);
            bytes.extend_from_slice(&some.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::Value;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let number =
            |(mantissa, scale): (i128, u8)| Value::Number(Decimal::unbounded(mantissa, scale));
        prop_oneof![
            Just(Value::Missing),
            "[0-9.a\\x00\u{ff}-]{0,4}".prop_map(|text| Value::Text(text.into_bytes())),
            (-2_000_i128..2_000, 0_u8..3).prop_map(number),
            (-10_i128.pow(37)..10_i128.pow(37), 0_u8..19).prop_map(number),
            any::<u64>().prop_map(Value::Estimate),
            any::<i64>().prop_map(Value::Time),
        ]
    }

    fn bytes(values: &[Value], descends: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        values.iter().for_each(|value| OrderKey::of(value).push(&mut bytes, descends));
        bytes
    }

    proptest! {
        /// Bytes are in the order of values, also if several follow each other.
        #[test]
        fn bytes_compare_as_the_values_do(
            one in proptest::collection::vec(value(), 2),
            other in proptest::collection::vec(value(), 2),
        ) {
            let keys = |values: &'_ [Value]| -> Vec<OrderKey<'static>> {
                values.iter().map(|value| OrderKey::of(value).owned()).collect()
            };
            let order = keys(&one).cmp(&keys(&other));
            prop_assert_eq!(bytes(&one, false).cmp(&bytes(&other, false)), order);
            prop_assert_eq!(bytes(&one, true).cmp(&bytes(&other, true)), order.reverse());
        }
    }
}
