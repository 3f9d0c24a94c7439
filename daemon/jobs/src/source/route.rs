//! What a source knows of one partition: who owns it, and how far each file is there.

use crate::ids::{Epoch, FileKey};
use crate::message::{Cursors, CursorsKind, Delta, ToldCursor};
use crate::settings::Settings;
use memberd_membership::Name;
use std::collections::BTreeMap;

/// How far a partition is with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start: u64,
    /// What it has made durable; not even the file, if None.
    pub(crate) durable: Option<u64>,
    /// Which cursors were dropped when it was told so: see [`Cursors::dropped_at`].
    pub(crate) told_at: u64,
    /// Where the next delta begins.
    pub(crate) sent: u64,
    /// Whether it is durable there that nothing follows.
    pub(crate) is_finished: bool,
}

impl Place {
    /// Of a file that the partition does not know.
    pub(crate) fn new(start: u64) -> Place {
        Place { start, durable: None, told_at: 0, sent: start, is_finished: false }
    }
}

/// A delta that is not acknowledged.
#[derive(Debug)]
pub(super) struct Flight {
    file: FileKey,
    to: u64,
    is_finished: bool,
    since_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Route {
    pub(crate) epoch: Epoch,
    pub(crate) owner: Option<Name>,
    /// Whether this owner has told all cursors.
    pub(crate) is_heard: bool,
    /// Until then, the file up to which it has.
    pub(crate) heard_to: Option<FileKey>,
    /// Whether any owner has told them to this process.
    pub(crate) was_heard: bool,
    pub(crate) greet_at_ms: u64,
    /// The owner has no room until then.
    pub(crate) waits_until_ms: u64,
    /// The newest record of this owner that has dropped cursors.
    pub(crate) dropped_at: u64,
    pub(crate) places: BTreeMap<FileKey, Place>,
    pub(super) flights: Vec<Flight>,
    /// What goes into the next frame.
    pub(crate) queued: Vec<Delta>,
}

impl Route {
    /// Takes what the owner told of a file. It may have been under way for long.
    pub(crate) fn told(&mut self, now_ms: u64, told: &ToldCursor, cursors: &Cursors) {
        let (kind, dropped_at) = (cursors.kind, cursors.dropped_at);
        let place = self.places.get(&told.file);
        // Of a file that is not over, and not announced by this process, answers to hellos tell.
        if place.is_none() && kind != CursorsKind::All && !told.is_finished {
            return;
        }
        // If it is there it is announced anew.
        let Some(next) = told.next.filter(|_| !told.is_gone) else {
            // What is durable stays so until it is dropped: this was said before.
            let is_old = |place: &Place| place.durable.is_some() && place.told_at == dropped_at;
            if told.next.is_some() || !place.is_some_and(is_old) {
                self.places.remove(&told.file);
            }
            return;
        };
        let new = Place { sent: next, ..Place::new(told.start) };
        let place = self.places.entry(told.file).or_insert(new);
        if told.durable.is_some() {
            place.told_at = dropped_at;
        }
        place.durable = place.durable.max(told.durable);
        place.is_finished |= told.is_finished;
        if kind != CursorsKind::Acknowledged {
            place.sent = next;
        }
        place.sent = place.sent.max(place.durable.unwrap_or(0));
        let (durable, is_finished) = (place.durable, place.is_finished);
        let goes_back = kind != CursorsKind::Acknowledged;
        self.flights.retain(|flight| {
            let arrived = durable.is_some_and(|durable| durable >= flight.to);
            let is_there = arrived && (is_finished || !flight.is_finished);
            flight.file != told.file || !(is_there || goes_back)
        });
        if goes_back && durable.is_none_or(|durable| durable < next) {
            // The owner has it in memory, and will acknowledge it.
            let (file, to) = (told.file, next);
            self.flights.push(Flight { file, to, is_finished: false, since_ms: now_ms });
        }
    }

    /// The owner tells all cursors now, or those that come next.
    pub(crate) fn heard(&mut self, cursors: &Cursors) {
        if cursors.after.is_none() {
            self.places.clear();
            self.flights.clear();
        }
        let last = cursors.files.last().map(|told| told.file);
        if cursors.has_more && last > self.heard_to {
            self.heard_to = last;
            self.greet_at_ms = 0;
        } else {
            self.is_heard = true;
            self.was_heard = true;
            self.heard_to = None;
        }
    }

    /// A delta leaves.
    pub(crate) fn sent(&mut self, delta: &Delta, now_ms: u64) {
        let Some(place) = self.places.get_mut(&delta.file) else { return };
        place.sent = delta.to;
        let is_news = delta.to > delta.from || delta.is_finished || place.durable.is_none();
        if is_news {
            let (file, to, is_finished) = (delta.file, delta.to, delta.is_finished);
            self.flights.push(Flight { file, to, is_finished, since_ms: now_ms });
        }
    }

    /// Asks for the cursors again if an acknowledgement is overdue.
    pub(crate) fn expire(&mut self, now_ms: u64, settings: &Settings) {
        let overdue = |flight: &Flight| flight.since_ms + 2 * settings.retry_ms <= now_ms;
        if self.is_heard && self.flights.iter().any(overdue) {
            self.is_heard = false;
            self.heard_to = None;
            self.greet_at_ms = now_ms;
            self.flights.clear();
        }
    }

    /// Whether a delta of this file is on its way.
    pub(crate) fn is_under_way(&self, file: FileKey) -> bool {
        self.flights.iter().any(|flight| flight.file == file)
    }

    /// Whether the owner takes another delta with lines of this file now. While it does not, lines
    /// wait in the file, and come into the next range.
    pub(crate) fn can_take(&self, file: FileKey, now_ms: u64, settings: &Settings) -> bool {
        let under_way = self.flights.iter().filter(|flight| flight.file == file).count();
        self.is_heard && self.waits_until_ms <= now_ms && under_way < settings.unacknowledged.max(1)
    }
}
