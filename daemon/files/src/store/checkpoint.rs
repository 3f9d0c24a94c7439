//! The checkpoint: what was done up to a frame of the write-ahead log, so that what is before it
//! can go. The index of the extents is a file of its own, and can be lost.

use super::OpenError;
use super::catalogs::Catalogs;
use super::codec::{Reader, Writer, seal, unseal};
use super::disk::{Disk, is_absent, read_file};
use super::extent_index::ExtentIndex;
use std::io;

const STATE_MAGIC: [u8; 8] = *b"mbfstat1";
const INDEX_MAGIC: [u8; 8] = *b"mbfindx1";

/// The file of the checkpoint, and its next one.
const STATE: &str = "state";
const STATE_NEW: &str = "state.new";

/// The most bytes of these files: some millions of extents.
const MAX_BYTES: u64 = 1 << 30;

/// Where a checkpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) salt: u64,
    /// The segment that comes next, and the number of its first frame.
    pub(super) segment: u64,
    pub(super) sequence: u64,
}

fn index_path(segment: u64) -> String {
    format!("index.{segment:016x}")
}

/// Writes a checkpoint. Lack of space that a write tells leaves the old one.
pub(super) fn write<D: Disk>(
    disk: &D,
    position: Position,
    catalogs: &Catalogs<D>,
    index: &ExtentIndex,
) -> io::Result<()> {
    let mut writer = Writer::default();
    writer.u64(position.segment);
    index.write(&mut writer);
    let index_path = index_path(position.segment);
    write_file(disk, &index_path, &seal(INDEX_MAGIC, &writer.0))?;
    disk.sync_directory(".").map_err(io::Error::other)?;
    let mut writer = Writer::default();
    writer.u64(position.salt);
    writer.u64(position.segment);
    writer.u64(position.sequence);
    catalogs.write(&mut writer);
    write_file(disk, STATE_NEW, &seal(STATE_MAGIC, &writer.0))?;
    disk.rename(STATE_NEW, STATE).map_err(io::Error::other)?;
    disk.sync_directory(".").map_err(io::Error::other)
}

fn write_file<D: Disk>(disk: &D, path: &str, bytes: &[u8]) -> io::Result<()> {
    let file = disk.create(path)?;
    if let Err(error) = disk.write_at(&file, bytes, 0) {
        disk.remove(path)?;
        return Err(error);
    }
    // Lack of space that only the fsync notices is no longer a clean refusal.
    disk.sync(&file).map_err(io::Error::other)
}

/// Reads the checkpoint. None: there is none yet.
pub(super) fn load<D: Disk>(disk: &D) -> Result<Option<(Position, Catalogs<D>)>, OpenError> {
    let at = |error| OpenError::at(STATE, error);
    let bytes = match read_file(disk, STATE, MAX_BYTES) {
        Err(error) if is_absent(&error) => return Ok(None),
        bytes => bytes.map_err(at)?,
    };
    let damaged = || OpenError::Damaged(format!("{STATE} is damaged"));
    let mut reader = Reader(unseal(STATE_MAGIC, &bytes).ok_or_else(damaged)?);
    let salt = reader.u64().ok_or_else(damaged)?;
    let segment = reader.u64().ok_or_else(damaged)?;
    let sequence = reader.u64().ok_or_else(damaged)?;
    let catalogs = Catalogs::load(disk, &mut reader).ok_or_else(damaged)?.map_err(at)?;
    Ok(Some((Position { salt, segment, sequence }, catalogs)))
}

/// Reads the index of a checkpoint. None: it must be built again.
pub(super) fn load_index<D: Disk>(disk: &D, position: Position) -> Option<ExtentIndex> {
    let bytes = read_file(disk, &index_path(position.segment), MAX_BYTES).ok()?;
    let mut reader = Reader(unseal(INDEX_MAGIC, &bytes)?);
    let segment = reader.u64()?;
    (segment == position.segment).then(|| ExtentIndex::load(&mut reader)).flatten()
}

/// Removes the indices of other checkpoints.
pub(super) fn remove_old<D: Disk>(disk: &D, position: Position) {
    let kept = index_path(position.segment);
    let names = disk.list(".").unwrap_or_default();
    for name in names.iter().filter(|name| name.starts_with("index.") && **name != kept) {
        // What stays is removed after the next one.
        let _ = disk.remove(name);
    }
}
