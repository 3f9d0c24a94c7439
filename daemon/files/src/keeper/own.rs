//! What a keeper has itself: its log, its catalog and the image, in memory and on disk.

use crate::catalog::{Ballot, Catalog, Entry, ImageError, Position};
use crate::keeper::event::{Output, Reply};
use crate::keeper::log::Log;
use crate::keeper::record::{ImageAt, Record};
use crate::keeper::{Keeper, Role};
use std::sync::Arc;

/// The entries that stay in memory behind an image, for keepers that come back.
const KEPT_ENTRIES: u64 = 1024;

impl Keeper {
    /// Takes over image and log. Of the log only what follows the image, or the mark's begin.
    pub(super) fn load(
        &mut self,
        image: Option<ImageAt>,
        entries: Vec<Arc<Entry>>,
    ) -> Result<(), ImageError> {
        let level = self.mark.level != Ballot::NONE;
        let image = image.filter(|image| level && image.at.index >= self.mark.before.index);
        let before = image.as_ref().map_or(self.mark.before, |image| image.at);
        self.log = Log::after(before);
        if let Some(image) = image {
            self.catalog = Some(Catalog::from_image(&self.share, &image.bytes)?);
            (self.image, self.image_bytes) = (image.at, image.bytes.len());
        } else if level && self.mark.before == Position::START {
            self.catalog = Some(Catalog::new(self.share.clone()));
        }
        self.committed = before.index;
        if !level && !entries.is_empty() {
            // A crash came while they went.
            self.disk.write(Record::Cut(0));
        }
        for entry in entries {
            if level && entry.position.index == self.log.end().index + 1 {
                self.log_bytes += entry.mutation.weight();
                self.log.push(entry);
            }
        }
        self.disk.set_durable_end(self.log.end().index);
        Ok(())
    }

    /// Drops log and catalog. The log begins after this position.
    pub(super) fn restart_log(&mut self, before: Position) {
        self.disk.cut(0);
        self.log = Log::after(before);
        self.catalog = None;
        self.committed = before.index;
        (self.image, self.image_bytes, self.log_bytes) = (before, 0, 0);
        self.image_write = None;
    }

    /// Applies the log up to an index that all keepers have.
    pub(super) fn commit(&mut self, committed: u64) {
        self.committed = self.committed.max(committed.min(self.log.end().index));
        while let Some(catalog) = &mut self.catalog
            && catalog.applied().index < self.committed
            && let Some(entry) = self.log.get(catalog.applied().index + 1).cloned()
        {
            let answer = catalog.apply(&entry);
            if let Role::Primary(reign) = &mut self.role {
                let index = entry.position.index;
                for request in reign.take_waiting(entry.operation) {
                    let reply = Reply::Answer { answer, index };
                    self.outputs.push_back(Output::Reply { request, reply });
                }
            }
        }
        self.write_image();
    }

    /// Writes an image when the log has become long.
    fn write_image(&mut self) {
        let Some(catalog) = &self.catalog else { return };
        let long = self.log_bytes > self.settings.log_bytes.max(self.image_bytes);
        if !long || self.image_write.is_some() || catalog.applied() == self.image {
            return;
        }
        let image = ImageAt { at: catalog.applied(), bytes: Arc::new(catalog.to_image()) };
        (self.image, self.image_bytes) = (image.at, image.bytes.len());
        self.log_bytes = 0;
        self.disk.write(Record::Image(image));
        self.image_write = Some(self.disk.covering());
    }

    pub(super) fn on_image_written(&mut self) {
        if self.image_write.is_some_and(|write| self.disk.was_written(write)) {
            self.image_write = None;
            self.log.trim(self.image.index.saturating_sub(KEPT_ENTRIES));
        }
    }

    /// Adds entries to the own log, on disk too.
    pub(super) fn push(&mut self, entries: Vec<Arc<Entry>>) {
        for entry in &entries {
            self.log_bytes += entry.mutation.weight();
            self.log.push(entry.clone());
        }
        if !entries.is_empty() {
            self.disk.write(Record::Entries(entries));
        }
    }

    /// Ends the own log before an index, on disk too.
    pub(super) fn cut(&mut self, from: u64) {
        if self.log.end().index >= from {
            self.log.cut(from);
            self.disk.cut(from);
            self.disk.write(Record::Cut(from));
        }
    }

    /// Adds what follows in another log that all keepers are to have. What is the same stays; what
    /// contradicts it goes: nobody was told that it happened. False if the begin does not fit.
    pub(super) fn merge(&mut self, base: Position, entries: Vec<Arc<Entry>>) -> bool {
        let follow = entries.first().is_none_or(|first| first.position.index == base.index + 1);
        if !follow || !self.log.contains(base) {
            return false;
        }
        let same = |entry: &Arc<Entry>| self.log.contains(entry.position);
        let known = entries.iter().take_while(|entry| same(entry)).count();
        let new: Vec<Arc<Entry>> = entries.into_iter().skip(known).collect();
        if let Some(first) = new.first() {
            self.cut(first.position.index);
            self.push(new);
        }
        true
    }
}
