//! Space that is kept allocated, so that a full disk can still delete.

use super::disk::{Disk, is_full};
use super::job::Refused;
use super::{Store, wal};
use std::io;

/// The file, and its bytes.
const PATH: &str = "reserve";
const BYTES: u64 = 32 << 20;

/// What a batch needs beside its own bytes: entries are written twice, files get names.
const SLACK_BYTES: u64 = 2 << 20;

/// Whether the reserve is there.
#[derive(Debug, Default)]
pub(super) struct Reserve {
    is_there: bool,
}

impl Reserve {
    pub(super) fn bytes(&self) -> u64 {
        if self.is_there { BYTES } else { 0 }
    }
}

impl<D: Disk> Store<D> {
    /// Makes room for a batch, of the reserve if there is no other.
    pub(super) fn make_room(&mut self, body: u64) -> Result<(), Refused> {
        let needed = body * 2 + SLACK_BYTES;
        loop {
            let free = self.disk.free_bytes();
            let free = free.map_err(|error| self.fail("the file system", &error))?;
            if free >= needed {
                match self.wal.reserve(&self.disk, body) {
                    Ok(()) => return Ok(()),
                    Err(error) if is_full(&error) => {}
                    Err(error) => return Err(self.fail(&wal::path(self.wal.segment), &error)),
                }
            }
            if !self.release_reserve()? && !self.shorten_log()? {
                return Err(Refused::Full);
            }
        }
    }

    /// Gives back what the write-ahead log takes, if that is much. Returns whether it did.
    fn shorten_log(&mut self) -> Result<bool, Refused> {
        let segment = self.wal.segment;
        if self.wal.bytes >= SLACK_BYTES {
            self.write_checkpoint();
            self.check_open()?;
        }
        Ok(self.wal.segment != segment)
    }

    /// Gives the reserve up. Returns whether there was one.
    fn release_reserve(&mut self) -> Result<bool, Refused> {
        if !self.reserve.is_there {
            return Ok(false);
        }
        self.reserve.is_there = false;
        self.disk.remove(PATH).map_err(|error| self.fail(PATH, &error))?;
        self.note("the disk is full: the reserve is used to delete".to_owned());
        Ok(true)
    }

    /// Makes the reserve again, when there is room for it twice.
    pub(super) fn refill_reserve(&mut self) {
        let free = self.disk.free_bytes().unwrap_or(0);
        if self.reserve.is_there || free < 2 * BYTES {
            return;
        }
        match self.allocate_reserve() {
            Ok(()) => self.reserve.is_there = true,
            Err(error) if is_full(&error) => {}
            Err(error) => {
                self.fail(PATH, &error);
            }
        }
    }

    fn allocate_reserve(&self) -> io::Result<()> {
        let file = self.disk.create(PATH)?;
        if let Err(error) = self.disk.allocate(&file, 0, BYTES) {
            self.disk.remove(PATH)?;
            return Err(error);
        }
        Ok(())
    }
}
