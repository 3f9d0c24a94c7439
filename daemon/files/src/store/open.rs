//! Opens a store: the last checkpoint, then what the write-ahead log has since, then what is there.

use super::catalogs::{self, Catalogs};
use super::checkpoint::{self, Position};
use super::commit::SEGMENT_BYTES;
use super::disk::Disk;
use super::extents::{self, Extents};
use super::record::Record;
use super::reserve::Reserve;
use super::scrub::Scrub;
use super::wal::{self, Wal};
use super::{OpenError, Refused, Store, StoreSettings, StoreState};
use crate::ids::ExtentId;
use std::collections::{BTreeSet, VecDeque};
use std::io;

pub(super) fn open<D: Disk>(disk: D, settings: StoreSettings) -> Result<Store<D>, OpenError> {
    for directory in [wal::DIRECTORY, extents::SPOOL, extents::DIRECTORY, catalogs::DIRECTORY] {
        disk.create_directory(directory).map_err(|error| OpenError::at(directory, error))?;
    }
    let (position, mut catalogs) = match checkpoint::load(&disk)? {
        Some(loaded) => loaded,
        None => create(&disk, settings.salt)?,
    };
    let mut extents = Extents::default();
    let index = checkpoint::load_index(&disk, position);
    let rebuilt = index.is_none();
    extents.index = index.unwrap_or_default();
    let mut dropped = BTreeSet::new();
    let sequence = replay(&disk, position, &mut catalogs, &mut extents, &mut dropped)?;
    catalogs.reconcile(&disk).map_err(|error| OpenError::at(catalogs::DIRECTORY, error))?;
    let notes = extents.reconcile(&disk, &dropped, rebuilt);
    let notes = notes.map_err(|error| OpenError::at(extents::DIRECTORY, error))?;
    let mut store = Store {
        disk,
        settings,
        state: StoreState::Open,
        wal: Wal::new(position.salt, position.segment, sequence),
        catalogs,
        extents,
        reserve: Reserve::default(),
        scrub: Scrub::default(),
        waiting: VecDeque::new(),
        done: VecDeque::new(),
        checkpoint_at: SEGMENT_BYTES,
        notes: Vec::new(),
    };
    notes.into_iter().for_each(|note| store.note(note));
    if rebuilt && position.sequence > 1 {
        store.note("the index of extents was built again from what lies beside them".to_owned());
    }
    finish(store)
}

/// Begins with a checkpoint and a segment of its own: nothing is written behind a torn end.
fn finish<D: Disk>(mut store: Store<D>) -> Result<Store<D>, OpenError> {
    let old = store.wal.segment;
    store.write_checkpoint();
    if let Err(Refused::Failed(why)) = store.check_open() {
        return Err(OpenError::at("checkpoint", io::Error::other(why)));
    }
    if store.wal.segment == old {
        return Err(OpenError::at("checkpoint", io::ErrorKind::StorageFull.into()));
    }
    let names = store.disk.list(wal::DIRECTORY);
    for name in names.map_err(|error| OpenError::at(wal::DIRECTORY, error))? {
        let path = format!("{}/{name}", wal::DIRECTORY);
        store.disk.remove(&path).map_err(|error| OpenError::at(&path, error))?;
    }
    store.refill_reserve();
    match store.check_open() {
        Err(refused) => Err(OpenError::at("reserve", io::Error::other(refused.to_string()))),
        Ok(()) => Ok(store),
    }
}

/// Begins a store, if nothing says that there was one.
fn create<D: Disk>(disk: &D, salt: u64) -> Result<(Position, Catalogs<D>), OpenError> {
    for directory in [wal::DIRECTORY, catalogs::DIRECTORY, extents::DIRECTORY] {
        let names = disk.list(directory).map_err(|error| OpenError::at(directory, error))?;
        if !names.is_empty() {
            return Err(OpenError::Damaged(format!("{directory} has files, and state is lost")));
        }
    }
    let position = Position { salt, segment: 1, sequence: 1 };
    let catalogs = Catalogs::default();
    let written = checkpoint::write(disk, position, &catalogs, &Extents::<D>::default().index);
    written.map_err(|error| OpenError::at("state", error))?;
    Ok((position, catalogs))
}

/// Does again what the log has since the checkpoint. Returns the number of the next frame.
fn replay<D: Disk>(
    disk: &D,
    position: Position,
    catalogs: &mut Catalogs<D>,
    extents: &mut Extents<D>,
    dropped: &mut BTreeSet<ExtentId>,
) -> Result<u64, OpenError> {
    let Position { salt, segment, sequence } = position;
    wal::replay(disk, salt, segment, sequence, &mut |number, body| {
        let path = wal::path(segment);
        let records = Record::read_all(body);
        let damaged = || OpenError::Damaged(format!("{path}: frame {number} makes no sense"));
        for record in records.ok_or_else(damaged)? {
            catalogs.apply(disk, &record).map_err(|error| OpenError::at(&path, error))?;
            extents.apply(&record);
            match record {
                Record::Drop { id } => {
                    dropped.insert(id);
                }
                Record::Sealed(entry) => {
                    dropped.remove(&entry.id);
                }
                _ => {}
            }
        }
        Ok(())
    })
}
