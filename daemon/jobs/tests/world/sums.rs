//! The sums of the simulated jobs: a count and a total for each key. They do with integers what
//! `memberd_streams` does, in little time; with floats they are a mutant.

use super::lines::Line;
use memberd_jobs::{JobSpec, Name, OrderStep, SumRow, Sums, SumsError, WindowTimes, ordered};
use std::collections::BTreeMap;

/// What a key has. The total is in tenths; a mutant adds them as floats.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Group {
    pub count: u64,
    pub tenths: i64,
    pub float: f64,
}

impl Group {
    pub fn add(&mut self, other: Group) {
        self.count += other.count;
        self.tenths += other.tenths;
        self.float += other.float;
    }

    pub fn of(line: &Line) -> Group {
        Group { count: 1, tenths: line.tenths, float: line.tenths as f64 * 0.1 }
    }
}

pub type Groups = BTreeMap<u8, Group>;

/// The rows of a window that its list has.
pub const TOP: usize = 3;

/// What orders the rows of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Nothing,
    /// The first rows by total.
    Top,
    /// The same, in the order of their counts.
    TopByCount,
}

/// How a job sums.
#[derive(Debug, Clone, Copy)]
pub struct Counting {
    pub order: Order,
    pub floats: bool,
    /// The most groups of a window.
    pub most: usize,
}

const SIZE: usize = 17;

impl Counting {
    pub fn make(spec: &JobSpec) -> Option<Counting> {
        let most = if spec.query == "limited" { 3 } else { usize::MAX };
        let order = match spec.query.as_str() {
            "top" => Order::Top,
            "top by count" => Order::TopByCount,
            _ => Order::Nothing,
        };
        Some(Counting { order, floats: spec.query == "floats", most })
    }

    /// The rows of all partitions that a window's list has, with plain means.
    pub fn listed(self, groups: &Groups) -> Vec<(u8, Group)> {
        let mut listed: Vec<(u8, Group)> = groups.iter().map(|(key, it)| (*key, *it)).collect();
        listed.sort_by_key(|(key, group)| (-group.tenths, *key));
        listed.truncate(TOP);
        if self.order == Order::TopByCount {
            listed.sort_by_key(|(_, group)| group.count);
        }
        listed
    }

    /// A partition's rows of a window.
    pub fn rows_of(self, groups: &Groups) -> Vec<SumRow> {
        let rows = groups.iter().map(|(key, group)| self.row(*key, *group)).collect();
        match self.steps().first() {
            Some(first) => ordered(&[*first], rows),
            None => rows,
        }
    }

    pub fn encode(self, groups: &Groups) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, group) in groups {
            bytes.push(*key);
            bytes.extend_from_slice(&group.count.to_le_bytes());
            let total = if self.floats { group.float.to_bits() } else { group.tenths as u64 };
            bytes.extend_from_slice(&total.to_le_bytes());
        }
        bytes
    }

    pub fn decode(self, bytes: &[u8]) -> Groups {
        let group = |bytes: &[u8]| {
            let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
            let (count, total) = (number(1), number(9));
            let group = match self.floats {
                true => Group { count, float: f64::from_bits(total), tenths: 0 },
                false => Group { count, tenths: total as i64, float: 0.0 },
            };
            (bytes[0], group)
        };
        bytes.chunks_exact(SIZE).map(group).collect()
    }

    pub fn row(self, key: u8, group: Group) -> SumRow {
        let Group { count, tenths, float } = group;
        let values = match self.floats {
            true => format!("{count}\t{float:?}"),
            false => format!("{count}\t{}.{}", tenths / 10, tenths % 10),
        };
        let falling = u64::MAX - u64::try_from(tenths).unwrap();
        let mut ranks = vec![vec![key], falling.to_be_bytes().to_vec()];
        match self.order {
            Order::Nothing => ranks.clear(),
            Order::Top => {}
            Order::TopByCount => ranks.push(count.to_be_bytes().to_vec()),
        }
        SumRow { key: format!("k{key}").into_bytes(), values: values.into_bytes(), ranks }
    }
}

impl Sums for Counting {
    type Table = Groups;

    fn empty(&self) -> Groups {
        Groups::new()
    }

    fn check(&self, _: &Name, _: i64, sums: &[u8]) -> Result<(), SumsError> {
        match sums.len() % SIZE {
            0 => Ok(()),
            _ => Err(SumsError::Malformed("cut off".to_owned())),
        }
    }

    fn add(&self, table: &mut Groups, sums: &[u8]) -> Result<(), SumsError> {
        for (key, group) in self.decode(sums) {
            table.entry(key).or_default().add(group);
        }
        Ok(())
    }

    fn bytes(&self, table: &Groups) -> Vec<Vec<u8>> {
        vec![self.encode(table)]
    }

    fn steps(&self) -> Vec<OrderStep> {
        match self.order {
            Order::Nothing => Vec::new(),
            Order::Top => vec![OrderStep::Top(TOP)],
            Order::TopByCount => vec![OrderStep::Top(TOP), OrderStep::Sort],
        }
    }

    fn rows(&self, _: i64, tables: &[&Groups]) -> Result<Vec<SumRow>, SumsError> {
        let mut table = Groups::new();
        tables.iter().for_each(|pane| add_all(&mut table, pane));
        if table.len() > self.most {
            return Err(SumsError::Full(format!("more than {} groups", self.most)));
        }
        Ok(self.rows_of(&table))
    }

    fn weight(&self, table: &Groups) -> usize {
        table.len() * 32
    }
}

pub fn add_all(sums: &mut Groups, added: &Groups) {
    for (key, group) in added {
        sums.entry(*key).or_default().add(*group);
    }
}

/// The windows with the lines of a pane, by plain means.
pub fn windows_of(times: WindowTimes, pane: i64) -> impl Iterator<Item = i64> {
    let first = pane - times.over_ms + times.every_ms;
    (first..=pane).step_by(times.every_ms as usize)
}
