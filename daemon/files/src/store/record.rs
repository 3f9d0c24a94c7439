//! The records of the write-ahead log: what has happened, to be done again after a crash.

use super::codec::{Reader, Writer};
use super::extent_index::Entry;
use super::job::ImageHead;
use crate::content::HolderSet;
use crate::ids::{Epoch, ExtentId};
use crate::path::ShareName;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    Promise {
        share: ShareName,
        epoch: Epoch,
        memo: Vec<u8>,
    },
    Append {
        share: ShareName,
        first: u64,
        entries: Vec<Vec<u8>>,
    },
    Cut {
        share: ShareName,
        from: u64,
    },
    /// The image is in the file of this number.
    Image {
        share: ShareName,
        file: u64,
        head: ImageHead,
    },
    DropShare {
        share: ShareName,
    },
    Sealed(Box<Entry>),
    Set {
        id: ExtentId,
        set: HolderSet,
    },
    Drop {
        id: ExtentId,
    },
}

impl Record {
    pub(super) fn write(&self, writer: &mut Writer) {
        match self {
            Record::Promise { share, epoch, memo } => {
                writer.u8(1);
                writer.share(share);
                writer.u64(epoch.0);
                writer.bytes(memo);
            }
            Record::Append { share, first, entries } => {
                writer.u8(2);
                writer.share(share);
                writer.u64(*first);
                writer.u32(u32::try_from(entries.len()).unwrap_or(u32::MAX));
                entries.iter().for_each(|entry| writer.bytes(entry));
            }
            Record::Cut { share, from } => {
                writer.u8(3);
                writer.share(share);
                writer.u64(*from);
            }
            Record::Image { share, file, head } => {
                writer.u8(4);
                writer.share(share);
                writer.u64(*file);
                write_image_head(writer, head);
            }
            Record::DropShare { share } => {
                writer.u8(5);
                writer.share(share);
            }
            Record::Sealed(entry) => {
                writer.u8(6);
                entry.write(writer);
            }
            Record::Set { id, set } => {
                writer.u8(7);
                writer.id(*id);
                write_set(writer, set);
            }
            Record::Drop { id } => {
                writer.u8(8);
                writer.id(*id);
            }
        }
    }

    pub(super) fn read(reader: &mut Reader) -> Option<Record> {
        Some(match reader.u8()? {
            1 => Record::Promise {
                share: reader.share()?,
                epoch: reader.epoch()?,
                memo: reader.bytes()?.to_vec(),
            },
            2 => {
                let (share, first) = (reader.share()?, reader.u64()?);
                let count = reader.u32()?;
                let entries = (0..count).map(|_| reader.bytes().map(<[u8]>::to_vec));
                Record::Append { share, first, entries: entries.collect::<Option<_>>()? }
            }
            3 => Record::Cut { share: reader.share()?, from: reader.u64()? },
            4 => Record::Image {
                share: reader.share()?,
                file: reader.u64()?,
                head: read_image_head(reader)?,
            },
            5 => Record::DropShare { share: reader.share()? },
            6 => Record::Sealed(Box::new(Entry::read(reader)?)),
            7 => Record::Set { id: reader.id()?, set: read_set(reader)? },
            8 => Record::Drop { id: reader.id()? },
            _ => return None,
        })
    }

    /// All records of a batch.
    pub(super) fn read_all(body: &[u8]) -> Option<Vec<Record>> {
        let mut reader = Reader(body);
        let mut records = Vec::new();
        while !reader.is_empty() {
            records.push(Record::read(&mut reader)?);
        }
        Some(records)
    }
}

pub(super) fn write_image_head(writer: &mut Writer, head: &ImageHead) {
    writer.u64(head.applied);
    writer.u64(head.epoch.0);
    writer.u64(head.length);
    writer.raw(&head.root);
}

pub(super) fn read_image_head(reader: &mut Reader) -> Option<ImageHead> {
    Some(ImageHead {
        applied: reader.u64()?,
        epoch: reader.epoch()?,
        length: reader.u64()?,
        root: reader.hash()?,
    })
}

pub(super) fn write_set(writer: &mut Writer, set: &HolderSet) {
    writer.u64(set.version);
    writer.names(&set.members);
}

pub(super) fn read_set(reader: &mut Reader) -> Option<HolderSet> {
    Some(HolderSet { version: reader.u64()?, members: reader.names()? })
}
