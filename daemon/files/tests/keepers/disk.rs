//! Simulates the disk of a keeper: records become durable in their order, after a while, and a
//! crash keeps the first of those that were not.

use memberd_files::{Ballot, Durable, Epoch, Position, Record};

#[derive(Default)]
pub struct Disk {
    durable: Durable,
    waiting: Vec<(u64, Vec<Record>)>,
}

impl Disk {
    pub fn begin(&mut self, id: u64, records: Vec<Record>) {
        self.waiting.push((id, records));
    }

    /// A write, and all before it, is durable. False if it is gone.
    pub fn finish(&mut self, id: u64) -> bool {
        let known = self.waiting.iter().any(|(write, _)| *write == id);
        while known && self.waiting.first().is_some_and(|(write, _)| *write <= id) {
            for record in self.waiting.remove(0).1 {
                self.apply(record);
            }
        }
        known
    }

    /// Power fails. Of the records that were not durable, so many are nevertheless.
    pub fn crash(&mut self, survive: usize) {
        let records =
            std::mem::take(&mut self.waiting).into_iter().flat_map(|(_, records)| records);
        for record in records.take(survive) {
            self.apply(record);
        }
    }

    pub fn waiting(&self) -> usize {
        self.waiting.iter().map(|(_, records)| records.len()).sum()
    }

    pub fn wipe(&mut self) {
        *self = Disk::default();
    }

    pub fn durable(&self) -> &Durable {
        &self.durable
    }

    fn apply(&mut self, record: Record) {
        let durable = &mut self.durable;
        match record {
            Record::Mark(mark) => durable.mark = Some(mark),
            Record::Entries(entries) => {
                if let (Some(last), Some(first)) = (durable.entries.last(), entries.first()) {
                    assert_eq!(last.position.index + 1, first.position.index, "a gap on disk");
                }
                durable.entries.extend(entries);
            }
            Record::Cut(from) => durable.entries.retain(|entry| entry.position.index < from),
            Record::Image(image) => {
                // Entries that are in it may go: some do, some do not.
                if image.at.index % 2 == 0 {
                    durable.entries.retain(|entry| entry.position.index > image.at.index);
                }
                durable.image = Some(image);
            }
            Record::Forget => *durable = Durable::default(),
        }
    }

    /// Whether it has the whole catalog, by a log that was level in this view or a later one.
    pub fn is_whole_since(&self, epoch: Epoch) -> bool {
        let mark = self.durable.mark.as_ref().filter(|mark| mark.level != Ballot::NONE);
        let mark = mark.filter(|mark| mark.level.epoch >= epoch);
        let image = self.durable.image.as_ref().map(|image| image.at.index);
        mark.is_some_and(|mark| {
            mark.before == Position::START || image.is_some_and(|at| at >= mark.before.index)
        })
    }

    /// Whether this very entry is on it, in the log or in the image.
    pub fn has(&self, position: Position) -> bool {
        let in_log = self.durable.entries.iter().any(|entry| entry.position == position);
        let image = self.durable.image.as_ref();
        in_log || image.is_some_and(|image| image.at.index >= position.index)
    }
}
