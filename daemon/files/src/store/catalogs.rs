//! The catalogs on disk: promises, logs and images of each share. It owns what is known of them.

use super::codec::{Reader, Writer};
use super::disk::Disk;
use super::hashing::{Hashed, Hashing};
use super::head;
use super::job::{ImageHead, Refused, ShareStanding};
use super::log::Log;
use super::record::{Record, read_image_head, write_image_head};
use crate::ids::Epoch;
use crate::path::ShareName;
use std::collections::BTreeMap;
use std::io;

/// The most catalogs.
pub(super) const MAX_SHARES: usize = 256;

/// The directory.
pub(super) const DIRECTORY: &str = "catalog";

/// All catalogs that are here.
#[derive(Debug)]
pub(super) struct Catalogs<D: Disk> {
    shares: BTreeMap<ShareName, Share>,
    /// Images that are received.
    incoming: BTreeMap<ShareName, Incoming<D>>,
    /// Files that may be removed after the next checkpoint.
    garbage: Vec<String>,
}

/// One catalog.
#[derive(Debug)]
pub(super) struct Share {
    epoch: Epoch,
    memo: Vec<u8>,
    image: Option<Image>,
    pub(super) log: Log,
    damaged: Option<String>,
}

/// Its image.
#[derive(Debug)]
struct Image {
    file: u64,
    head: ImageHead,
    hashed: Option<Hashed>,
}

#[derive(Debug)]
struct Incoming<D: Disk> {
    file: D::File,
    hashing: Hashing,
}

impl Default for Share {
    fn default() -> Share {
        let log = Log::new();
        Share { epoch: Epoch(0), memo: Vec::new(), image: None, log, damaged: None }
    }
}

impl<D: Disk> Default for Catalogs<D> {
    fn default() -> Catalogs<D> {
        Catalogs { shares: BTreeMap::new(), incoming: BTreeMap::new(), garbage: Vec::new() }
    }
}

pub(super) fn directory(share: &ShareName) -> String {
    // A name may be `.x`, but never one of these two words.
    format!("{DIRECTORY}/{share}")
}

fn image_path(share: &ShareName, file: u64) -> String {
    format!("{}/image.{file:016x}", directory(share))
}

fn incoming_path(share: &ShareName) -> String {
    format!("{}/image.new", directory(share))
}

