//! Verifies what is kept, all of it in a week, from the disk and not from the page cache.

use super::Store;
use super::disk::forget_cached;
use super::streams::Key;
use crate::pace::Pace;
use crate::segment::digest;
use crate::segment::index::{self, Entry};
use crate::segment::names::{self, Form};
use crate::segment::recover::read_block;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

/// In which time everything is verified once, in seconds.
const ROUND_SECONDS: u64 = 7 * 24 * 3600;

/// The least rate, in bytes a second.
const LEAST_RATE: u64 = 4096;

/// About how much is verified at once, in bytes.
const STEP_BYTES: u64 = 256 * 1024;

/// Where the scrub is.
#[derive(Debug)]
pub(super) struct Scrub {
    pace: Pace,
    /// The segment before which it is, when no file is open.
    next: Option<(Key, u64)>,
    current: Option<Current>,
    /// How many blocks of this round are damaged, and of the one before.
    damaged: (u64, u64),
    pub(super) bytes: u64,
    pub(super) rounds: u64,
}

/// The segment that is verified.
#[derive(Debug)]
struct Current {
    key: Key,
    begin: u64,
    path: PathBuf,
    file: File,
    blocks: Blocks,
    /// Where the next block begins in the file.
    place: u64,
}

/// How its blocks are found.
#[derive(Debug)]
enum Blocks {
    Sealed(std::vec::IntoIter<Entry>),
    /// Up to how many bytes it is written.
    Open(u64),
}

/// What a block is.
enum Verified {
    Whole,
    Damaged,
    /// There is none.
    End,
}

impl Default for Scrub {
    fn default() -> Scrub {
        Scrub {
            pace: Pace::new(LEAST_RATE, STEP_BYTES),
            next: None,
            current: None,
            damaged: (0, 0),
            bytes: 0,
            rounds: 0,
        }
    }
}

impl Scrub {
    /// How many blocks are damaged, as far as it is known.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged.0.max(self.damaged.1)
    }
}

impl Store {
    /// Verifies a little, if it is time for it.
    pub(super) fn scrub_step(&mut self) {
        let rate = (self.streams.sums().bytes / ROUND_SECONDS).max(LEAST_RATE);
        let now_us = self.now_ms.saturating_mul(1000);
        self.scrub.pace.set_rate(rate, now_us);
        if self.scrub.pace.take(STEP_BYTES, now_us).is_ok() {
            self.scrub_bytes(STEP_BYTES);
        }
    }

    /// Verifies the next `bytes` or a little more. Returns whether a round ended.
    pub(super) fn scrub_bytes(&mut self, bytes: u64) -> bool {
        let mut left = bytes;
        while left > 0 {
            if self.scrub.current.is_none() && !self.open_next() {
                return true;
            }
            let Some(mut current) = self.scrub.current.take() else { return true };
            let before = current.place;
            // A segment may have been dropped or sealed meanwhile.
            let form = self.find_segment(&current.key, current.begin).map(|of| of.form);
            let verified = match form == Some(current.form()) {
                true => current.verify(),
                false => Ok(Verified::End),
            };
            let verified_bytes = (current.place - before).max(1);
            self.scrub.bytes += current.place - before;
            left = left.saturating_sub(verified_bytes);
            match verified {
                Ok(Verified::Whole) => self.scrub.current = Some(current),
                Ok(Verified::End) => {}
                Ok(Verified::Damaged) => {
                    self.note_damage(&current, before, "is damaged");
                    if current.form() == Form::Sealed {
                        self.scrub.current = Some(current);
                    }
                }
                Err(error) => self.note_damage(&current, before, &error.to_string()),
            }
        }
        false
    }

    /// Opens the next segment. Returns false at the end of a round.
    fn open_next(&mut self) -> bool {
        while let Some((key, begin, form)) = self.next_segment() {
            self.scrub.next = Some((key.clone(), begin + 1));
            let path = names::segment_file(&key.directory(&self.directory), begin, form);
            let opened = File::open(&path).and_then(|file| {
                forget_cached(&file);
                let blocks = match form {
                    Form::Open => Some(Blocks::Open(file.metadata()?.len())),
                    Form::Sealed => index::read(&file, key.id)?
                        .map(|index| Blocks::Sealed(index.entries.into_iter())),
                };
                Ok((file, blocks))
            });
            match opened {
                Ok((file, Some(blocks))) => {
                    let current = Current { key, begin, path, file, blocks, place: 0 };
                    self.scrub.current = Some(current);
                    return true;
                }
                Ok((_, None)) => {
                    self.note_bad(&format!("the index of {}", path.display()), "is damaged");
                }
                Err(error) => self.note_bad(&path.display().to_string(), &error.to_string()),
            }
        }
        self.scrub.next = None;
        self.scrub.rounds += 1;
        self.scrub.damaged = (0, self.scrub.damaged.0);
        false
    }

    fn next_segment(&self) -> Option<(Key, u64, Form)> {
        let first = self.streams.iter(None).next().map(|(key, _)| (key.clone(), 0))?;
        let (key, least) = self.scrub.next.clone().unwrap_or(first);
        self.streams.from(&key).find_map(|(of, stream)| {
            let least = if *of == key { least } else { 0 };
            let segment = stream.segments.iter().find(|segment| segment.begin >= least)?;
            Some((of.clone(), segment.begin, segment.form))
        })
    }

    fn note_damage(&mut self, current: &Current, place: u64, what: &str) {
        let path = format!("{}, at byte {place},", current.path.display());
        let is_tail = self.streams.get(&current.key).is_some_and(|stream| {
            stream.tail.is_some()
                && stream.segments.back().is_some_and(|of| of.begin == current.begin)
        });
        if is_tail {
            // What follows would be hidden behind it.
            self.streams.edit(&current.key, |stream| stream.is_damaged = true);
        }
        self.note_bad(&path, what);
    }

    fn note_bad(&mut self, what: &str, why: &str) {
        self.scrub.damaged.0 += 1;
        self.note(format!("{what} {why}: another keeper may have this part of the log"));
    }
}

impl Current {
    fn form(&self) -> Form {
        match self.blocks {
            Blocks::Sealed(_) => Form::Sealed,
            Blocks::Open(_) => Form::Open,
        }
    }

    /// Verifies the next block.
    fn verify(&mut self) -> io::Result<Verified> {
        let mut frame = Vec::new();
        match &mut self.blocks {
            Blocks::Sealed(entries) => {
                let Some(entry) = entries.next() else { return Ok(Verified::End) };
                frame.resize(entry.frame_bytes as usize, 0);
                let place = self.place;
                self.place += u64::from(entry.frame_bytes);
                self.file.read_exact_at(&mut frame, place)?;
                let is_whole = digest(&frame) == entry.frame_hash;
                Ok(if is_whole { Verified::Whole } else { Verified::Damaged })
            }
            Blocks::Open(bytes) if self.place >= *bytes => Ok(Verified::End),
            Blocks::Open(bytes) => {
                let head = read_block(&self.file, self.key.id, self.place, *bytes, &mut frame)?;
                let Some(head) = head else { return Ok(Verified::Damaged) };
                self.place = head.next_place(self.place);
                Ok(Verified::Whole)
            }
        }
    }
}
