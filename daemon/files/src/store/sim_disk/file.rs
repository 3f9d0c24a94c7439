//! The bytes of one file: in the cache, on the disk, and what is between.

use super::Random;
use std::io;

/// What a disk writes at once.
const SECTOR: u64 = 512;

#[derive(Debug, Default)]
pub(super) struct Inode {
    cached: Vec<u8>,
    durable: Vec<u8>,
    /// What was not synced, in its order.
    pending: Vec<Pending>,
    allocated: u64,
}

#[derive(Debug, Clone)]
enum Pending {
    Write(u64, Vec<u8>),
    Truncate(u64),
}

fn number(place: u64) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}

pub(super) fn read(from: &[u8], bytes: &mut [u8], place: u64) -> io::Result<()> {
    let begin = number(place);
    let range = from.get(begin..begin.saturating_add(bytes.len()));
    bytes.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(())
}

fn write(to: &mut Vec<u8>, place: u64, bytes: &[u8]) {
    let begin = number(place);
    let end = begin + bytes.len();
    if to.len() < end && !bytes.is_empty() {
        to.resize(end, 0);
    }
    to[begin.min(end)..end].copy_from_slice(bytes);
}

impl Inode {
    pub(super) fn cached(&self) -> &[u8] {
        &self.cached
    }

    pub(super) fn durable(&self) -> &[u8] {
        &self.durable
    }

    pub(super) fn space(&self) -> u64 {
        1 + self.allocated.max(self.cached.len() as u64)
    }

    /// How much more space it needs for bytes at a place.
    pub(super) fn growth(&self, place: u64, bytes: u64) -> u64 {
        (place + bytes + 1).saturating_sub(self.space())
    }

    pub(super) fn write(&mut self, place: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        write(&mut self.cached, place, bytes);
        self.pending.push(Pending::Write(place, bytes.to_vec()));
    }

    pub(super) fn truncate(&mut self, length: u64) {
        self.cached.resize(number(length), 0);
        self.allocated = self.allocated.min(length);
        self.pending.push(Pending::Truncate(length));
    }

    pub(super) fn allocate(&mut self, end: u64) {
        self.allocated = self.allocated.max(end);
    }

    pub(super) fn sync(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Write(place, bytes) => write(&mut self.durable, place, &bytes),
                Pending::Truncate(length) => self.durable.resize(number(length), 0),
            }
        }
    }

    /// A sync failed: what waited is never written, and the cache goes on to show it.
    pub(super) fn forget(&mut self) {
        self.pending.clear();
    }

    /// Any subset of the sectors that waited is written. A file may be longer than its bytes.
    pub(super) fn crash(&mut self, random: &mut Random) {
        let all = random.below(4);
        for pending in std::mem::take(&mut self.pending) {
            match pending {
                Pending::Truncate(length) => {
                    if all == 3 || all > 0 && random.below(2) == 0 {
                        self.durable.resize(number(length), 0);
                    }
                }
                Pending::Write(place, bytes) => self.crash_write(place, &bytes, all, random),
            }
        }
        self.cached.clone_from(&self.durable);
        self.allocated = self.cached.len() as u64;
    }

    fn crash_write(&mut self, place: u64, bytes: &[u8], all: u64, random: &mut Random) {
        let end = place + bytes.len() as u64;
        if all == 0 {
            return;
        }
        if random.below(2) == 0 && (self.durable.len() as u64) < end {
            self.durable.resize(number(end), 0);
        }
        let mut from = place;
        while from < end {
            let to = (from / SECTOR + 1) * SECTOR;
            let to = to.min(end);
            if all == 3 || random.below(2) == 0 {
                let sector = &bytes[number(from - place)..number(to - place)];
                write(&mut self.durable, from, sector);
            }
            from = to;
        }
    }

    pub(super) fn rot(&mut self, place: usize, only_below: bool) {
        if let Some(byte) = self.durable.get_mut(place) {
            *byte ^= 1 << (place % 8);
        }
        if let Some(byte) = self.cached.get_mut(place).filter(|_| !only_below) {
            *byte ^= 1 << (place % 8);
        }
    }
}
