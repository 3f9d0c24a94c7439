//! What lies beside an extent or an image: its hashes, and what is known of it.

use super::codec::{Reader, Writer, seal, unseal};
use super::disk::{Disk, read_file};
use super::hashing::Hashed;
use super::job::{ExtentFacts, ExtentHead, ImageHead, Refused};
use super::record::{read_set, write_set};
use std::io;

const MAGIC: [u8; 8] = *b"mbfhead1";

/// The most bytes of such a file: an image may be large.
const MAX_BYTES: u64 = 16 << 20;

/// What lies beside an extent.
pub(super) fn seal_head(head: &ExtentHead) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.bytes(head.facts.hint.as_bytes());
    writer.share(&head.facts.share);
    writer.u64(head.facts.inode.0);
    writer.u64(head.facts.created_ms);
    write_set(&mut writer, &head.facts.set);
    write_hashes(&mut writer, head.length, &head.root, &head.groups);
    seal(MAGIC, &writer.0)
}

fn parse_head(bytes: &[u8]) -> Option<ExtentHead> {
    let mut reader = Reader(unseal(MAGIC, bytes)?);
    let hint = reader.text()?.to_owned();
    let (share, inode) = (reader.share()?, reader.inode()?);
    let (created_ms, set) = (reader.u64()?, read_set(&mut reader)?);
    let hashed = read_hashes(&mut reader)?;
    let facts = ExtentFacts { share, inode, set, created_ms, hint };
    let Hashed { length, root, groups } = hashed;
    Some(ExtentHead { facts, length, root, groups })
}

/// Reads what lies beside an extent. None: it is damaged.
pub(super) fn read_head<D: Disk>(disk: &D, path: &str) -> io::Result<Option<ExtentHead>> {
    Ok(parse_head(&read_file(disk, path, MAX_BYTES)?))
}

/// What lies beside an image.
pub(super) fn seal_groups(hashed: &Hashed) -> Vec<u8> {
    let mut writer = Writer::default();
    write_hashes(&mut writer, hashed.length, &hashed.root, &hashed.groups);
    seal(MAGIC, &writer.0)
}

pub(super) fn read_groups<D: Disk>(
    disk: &D,
    path: &str,
    head: &ImageHead,
) -> Result<Hashed, Refused> {
    let bytes = read_file(disk, path, MAX_BYTES);
    let bytes = bytes.map_err(|error| Refused::Bad(format!("{path}: {error}")))?;
    let hashed = unseal(MAGIC, &bytes).and_then(|body| read_hashes(&mut Reader(body)));
    let hashed = hashed.filter(|hashed| (hashed.length, hashed.root) == (head.length, head.root));
    hashed.ok_or_else(|| Refused::Bad(path.to_owned()))
}

fn write_hashes(writer: &mut Writer, length: u64, root: &[u8; 32], groups: &[[u8; 32]]) {
    writer.u64(length);
    writer.raw(root);
    writer.u32(u32::try_from(groups.len()).unwrap_or(u32::MAX));
    groups.iter().for_each(|group| writer.raw(group));
}

fn read_hashes(reader: &mut Reader) -> Option<Hashed> {
    let (length, root) = (reader.u64()?, reader.hash()?);
    let count = reader.u32()?;
    let groups = (0..count).map(|_| reader.hash()).collect::<Option<_>>()?;
    Some(Hashed { length, root, groups })
}

/// Reads a part of a file, and verifies the groups that it is in.
pub(super) fn read_verified<D: Disk>(
    disk: &D,
    path: &str,
    hashed: &Hashed,
    offset: u64,
    bytes: usize,
) -> Result<Vec<u8>, Refused> {
    let end = offset.saturating_add(bytes as u64).min(hashed.length);
    if offset >= end {
        return Ok(Vec::new());
    }
    let (from, to) = hashed.around(offset, end - offset);
    let bad = |error: &dyn std::fmt::Display| Refused::Bad(format!("{path}: {error}"));
    let mut read = vec![0; usize::try_from(to - from).map_err(|error| bad(&error))?];
    let file = disk.open(path).map_err(|error| bad(&error))?;
    disk.read_at(&file, &mut read, from).map_err(|error| bad(&error))?;
    if let Some(place) = hashed.first_bad(from, &read) {
        return Err(bad(&format!("the 64 KiB at byte {place} are damaged")));
    }
    let head = usize::try_from(offset - from).map_err(|error| bad(&error))?;
    let length = usize::try_from(end - offset).map_err(|error| bad(&error))?;
    read.drain(..head);
    read.truncate(length);
    Ok(read)
}
