//! This member's own tags: changed while it is in the group, without a new incarnation, and set
//! right where others hold wrong ones.

use super::Node;
use crate::gossip::broadcast::Source;
use crate::list::tags::{Tags, VersionedTags};
use crate::time::Now;

impl Node {
    /// The same node, which says this of itself.
    #[must_use]
    pub fn with_tags(mut self, tags: Tags) -> Self {
        self.tags = VersionedTags::first(tags);
        self
    }

    /// What this member says of itself from now on. The others are told, if it is in the group.
    pub fn set_tags(&mut self, now: Now, tags: Tags) {
        if self.tags.told().is_none_or(Tags::is_empty) && tags.is_empty()
            || self.tags.told() == Some(&tags)
        {
            return;
        }
        self.change_tags(&self.tags.clone(), tags, now);
        self.settle(now);
    }

    /// What this member says of itself.
    pub fn tags(&self) -> Tags {
        self.tags.told().cloned().unwrap_or_default()
    }

    /// Others hold tags of this very life. If they would win over its own, those are said again,
    /// and win.
    pub(super) fn correct_tags(&mut self, theirs: &VersionedTags, now: Now) {
        if *theirs > self.tags {
            self.change_tags(theirs, self.tags(), now);
        }
    }

    fn change_tags(&mut self, last: &VersionedTags, tags: Tags, now: Now) {
        if !self.in_group() {
            self.tags = VersionedTags::first(tags);
        } else if let Some(changed) = VersionedTags::changed_after(last, tags.clone()) {
            self.tags = changed;
            if let Some(change) = self.list.merge(self.introduction(), now.mono) {
                self.changed(&change, now);
            }
            let ride = self.settings.group.heartbeat_interval * 2;
            self.rumours.learn(
                self.introduction(),
                Source::FirstHand,
                self.list.up(),
                ride,
                now.mono,
            );
        } else {
            // No member changes its tags four thousand million times: somebody lied. In another
            // life it counts anew.
            self.tags = VersionedTags::first(tags);
            self.renew_alone(now);
        }
    }
}
