//! Answers `memberctl file store`: what lies on this disk, and of which files. It owns the paths
//! that were looked up.

use super::Asked;
use super::copies::Up;
use super::fault::Fault;
use crate::files::FilesError;
use memberd_control::message::{FILE_ENTRIES_PER_REPLY, FileReply, StoredExtent};
use memberd_files::store::ListedExtent;
use memberd_files::{ExtentId, Found, HolderSet, InodeId, Query, ShareName, StoredPage};
use std::collections::{BTreeMap, HashMap};

/// How many bytes of paths one reply has at most. A frame has 1 MiB.
const PATH_BYTES: usize = 256 * 1024;

/// The files of extents, and who holds these.
type Files = HashMap<ExtentId, (InodeId, HolderSet)>;

/// Lists the extents in the order of their ids.
pub(super) async fn stored(asked: &mut Asked<'_>) -> Result<(), Fault> {
    let up = Up::look(asked.services).await?;
    let mut paths: HashMap<(ShareName, InodeId), Option<String>> = HashMap::new();
    let mut after = None;
    loop {
        let page = StoredPage { after, limit: FILE_ENTRIES_PER_REPLY };
        let page = asked.files.stored(page).await;
        let page = page.map_err(|error| Fault::failed(error.to_string()))?;
        let Some(last) = page.last() else { return asked.done().await };
        after = Some(last.id);
        let files = files(&page, asked).await;
        // Paths are asked for once, and forgotten with their page: a disk has many files.
        paths.clear();
        let mut part = Part::default();
        for extent in &page {
            let file = files.get(&extent.id);
            let path = match file {
                Some((inode, _)) => {
                    let key = (extent.share.clone(), *inode);
                    if !paths.contains_key(&key) {
                        let path = path_of(&extent.share, *inode, asked).await;
                        paths.insert(key.clone(), path);
                    }
                    paths.get(&key).cloned().flatten()
                }
                None => None,
            };
            let set = file.map_or(&extent.set, |(_, set)| set);
            part.add(record(extent, path, up.holders(set)));
            if part.is_full() {
                asked.send(FileReply::Stored(part.take())).await?;
            }
        }
        asked.send(FileReply::Stored(part.take())).await?;
    }
}

/// What one reply has.
#[derive(Default)]
struct Part {
    extents: Vec<StoredExtent>,
    path_bytes: usize,
}

impl Part {
    fn add(&mut self, extent: StoredExtent) {
        self.path_bytes += extent.path.as_ref().map_or(0, String::len);
        self.extents.push(extent);
    }

    fn is_full(&self) -> bool {
        self.path_bytes >= PATH_BYTES
    }

    fn take(&mut self) -> Vec<StoredExtent> {
        self.path_bytes = 0;
        std::mem::take(&mut self.extents)
    }
}

fn record(extent: &ListedExtent, path: Option<String>, members: Vec<String>) -> StoredExtent {
    StoredExtent {
        id: format!("{:032x}", extent.id.0),
        length: extent.length,
        share: extent.share.to_string(),
        path,
        members,
        created: extent.created_ms,
        damaged: extent.is_bad,
    }
}

/// The files to which these extents belong. A share that does not answer tells of none.
async fn files(page: &[ListedExtent], asked: &Asked<'_>) -> Files {
    let mut by_share: BTreeMap<&ShareName, Vec<ExtentId>> = BTreeMap::new();
    for extent in page {
        by_share.entry(&extent.share).or_default().push(extent.id);
    }
    let mut files = Files::new();
    for (share, ids) in by_share {
        let found = asked.files.ask(share.clone(), Query::InUse(ids.clone()), true).await;
        if let Ok((Found::InUse(uses), _)) = found {
            let known = ids.into_iter().zip(uses).filter_map(|(id, used)| Some((id, used?)));
            files.extend(known);
        }
    }
    files
}

async fn path_of(share: &ShareName, inode: InodeId, asked: &Asked<'_>) -> Option<String> {
    let found: Result<_, FilesError> =
        asked.files.ask(share.clone(), Query::PathOf(inode), true).await;
    match found {
        Ok((Found::Path(path), _)) => Some(path.to_string()),
        _ => None,
    }
}