impl<D: Disk> Catalogs<D> {
    /// A catalog. One that is damaged is none.
    pub(super) fn get(&self, share: &ShareName) -> Result<&Share, Refused> {
        let share = self.shares.get(share).ok_or(Refused::Unknown)?;
        match &share.damaged {
            Some(why) => Err(Refused::Bad(why.clone())),
            None => Ok(share),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shares.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        let images = |share: &Share| share.image.as_ref().map_or(0, |image| image.head.length);
        let shares = self.shares.values().map(|share| share.log.bytes() + images(share));
        let incoming = self.incoming.values().map(|incoming| incoming.hashing.length());
        shares.sum::<u64>() + incoming.sum::<u64>()
    }

    pub(super) fn standings(&self) -> Vec<ShareStanding> {
        let standing = |(name, share): (&ShareName, &Share)| ShareStanding {
            share: name.clone(),
            epoch: share.epoch,
            memo: share.memo.clone(),
            image: share.image.as_ref().map(|image| image.head),
            first: share.log.first(),
            end: share.log.end(),
            damaged: share.damaged.clone(),
        };
        self.shares.iter().map(standing).collect()
    }

    /// Does what a durable record says, or says again. The directory is made when it is needed.
    pub(super) fn apply(&mut self, disk: &D, record: &Record) -> io::Result<()> {
        match record {
            Record::Promise { share, epoch, memo } => {
                let share = self.shares.entry(share.clone()).or_default();
                share.epoch = *epoch;
                share.memo.clone_from(memo);
            }
            Record::Append { share: name, first, entries } => {
                let directory = directory(name);
                if self.shares.get(name).is_none_or(|share| share.log.is_empty()) {
                    disk.create_directory(&directory)?;
                }
                let share = self.shares.entry(name.clone()).or_default();
                share.log.append(disk, &directory, *first, entries)?;
                if share.log.end() == first + entries.len() as u64 {
                    let names = share.log.names(&directory);
                    self.garbage.retain(|garbage| !names.contains(garbage));
                }
            }
            Record::Cut { share: name, from } => {
                if let Some(share) = self.shares.get_mut(name) {
                    let directory = directory(name);
                    let is_all = share.image.is_some() && *from <= share.applied() + 1;
                    self.garbage.extend(match is_all {
                        true => share.log.cut_all(&directory, *from),
                        false => share.log.cut(disk, &directory, *from)?,
                    });
                }
            }
            Record::Image { share: name, file, head } => {
                let share = self.shares.entry(name.clone()).or_default();
                let image = Image { file: *file, head: *head, hashed: None };
                if let Some(old) = share.image.replace(image).filter(|old| old.file != *file) {
                    let path = image_path(name, old.file);
                    self.garbage.extend([format!("{path}.h"), path]);
                }
                let next = head.applied + 1;
                self.garbage.extend(share.log.drop_before(&directory(name), next));
            }
            Record::DropShare { share: name } => {
                if let Some(share) = self.shares.remove(name) {
                    self.garbage.extend(share.log.names(&directory(name)));
                    let image = share.image.map(|image| image_path(name, image.file));
                    self.garbage.extend(
                        image.map(|path| [format!("{path}.h"), path]).into_iter().flatten(),
                    );
                }
            }
            Record::Sealed(_) | Record::Set { .. } | Record::Drop { .. } => {}
        }
        Ok(())
    }

    /// Takes a piece of the next image.
    pub(super) fn take_piece(
        &mut self,
        disk: &D,
        share: &ShareName,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<Result<(), Refused>> {
        if offset == 0 {
            disk.create_directory(&directory(share))?;
            let file = disk.create(&incoming_path(share))?;
            let incoming = Incoming { file, hashing: Hashing::default() };
            self.incoming.insert(share.clone(), incoming);
        }
        let Some(incoming) = self.incoming.get_mut(share) else {
            return Ok(Err(Refused::Unknown));
        };
        let expected = incoming.hashing.length();
        if offset != expected {
            return Ok(Err(Refused::Misplaced { expected }));
        }
        disk.write_at(&incoming.file, bytes, offset)?;
        incoming.hashing.push(bytes);
        Ok(Ok(()))
    }

    /// Drops the pieces of the next image.
    pub(super) fn drop_incoming(&mut self, disk: &D, share: &ShareName) {
        if self.incoming.remove(share).is_some() {
            // What stays is removed at the next start.
            let _ = disk.remove(&incoming_path(share));
        }
    }

    /// What the pieces of the next image are.
    pub(super) fn incoming(&self, share: &ShareName) -> Option<Hashed> {
        self.incoming.get(share).map(|incoming| incoming.hashing.finish())
    }

    /// Makes the pieces a durable file of this number, which no record names yet.
    pub(super) fn place_image(&mut self, disk: &D, share: &ShareName, file: u64) -> io::Result<()> {
        let incoming = self.incoming.remove(share).ok_or(io::ErrorKind::NotFound)?;
        let path = image_path(share, file);
        let groups = head::seal_groups(&incoming.hashing.finish());
        let beside = disk.create(&format!("{path}.h"))?;
        disk.write_at(&beside, &groups, 0)?;
        disk.sync(&beside)?;
        disk.sync(&incoming.file)?;
        disk.rename(&incoming_path(share), &path)?;
        disk.sync_directory(&directory(share))?;
        disk.sync_directory(DIRECTORY)
    }

    /// Reads a part of an image, and verifies it.
    pub(super) fn read_image(
        &mut self,
        disk: &D,
        name: &ShareName,
        offset: u64,
        bytes: usize,
    ) -> Result<Vec<u8>, Refused> {
        self.get(name)?;
        let image = self.shares.get_mut(name).and_then(|share| share.image.as_mut());
        let image = image.ok_or(Refused::Unknown)?;
        let path = image_path(name, image.file);
        if image.hashed.is_none() {
            image.hashed = Some(head::read_groups(disk, &format!("{path}.h"), &image.head)?);
        }
        let hashed = image.hashed.as_ref().ok_or(Refused::Unknown)?;
        head::read_verified(disk, &path, hashed, offset, bytes)
    }

    /// Reads entries of a log.
    pub(super) fn read_log(
        &self,
        disk: &D,
        share: &ShareName,
        from: u64,
        max_bytes: usize,
    ) -> Result<(u64, Vec<Vec<u8>>), Refused> {
        let log = &self.get(share)?.log;
        let from = from.max(log.first());
        let read = log.read(disk, &directory(share), from, max_bytes);
        let entries =
            read.map_err(|error| Refused::Bad(format!("{}: {error}", directory(share))))?;
        Ok((from, entries))
    }

    /// Makes all of it durable, apart from what is received.
    pub(super) fn sync(&mut self, disk: &D) -> io::Result<()> {
        let mut any = false;
        for (name, share) in &mut self.shares {
            let directory = directory(name);
            if share.log.sync(disk, &directory)? {
                disk.sync_directory(&directory)?;
                any = true;
            }
        }
        if any { disk.sync_directory(DIRECTORY) } else { Ok(()) }
    }

    /// Removes what no checkpoint names any more. A file that stays is removed at the next start.
    pub(super) fn remove_garbage(&mut self, disk: &D) {
        for path in self.garbage.drain(..) {
            let _ = disk.remove(&path);
        }
    }

    /// Finds damage after a replay, and removes what no record names.
    pub(super) fn reconcile(&mut self, disk: &D) -> io::Result<()> {
        self.garbage.clear();
        for (name, share) in &mut self.shares {
            if let Some(missing) = share.log.missing() {
                share.damaged = Some(format!("{}: entry {missing} is lost", directory(name)));
            }
            if let Some(image) = &share.image {
                let path = image_path(name, image.file);
                let length = disk.open(&path).and_then(|file| disk.length(&file));
                if length.ok() != Some(image.head.length) {
                    share.damaged = Some(format!("{path} is lost"));
                }
            }
        }
        for name in disk.list(DIRECTORY)? {
            let Ok(share) = ShareName::new(&name) else { continue };
            let mut kept = Vec::new();
            if let Some(known) = self.shares.get(&share) {
                kept = known.log.names(&directory(&share));
                let image = known.image.as_ref().map(|image| image_path(&share, image.file));
                kept.extend(image.map(|path| [format!("{path}.h"), path]).into_iter().flatten());
                if known.damaged.is_some() {
                    continue;
                }
            }
            for file in disk.list(&directory(&share))? {
                let path = format!("{}/{file}", directory(&share));
                if !kept.contains(&path) {
                    disk.remove(&path)?;
                }
            }
            if !self.shares.contains_key(&share) {
                disk.remove_directory(&directory(&share))?;
            }
        }
        Ok(())
    }

    /// What a checkpoint keeps of them.
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.u32(u32::try_from(self.shares.len()).unwrap_or(u32::MAX));
        for (name, share) in &self.shares {
            writer.share(name);
            writer.u64(share.epoch.0);
            writer.bytes(&share.memo);
            writer.bytes(share.damaged.as_deref().unwrap_or("").as_bytes());
            writer.u8(u8::from(share.image.is_some()));
            if let Some(image) = &share.image {
                writer.u64(image.file);
                write_image_head(writer, &image.head);
            }
            share.log.write(writer);
        }
    }

    /// Finds again what a checkpoint kept.
    pub(super) fn load(disk: &D, reader: &mut Reader) -> Option<io::Result<Catalogs<D>>> {
        let mut catalogs = Catalogs::default();
        let count = reader.u32()?;
        for _ in 0..count {
            let name = reader.share()?;
            let (epoch, memo) = (reader.epoch()?, reader.bytes()?.to_vec());
            let damaged = Some(reader.text()?.to_owned()).filter(|why| !why.is_empty());
            let image = match reader.u8()? {
                0 => None,
                _ => {
                    let (file, head) = (reader.u64()?, read_image_head(reader)?);
                    Some(Image { file, head, hashed: None })
                }
            };
            let log = match Log::load(disk, &directory(&name), reader)? {
                Ok(log) => log,
                Err(error) => return Some(Err(error)),
            };
            let share = Share { epoch, memo, image, log, damaged };
            catalogs.shares.insert(name, share);
        }
        Some(Ok(catalogs))
    }
}

impl Share {
    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The last entry that is in the image.
    pub(super) fn applied(&self) -> u64 {
        self.image.as_ref().map_or(0, |image| image.head.applied)
    }
}
