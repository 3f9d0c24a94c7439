//! Checks jobs against what is here, and says what records they become.

use super::catalogs::MAX_SHARES;
use super::codec::Writer;
use super::job::{Done, ImageHead, Job, JobId, Refused};
use super::record::Record;
use super::space::{self, Room};
use super::{Disk, Store};
use crate::ids::{Epoch, ExtentId};
use crate::path::ShareName;
use std::collections::{BTreeMap, BTreeSet};
use std::mem;

/// Jobs that become durable together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    pub(super) body: Writer,
    pub(super) answers: Vec<(JobId, Done)>,
    /// Extents whose files get their place first. Those with true were uploaded.
    pub(super) places: Vec<(ExtentId, bool)>,
    pub(super) image: Option<(ShareName, u64)>,
    /// Where the logs will end, and whether they are empty.
    ends: BTreeMap<ShareName, (u64, bool)>,
    epochs: BTreeMap<ShareName, Epoch>,
    extents: BTreeSet<ExtentId>,
    /// Whether it takes no more jobs, and a checkpoint follows it.
    pub(super) is_last: bool,
}

/// What becomes of a job.
pub(super) enum Planned {
    Done(Done),
    /// It must be in the next batch.
    Later,
}

impl Batch {
    fn add(&mut self, record: Record) -> Planned {
        record.write(&mut self.body);
        self.records.push(record);
        Planned::Done(Done::Durable)
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.body.0.len() as u64
    }
}

impl<D: Disk> Store<D> {
    /// Adds a job to a batch.
    pub(super) fn plan(&mut self, batch: &mut Batch, job: &mut Job) -> Result<Planned, Refused> {
        self.check_open()?;
        match job {
            Job::Promise { share, epoch, memo } => self.plan_promise(batch, share, *epoch, memo),
            Job::Append { share, first, entries } => {
                self.plan_append(batch, share, *first, entries)
            }
            Job::Cut { share, from } => {
                let (end, is_empty) = self.log_end(batch, share)?;
                let applied = self.applied(share);
                if *from <= applied {
                    return Err(Refused::Outdated);
                }
                let first = self.catalogs.get(share).map_or(1, |of| of.log.first());
                // What is in the image goes too, so that the log may go on anywhere.
                let is_empty = is_empty || *from <= first || *from == applied + 1;
                batch.ends.insert(share.clone(), (end.min(*from), is_empty));
                Ok(batch.add(Record::Cut { share: share.clone(), from: *from }))
            }
            Job::ImageCommit { share, head } => self.plan_image(batch, share, head),
            Job::DropShare { share } => {
                batch.is_last = true;
                Ok(batch.add(Record::DropShare { share: share.clone() }))
            }
            Job::Seal { .. } | Job::Set { .. } | Job::Drop { .. } => self.plan_extent(batch, job),
            // All others are answered at once.
            _ => Err(Refused::Invalid),
        }
    }

    fn check_share(&self, batch: &Batch, share: &ShareName) -> Result<(), Refused> {
        match self.catalogs.get(share) {
            Err(Refused::Unknown) if batch.ends.contains_key(share) => Ok(()),
            Err(Refused::Unknown) if self.catalogs.len() + batch.ends.len() >= MAX_SHARES => {
                Err(Refused::TooMany)
            }
            Err(Refused::Unknown) | Ok(_) => Ok(()),
            Err(refused) => Err(refused),
        }
    }

    fn log_end(&self, batch: &Batch, share: &ShareName) -> Result<(u64, bool), Refused> {
        self.check_share(batch, share)?;
        let known = batch.ends.get(share).copied();
        let here = || self.catalogs.get(share).map(|of| (of.log.end(), of.log.is_empty()));
        Ok(known.unwrap_or_else(|| here().unwrap_or((1, true))))
    }

    /// The last entry that is in the image of a catalog.
    fn applied(&self, share: &ShareName) -> u64 {
        self.catalogs.get(share).map_or(0, super::catalogs::Share::applied)
    }

    fn plan_promise(
        &mut self,
        batch: &mut Batch,
        share: &ShareName,
        epoch: Epoch,
        memo: &mut Vec<u8>,
    ) -> Result<Planned, Refused> {
        if memo.len() > Job::MAX_MEMO {
            return Err(Refused::Invalid);
        }
        let end = self.log_end(batch, share)?;
        let promised = self.catalogs.get(share).map_or(Epoch(0), super::catalogs::Share::epoch);
        if epoch < batch.epochs.get(share).copied().unwrap_or(promised) {
            return Err(Refused::Outdated);
        }
        batch.epochs.insert(share.clone(), epoch);
        batch.ends.insert(share.clone(), end);
        Ok(batch.add(Record::Promise { share: share.clone(), epoch, memo: mem::take(memo) }))
    }

