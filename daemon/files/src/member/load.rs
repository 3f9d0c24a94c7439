//! What is on a member's disk when its process begins: [`OnDisk`].

use crate::catalog::{Catalog, Entry};
use crate::disk::StoredExtent;
use crate::ids::ExtentId;
use crate::keeper::{Durable, ImageAt, Mark};
use crate::path::ShareName;
use crate::store::{
    Disk, Done, ExtentHead, Job, JobId, ListedExtent, Refused, ShareStanding, Store,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The extents of one page.
const PAGE: usize = 1_000;

/// What is on a member's disk when its process begins. The default: a disk that is blank.
#[derive(Debug, Clone, Default)]
pub struct OnDisk {
    pub(super) shares: BTreeMap<ShareName, Durable>,
    /// Catalogs that cannot be read: they are dropped.
    pub(super) damaged: Vec<ShareName>,
    pub(super) extents: Vec<StoredExtent>,
    /// Those of them that are damaged.
    pub(super) bad: Vec<ExtentId>,
}

impl OnDisk {
    /// Reads what is on the disk. Call it once after [`Store::open`], before any other job. Extents
    /// of which nothing can be read any more are dropped; others have them.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn load<D: Disk>(store: &mut Store<D>) -> Result<OnDisk, Refused> {
        let mut found = OnDisk::default();
        for standing in store.shares() {
            let share = standing.share.clone();
            match catalog(store, &standing)? {
                Some(durable) => drop(found.shares.insert(share, durable)),
                None => found.damaged.push(share),
            }
        }
        let mut after = None;
        loop {
            let job = Job::List { with: None, after, limit: PAGE };
            let Done::Extents(page) = run(store, job)? else { return Err(Refused::Invalid) };
            after = page.last().map(|listed| listed.id);
            let is_last = page.len() < PAGE;
            for listed in page {
                extent(store, &mut found, &listed)?;
            }
            if is_last {
                break;
            }
        }
        // Those that were just found damaged are among them.
        store.take_bad();
        Ok(found)
    }
}

fn run<D: Disk>(store: &mut Store<D>, job: Job) -> Result<Done, Refused> {
    store.take(JobId(0), job);
    store.commit();
    store.poll_done().map_or(Err(Refused::Invalid), |(_, result)| result)
}

/// What is damaged is none.
fn whole<T>(result: Result<T, Refused>) -> Result<Option<T>, Refused> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Refused::Failed(why)) => Err(Refused::Failed(why)),
        Err(_) => Ok(None),
    }
}

/// A catalog; nothing if a part of it cannot be read.
fn catalog<D: Disk>(
    store: &mut Store<D>,
    standing: &ShareStanding,
) -> Result<Option<Durable>, Refused> {
    let mark = Mark::decode(&standing.memo).filter(|_| standing.damaged.is_none());
    let Some(mark) = mark else { return Ok(None) };
    let image = match standing.image {
        Some(head) => {
            let Some(bytes) = whole(image(store, &standing.share, head.length))? else {
                return Ok(None);
            };
            let Ok(catalog) = Catalog::from_image(&standing.share, &bytes) else {
                return Ok(None);
            };
            Some(ImageAt { at: catalog.applied(), bytes: Arc::new(bytes) })
        }
        None => None,
    };
    let Some(entries) = whole(log(store, standing))? else { return Ok(None) };
    Ok(Some(Durable { mark: Some(mark), image, entries }))
}

fn image<D: Disk>(
    store: &mut Store<D>,
    share: &ShareName,
    length: u64,
) -> Result<Vec<u8>, Refused> {
    let mut image = Vec::new();
    while (image.len() as u64) < length {
        let (share, offset) = (share.clone(), image.len() as u64);
        match run(store, Job::ReadImage { share, offset, bytes: Job::MAX_BYTES })? {
            Done::Bytes(bytes) if !bytes.is_empty() => image.extend_from_slice(&bytes),
            _ => return Err(Refused::Bad("the image is short".to_owned())),
        }
    }
    Ok(image)
}

fn log<D: Disk>(
    store: &mut Store<D>,
    standing: &ShareStanding,
) -> Result<Vec<Arc<Entry>>, Refused> {
    let mut log = Vec::new();
    let mut from = standing.first;
    while from < standing.end {
        let job = Job::ReadLog { share: standing.share.clone(), from, max_bytes: Job::MAX_BYTES };
        match run(store, job)? {
            Done::Entries { entries, .. } if !entries.is_empty() => {
                from += entries.len() as u64;
                for bytes in entries {
                    let entry = Entry::decode(&bytes);
                    let entry = entry.ok_or_else(|| Refused::Bad("no entry".to_owned()))?;
                    log.push(Arc::new(entry));
                }
            }
            _ => return Err(Refused::Bad("the log is short".to_owned())),
        }
    }
    Ok(log)
}

fn extent<D: Disk>(
    store: &mut Store<D>,
    found: &mut OnDisk,
    listed: &ListedExtent,
) -> Result<(), Refused> {
    let extent = listed.id;
    match whole(run(store, Job::Head { id: extent }))? {
        Some(Done::Head(head)) => {
            let ExtentHead { facts, length, root, .. } = *head;
            // Version 0: nobody has told it its set.
            let set = Some(facts.set).filter(|set| set.version > 0);
            found.extents.push(StoredExtent { extent, share: facts.share, length, root, set });
            found.bad.extend(listed.is_bad.then_some(extent));
        }
        _ => drop(run(store, Job::Drop { id: extent })?),
    }
    Ok(())
}
