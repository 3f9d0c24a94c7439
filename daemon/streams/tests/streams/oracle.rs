//! A naive reading of the same questions, in the plainest way: it shares no code with the crate.

use std::collections::{BTreeMap, BTreeSet};

/// A line that a test has drawn.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    pub(crate) member: String,
    /// In milliseconds.
    pub(crate) time: i64,
    pub(crate) key: Option<Vec<u8>>,
    /// In thousandths.
    pub(crate) value: Option<i32>,
}

impl Drawn {
    /// As logfmt.
    pub(crate) fn line(&self) -> Vec<u8> {
        let mut line = format!("{} there=1", self.time).into_bytes();
        if let Some(key) = &self.key {
            line.extend_from_slice(b" k=");
            line.extend_from_slice(key);
        }
        if let Some(value) = self.value {
            let sign = if value < 0 { "-" } else { "" };
            let value = value.unsigned_abs();
            line.extend_from_slice(
                format!(" v={sign}{}.{:03}", value / 1000, value % 1000).as_bytes(),
            );
        }
        line
    }
}

#[derive(Default)]
struct Sums {
    count: u64,
    sum: i64,
    values: Vec<i32>,
    different: BTreeSet<i32>,
}

/// A row: when its window begins, member, key; count, sum in thousandths, least, most, how many
/// different values, and all values in order.
pub(crate) type Expected =
    ((i64, String, Option<Vec<u8>>), (u64, i64, Option<i32>, Option<i32>, usize, Vec<i32>));

/// Groups by window, member and key. Windows begin every `every` and take `over` milliseconds.
pub(crate) fn expected(lines: &[Drawn], every: i64, over: i64) -> Vec<Expected> {
    let mut groups: BTreeMap<(i64, String, Option<Vec<u8>>), Sums> = BTreeMap::new();
    for line in lines {
        let mut start = line.time.div_euclid(every) * every;
        while start + over > line.time {
            let key = (start, line.member.clone(), line.key.clone());
            let sums = groups.entry(key).or_default();
            sums.count += 1;
            if let Some(value) = line.value {
                sums.sum += i64::from(value);
                sums.values.push(value);
                sums.different.insert(value);
            }
            start -= every;
        }
    }
    let row = |(key, mut sums): (_, Sums)| {
        sums.values.sort_unstable();
        let (least, most) = (sums.values.first().copied(), sums.values.last().copied());
        (key, (sums.count, sums.sum, least, most, sums.different.len(), sums.values))
    };
    groups.into_iter().map(row).collect()
}