    fn plan_append(
        &mut self,
        batch: &mut Batch,
        share: &ShareName,
        first: u64,
        entries: &mut Vec<Vec<u8>>,
    ) -> Result<Planned, Refused> {
        let bytes: usize = entries.iter().map(|entry| entry.len() + 16).sum();
        if entries.is_empty() || first == 0 || bytes > Job::MAX_BYTES * 2 {
            return Err(Refused::Invalid);
        }
        let (end, is_empty) = self.log_end(batch, share)?;
        let is_early = first <= self.applied(share);
        if is_early || first != end && !is_empty {
            return Err(Refused::Misplaced { expected: end });
        }
        batch.ends.insert(share.clone(), (first + entries.len() as u64, false));
        let entries = mem::take(entries);
        Ok(batch.add(Record::Append { share: share.clone(), first, entries }))
    }

    fn plan_image(
        &mut self,
        batch: &mut Batch,
        share: &ShareName,
        head: &ImageHead,
    ) -> Result<Planned, Refused> {
        self.check_share(batch, share)?;
        let hashed = self.catalogs.incoming(share).ok_or(Refused::Unknown)?;
        let (length, root) = (hashed.length, hashed.root);
        if (length, root) != (head.length, head.root) {
            return Err(Refused::Mismatch { length, root });
        }
        if head.applied < self.applied(share) {
            return Err(Refused::Outdated);
        }
        batch.is_last = true;
        let file = self.wal.sequence;
        batch.image = Some((share.clone(), file));
        Ok(batch.add(Record::Image { share: share.clone(), file, head: *head }))
    }

    fn plan_extent(&mut self, batch: &mut Batch, job: &mut Job) -> Result<Planned, Refused> {
        let (Job::Seal { id, .. } | Job::Set { id, .. } | Job::Drop { id }) = job else {
            return Err(Refused::Invalid);
        };
        let id = *id;
        if batch.extents.contains(&id) {
            return Ok(Planned::Later);
        }
        let planned = match job {
            Job::Seal { facts, expect, .. } => {
                if self.extents.upload(id).is_none() && self.extents.index.contains(id) {
                    return self.sealed_before(id, *expect);
                }
                let planned = self.extents.plan_seal(&self.disk, id, facts.clone(), *expect);
                let entry = planned.map_err(|error| self.refuse("spool", &error))??;
                batch.places.push((id, true));
                batch.add(Record::Sealed(Box::new(entry)));
                let (length, root) = self.extents.upload(id).ok_or(Refused::Unknown)?;
                Planned::Done(Done::Sealed { length, root })
            }
            Job::Set { set, .. } => {
                let planned = self.extents.plan_set(&self.disk, id, set);
                planned.map_err(|error| self.refuse("spool", &error))??;
                batch.places.push((id, false));
                batch.add(Record::Set { id, set: set.clone() })
            }
            _ if !self.extents.index.contains(id) => return Ok(Planned::Done(Done::Durable)),
            _ => batch.add(Record::Drop { id }),
        };
        batch.extents.insert(id);
        Ok(planned)
    }

    /// What was sealed is sealed.
    fn sealed_before(
        &mut self,
        id: ExtentId,
        expect: Option<(u64, [u8; 32])>,
    ) -> Result<Planned, Refused> {
        let head = self.extents.head(&self.disk, id)?;
        let (length, root) = (head.length, head.root);
        match expect {
            Some(expect) if expect != (length, root) => Err(Refused::Mismatch { length, root }),
            _ => Ok(Planned::Done(Done::Sealed { length, root })),
        }
    }

    fn check_piece(&self, bytes: usize) -> Result<(), Refused> {
        let fits = (1..=Job::MAX_BYTES).contains(&bytes);
        self.check_open().and(if fits { Ok(()) } else { Err(Refused::Invalid) })
    }

    /// Whether pieces may come.
    fn check_room(&mut self, bytes: usize) -> Result<(), Refused> {
        self.check_piece(bytes)?;
        let space = self.disk.space();
        let space = space.map_err(|error| self.refuse("the file system", &error))?;
        let used = self.used_bytes() + bytes as u64;
        match space::room(used, self.settings.space_bytes, space) {
            Room::Full => Err(Refused::Full),
            Room::Plenty | Room::Crowded => Ok(()),
        }
    }

    pub(super) fn take_piece(
        &mut self,
        id: ExtentId,
        offset: u64,
        bytes: &[u8],
    ) -> Result<Done, Refused> {
        self.check_room(bytes.len())?;
        match self.extents.take_piece(&self.disk, id, offset, bytes) {
            Ok(taken) => taken.map(|()| Done::Taken),
            Err(error) => {
                let refused = self.refuse("spool", &error);
                self.extents.drop_pieces(&self.disk, id);
                Err(refused)
            }
        }
    }

    pub(super) fn take_image_piece(
        &mut self,
        share: &ShareName,
        offset: u64,
        bytes: &[u8],
    ) -> Result<Done, Refused> {
        // An image makes the log shorter, so it may come from 95 % on.
        self.check_piece(bytes.len())?;
        match self.catalogs.take_piece(&self.disk, share, offset, bytes) {
            Ok(taken) => taken.map(|()| Done::Taken),
            Err(error) => {
                let refused = self.refuse("catalog", &error);
                self.catalogs.drop_incoming(&self.disk, share);
                Err(refused)
            }
        }
    }
}
