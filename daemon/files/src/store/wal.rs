//! The write-ahead log: one segment at a time, which ends with a checkpoint. A batch of records is
//! one frame, made durable by one fdatasync.
//!
//! The next frame is written only after that. So a bad frame with a good one behind it was durable
//! once, and is damage; a bad one with nothing behind it is what a crash leaves.

use super::OpenError;
use super::codec::{Reader, Writer};
use super::disk::{Disk, is_absent};
use std::io;

/// Frames begin at multiples of it. No disk writes less at once.
const SECTOR: u64 = 512;

/// The length and the crc of the body, and the number of the frame.
const HEAD_BYTES: u64 = 16;

/// Space is allocated in such steps.
const ALLOCATE_BYTES: u64 = 1 << 20;

/// The most bytes of a frame's body.
pub(super) const MAX_BODY_BYTES: u64 = 16 << 20;

/// The directory.
pub(super) const DIRECTORY: &str = "wal";

/// Where the log goes on.
#[derive(Debug)]
pub(super) struct Wal<D: Disk> {
    /// It keeps users from writing what looks like a frame.
    salt: u64,
    pub(super) segment: u64,
    /// The number of the next frame.
    pub(super) sequence: u64,
    file: Option<D::File>,
    /// Up to where the segment is written.
    pub(super) bytes: u64,
    allocated: u64,
    /// A sync that failed is tried again: for a test that must find that.
    pub(super) retries_sync: bool,
}

pub(super) fn path(segment: u64) -> String {
    format!("{DIRECTORY}/{segment:016x}")
}

fn crc(salt: u64, sequence: u64, body: &[u8]) -> u32 {
    let head = crc32c::crc32c(&[salt.to_le_bytes(), sequence.to_le_bytes()].concat());
    crc32c::crc32c_append(head, body)
}

fn frame_bytes(body: u64) -> u64 {
    (HEAD_BYTES + body).next_multiple_of(SECTOR)
}

impl<D: Disk> Wal<D> {
    /// A log that goes on with a new segment.
    pub(super) fn new(salt: u64, segment: u64, sequence: u64) -> Wal<D> {
        Wal { salt, segment, sequence, file: None, bytes: 0, allocated: 0, retries_sync: false }
    }

    pub(super) fn salt(&self) -> u64 {
        self.salt
    }

    /// Allocates space for a frame. A disk that is full says so here, or nowhere.
    pub(super) fn reserve(&mut self, disk: &D, body: u64) -> io::Result<()> {
        let path = path(self.segment);
        let file = match self.file.take() {
            Some(file) => file,
            None => disk.create(&path)?,
        };
        let file = self.file.insert(file);
        let end = self.bytes + frame_bytes(body);
        if end > self.allocated {
            let more = (end - self.allocated).next_multiple_of(ALLOCATE_BYTES);
            disk.allocate(file, self.allocated, more)?;
            self.allocated += more;
        }
        Ok(())
    }

    /// Writes a frame for which space was reserved, and makes it durable.
    pub(super) fn append(&mut self, disk: &D, body: &[u8]) -> io::Result<()> {
        let mut frame = Writer::default();
        frame.u32(u32::try_from(body.len()).map_err(io::Error::other)?);
        frame.u32(crc(self.salt, self.sequence, body));
        frame.u64(self.sequence);
        frame.raw(body);
        let length = frame_bytes(body.len() as u64);
        frame.0.resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        disk.write_at(file, &frame.0, self.bytes)?;
        match disk.sync(file) {
            Err(_) if self.retries_sync => disk.sync(file)?,
            synced => synced?,
        }
        if self.bytes == 0 {
            disk.sync_directory(DIRECTORY)?;
        }
        self.bytes += length;
        self.sequence += 1;
        Ok(())
    }

    /// Where the log goes on after a checkpoint.
    pub(super) fn next_segment(&self) -> u64 {
        self.segment + 1
    }

    /// Goes on with that segment.
    pub(super) fn rotate(&mut self) {
        let retries_sync = self.retries_sync;
        let next = Wal::new(self.salt, self.next_segment(), self.sequence);
        *self = Wal { retries_sync, ..next };
    }
}

/// Takes a batch, by the number of its frame.
type Take<'a> = &'a mut dyn FnMut(u64, &[u8]) -> Result<(), OpenError>;

/// Reads the batches of a segment, from frame `sequence` on. Returns the number after the last.
///
/// # Errors
/// When the disk fails, or the segment is damaged and no crash can be the cause.
pub(super) fn replay<D: Disk>(
    disk: &D,
    salt: u64,
    segment: u64,
    mut sequence: u64,
    take: Take,
) -> Result<u64, OpenError> {
    let path = path(segment);
    let file = match disk.open(&path) {
        Err(error) if is_absent(&error) => return Ok(sequence),
        file => file.map_err(|error| OpenError::at(&path, error))?,
    };
    let at = |error| OpenError::at(&path, error);
    let length = disk.length(&file).map_err(at)?;
    let mut place = 0;
    while let Some(body) = read_frame(disk, &file, salt, (place, length), sequence..=sequence)
        .map_err(at)?
        .map(|(_, body)| body)
    {
        take(sequence, &body)?;
        place += frame_bytes(body.len() as u64);
        sequence += 1;
    }
    let later = sequence + 1..=u64::MAX;
    let mut behind = place + SECTOR;
    while behind < length {
        let frame = read_frame(disk, &file, salt, (behind, length), later.clone()).map_err(at)?;
        if let Some((number, _)) = frame {
            return Err(OpenError::Damaged(format!(
                "{path}: frame {sequence} at byte {place} is damaged, and frame {number} at byte \
                 {behind} is whole"
            )));
        }
        behind += SECTOR;
    }
    Ok(sequence)
}

/// The frame at a place, if it is whole and has one of these numbers.
fn read_frame<D: Disk>(
    disk: &D,
    file: &D::File,
    salt: u64,
    (place, length): (u64, u64),
    numbers: std::ops::RangeInclusive<u64>,
) -> io::Result<Option<(u64, Vec<u8>)>> {
    let left = length.saturating_sub(place);
    if left < HEAD_BYTES {
        return Ok(None);
    }
    let mut head = [0; 16];
    disk.read_at(file, &mut head, place)?;
    let mut reader = Reader(&head);
    let (Some(body), Some(expected), Some(number)) = (reader.u32(), reader.u32(), reader.u64())
    else {
        return Ok(None);
    };
    let bytes = u64::from(body);
    if bytes == 0 || bytes > MAX_BODY_BYTES.min(left - HEAD_BYTES) || !numbers.contains(&number) {
        return Ok(None);
    }
    let mut body = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    disk.read_at(file, &mut body, place + HEAD_BYTES)?;
    Ok((crc(salt, number, &body) == expected).then_some((number, body)))
}
