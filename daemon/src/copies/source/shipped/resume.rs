//! Finds the files of which a keeper has copies, and goes on where these end. It owns no state.

use super::{Broken, Keeper, NEW_KEEPER_BYTES, Phase, Shipped};
use crate::copies::source::file::Followed;
use crate::copies::source::files::{FileKey, Files};
use crate::copies::source::offer::Offer;
use memberd_copies::standing::Standing;
use memberd_copies::stream::{Joint, StreamId};
use std::time::Instant;

/// How a file is looked for among what a keeper has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Inode,
    /// By the path that it was rotated away from: it may be a copy of the file.
    Origin,
    /// A copy that cannot go on, so that a new one continues it.
    Continued,
}

impl By {
    /// A file is first looked for by its inode.
    const ALL: [By; 3] = [By::Inode, By::Origin, By::Continued];
}

impl Keeper {
    /// Finds out which of its copies are of which files, and goes on with them.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(in crate::copies::source) fn begin(
        &mut self,
        files: &mut Files,
        offer: &Offer,
        now: Instant,
    ) -> Result<(), Broken> {
        let Phase::Asking(mut standings) = std::mem::take(&mut self.phase) else { return Ok(()) };
        self.phase = Phase::Going;
        self.trouble = None;
        self.last_begun_ms =
            standings.iter().map(|standing| standing.head.id.begun_ms).max().unwrap_or(0);
        // The newest first: an inode may have been used before.
        standings.sort_by_key(|standing| std::cmp::Reverse(standing.head.id.begun_ms));
        let continued = standings.iter().filter_map(|standing| standing.head.continues);
        self.continued = continued.map(|joint| joint.stream).collect();
        self.former = standings;
        for by in By::ALL {
            for key in files.keys() {
                self.find(key, files, by);
            }
        }
        self.told_behind = (None, now);
        self.tell_heads(files, offer)
    }

    /// Looks for a file among what the keeper has.
    fn find(&mut self, key: FileKey, files: &mut Files, by: By) {
        if self.is_known(key) {
            return;
        }
        let Some(file) = files.open(key).filter(|file| file.is_open()) else { return };
        if by == By::Continued {
            if let Some(joint) = self.joint(file) {
                self.continued.insert(joint.stream);
                self.starts.insert(key, (joint.at, Some(joint)));
            }
            return;
        }
        let is_of = |standing: &Standing| {
            let is_candidate = match by {
                By::Inode => is_of_inode(file, standing),
                _ => standing.head.origin == file.origin && standing.last.is_some(),
            };
            is_candidate && !standing.is_damaged && file.is_kept_as(standing).unwrap_or(false)
        };
        if let Some(at) = self.former.iter().position(is_of) {
            let Standing { head, begin, end, last, .. } = self.former.remove(at);
            if file.skip_to(end).is_ok() {
                self.by_stream.insert(head.id, key);
                let (version, sent, kept) = (None, end, end);
                self.files.insert(key, Shipped { head, version, begin, sent, last, kept });
            }
            return;
        }
        // A copy that rotation made while its original had more is no new text.
        let is_in = |kept: &Standing| {
            let is_longer = kept.end >= file.size && !kept.is_damaged;
            is_longer && kept.head.origin == file.origin && file.is_beginning_of(kept)
        };
        if by == By::Origin && file.path != file.origin && self.former.iter().any(is_in) {
            self.passed.insert(key);
        }
    }

    /// The copy of this file that cannot go on, and from where on a new one continues it.
    fn joint(&self, file: &Followed) -> Option<Joint> {
        let is_candidate = |kept: &&Standing| {
            // A copy that rotation made holds what a damaged one has.
            let is_copy = kept.is_damaged && kept.head.origin == file.origin;
            !self.continued.contains(&kept.head.id) && (is_of_inode(file, kept) || is_copy)
        };
        self.former.iter().filter(is_candidate).find_map(|kept| {
            let at = file.has_of(kept).ok().flatten()?;
            Some(Joint { stream: kept.head.id, at })
        })
    }

    /// Whether it is known what is to be sent of a file.
    fn is_known(&self, key: FileKey) -> bool {
        self.files.contains_key(&key)
            || self.starts.contains_key(&key)
            || self.passed.contains(&key)
    }

    /// Finds out where a file begins that was not sent yet. Its copy may be there from before.
    pub(super) fn settle(&mut self, key: FileKey, files: &mut Files) {
        for by in By::ALL {
            if self.is_known(key) {
                return;
            }
            self.find(key, files, by);
        }
        if self.is_known(key) {
            return;
        }
        // One that was truncated is not open until its copy is found, which may be there from
        // before. That it was may not have been seen yet: then nothing of it was found just now.
        let open = files.open(key).filter(|file| file.has_what_was_read().unwrap_or(false));
        if let Some(start) = open.and_then(|file| file.first_offset(NEW_KEEPER_BYTES).ok()) {
            self.starts.insert(key, (start, None));
        }
    }
}

fn is_of_inode(file: &Followed, standing: &Standing) -> bool {
    let StreamId { device, inode, .. } = standing.head.id;
    (device, inode) == (file.identity.device, file.identity.inode)
}
