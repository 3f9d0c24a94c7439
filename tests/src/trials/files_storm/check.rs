//! Compares what the members have with what the clients of the storm wrote.

use super::appender::{Appender, Fate, Record};
use super::{APPENDED, Storm, WHOLE};
use crate::wait::{holds, stretched};
use crate::wait_until;
use std::collections::BTreeMap;

impl Storm {
    /// A file that never changes can be read whole at one of these members.
    pub(super) fn check_fixed(&mut self, at: &[usize]) {
        let number = at[self.chance.below(at.len())];
        for (file, content) in &self.fixed {
            let read = self.ctl(number, &["file", "cat", file]);
            assert_eq!(read.len(), content.len(), "{file} at vm{number}");
            assert!(read == *content, "{file} at vm{number} has other bytes");
            self.stored.reads += 1;
        }
    }

    /// Waits until all files have all their copies.
    pub(super) fn wait_until_whole(&mut self) {
        let up = self.others(&[]);
        let number = up[self.chance.below(up.len())];
        wait_until("all files have all copies", stretched(WHOLE), || {
            let output = self.fleet[number].ctl(&["file", "check"]);
            holds(output.status.success(), || format!("vm{number}: {output:?}"))
        });
    }

    /// There is each acknowledged record once and in the order of its machine, and of the others
    /// none twice.
    pub(super) fn check_records(&mut self) {
        for (file, path) in APPENDED.into_iter().enumerate() {
            let text = String::from_utf8(self.ctl(1, &["file", "cat", path])).expect("our records");
            assert!(text.is_empty() || text.ends_with('\n'), "{path} ends within a record");
            let mut places: BTreeMap<&str, usize> = BTreeMap::new();
            for (place, line) in text.lines().enumerate() {
                let first = places.insert(line, place);
                assert!(first.is_none(), "{path} has this twice: {}", short(line));
            }
            let mut known = 0;
            for appender in &self.appenders {
                let of_file = || appender.records().iter().filter(|record| record.file == file);
                let found = of_file().filter(|it| places.contains_key(it.line.as_str())).count();
                known += found;
                let mut last = None;
                for record in of_file().filter(|record| record.fate == Fate::Acknowledged) {
                    let place = places.get(record.line.as_str());
                    let place = place.unwrap_or_else(|| panic!("{path} lacks {}", told(record)));
                    assert!(last < Some(place), "{path} has too early {}", told(record));
                    last = Some(place);
                }
                let unsure = || of_file().filter(|record| record.fate == Fate::Unsure);
                let acknowledged = of_file().count() - unsure().count();
                self.stored.acknowledged += acknowledged;
                self.stored.unsure[0] += unsure().count();
                self.stored.unsure[1] += found - acknowledged;
            }
            assert_eq!(known, places.len(), "{path} has lines that nobody wrote");
        }
        let mut said: BTreeMap<&str, usize> = BTreeMap::new();
        for record in self.appenders.iter().flat_map(Appender::records) {
            if record.fate == Fate::Unsure {
                *said.entry(record.said.as_str()).or_default() += 1;
            }
        }
        said.iter().for_each(|(said, times)| println!("{times} times not acknowledged: {said}"));
    }
}

fn told(record: &Record) -> String {
    format!("{}: {}", short(&record.line), record.said)
}

fn short(line: &str) -> String {
    line.chars().take(40).collect()
}
