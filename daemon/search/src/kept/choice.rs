//! Chooses among the kept streams of a machine as a search there chooses among its exposed files.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;

use memberd_control::grep::GrepPosition;
use memberd_copies::kept::KeptStream;
use memberd_copies::stream::StreamHead;

use super::file::KeptFile;
use crate::files::{FileFilter, MAX_FILES};

/// The kept streams that a search wants.
#[derive(Debug, Clone, Default)]
pub struct KeptFiles {
    /// The files in order of their paths. Those that were rotated away from one come directly
    /// before it, the oldest first.
    pub files: Vec<KeptFile>,
    /// The FILE globs that matched none of them, as written.
    pub unmatched: Vec<String>,
    /// Whether files are missing, since there are more than [`MAX_FILES`].
    pub cut: bool,
}

impl KeptFiles {
    /// Chooses by `filter`. What its machine does not offer any more is left out.
    ///
    /// Without `--rotated`, those are chosen that a search of the machine finds under their own
    /// path. With it, also what was rotated away from them, for as long as it is kept here.
    pub fn choose(streams: Vec<KeptStream>, filter: &FileFilter) -> KeptFiles {
        let mut tracker = filter.tracker();
        let mut chains: BTreeMap<PathBuf, Vec<KeptStream>> = BTreeMap::new();
        for stream in streams.into_iter().filter(|stream| stream.head.offered) {
            let key = if filter.wants_rotated() { &stream.head.origin } else { &stream.head.path };
            chains.entry(key.clone()).or_default().push(stream);
        }
        let mut files = Vec::new();
        for (path, mut chain) in chains {
            let wants_path = tracker.wants(&path);
            chain.retain(|KeptStream { head, .. }| match filter.wants_rotated() {
                true if wants_path => !filter.excludes(&head.path),
                // A rotated file may be named by itself.
                true => head.listed && head.path != path && tracker.wants(&head.path),
                false => wants_path && head.listed,
            });
            chain.sort_by_cached_key(|KeptStream { head, .. }| age(head));
            files.extend(chain.into_iter().map(KeptFile::new));
        }
        let cut = files.len() > MAX_FILES;
        files.truncate(MAX_FILES);
        KeptFiles { files, unmatched: tracker.unmatched(), cut }
    }

    /// Chooses for a follow that stood at `positions` when its member was lost: the files that a
    /// search without `--rotated` finds, and those with a position, whatever they are named now.
    pub fn choose_followed(
        streams: Vec<KeptStream>,
        filter: &FileFilter,
        positions: &[GrepPosition],
    ) -> KeptFiles {
        let mut tracker = filter.tracker();
        let mut chosen: Vec<KeptStream> = Vec::new();
        for stream in streams.into_iter().filter(|stream| stream.head.offered) {
            let StreamHead { id, path, origin, listed, .. } = &stream.head;
            let is_known =
                |known: &GrepPosition| (known.device, known.inode) == (id.device, id.inode);
            let is_wanted = match listed {
                true => tracker.wants(path),
                false => positions.iter().any(is_known) && tracker.wants(origin),
            };
            if is_wanted {
                chosen.push(stream);
            }
        }
        // What was rotated away was written before.
        chosen.sort_by_cached_key(|stream| (stream.head.origin.clone(), age(&stream.head)));
        let cut = chosen.len() > MAX_FILES;
        let files = chosen.into_iter().take(MAX_FILES).map(KeptFile::new).collect();
        KeptFiles { files, unmatched: tracker.unmatched(), cut }
    }
}

/// The order of writing: the file that others were rotated away from comes last.
fn age(head: &StreamHead) -> (bool, i64, Reverse<PathBuf>, u64) {
    let is_live = head.listed && head.path == head.origin;
    (is_live, head.modified_ms, Reverse(head.path.clone()), head.id.begun_ms)
}
