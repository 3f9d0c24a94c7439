//! This member itself. It owns the name, address, incarnation and tags of its messages, which it
//! alone decides.

use crate::detector::peer_clock::{SentAt, sent_at};
use crate::identity::{Identity, Incarnation, Name};
use crate::list::tags::{Tags, VersionedTags};
use crate::list::{Claim, Update};
use crate::time::{Instant, Now};
use std::net::SocketAddr;
use std::time::Duration;

/// For this long after the begin of its incarnation, a member's updates introduce it.
const INTRODUCES_ITSELF: Duration = Duration::from_secs(10);

/// This member.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) name: Name,
    pub(crate) address: SocketAddr,
    /// The present incarnation, or the last one.
    pub(crate) incarnation: Incarnation,
    pub(crate) tags: VersionedTags,
    /// When the present incarnation began.
    pub(crate) began: Instant,
}

impl Local {
    pub(crate) fn new(name: Name, address: SocketAddr, last: Option<Incarnation>) -> Self {
        Local {
            name,
            address,
            incarnation: last.unwrap_or(Incarnation(0)),
            tags: VersionedTags::default(),
            began: Instant::EPOCH,
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity { name: self.name.clone(), address: self.address, incarnation: self.incarnation }
    }

    /// The update about itself: it is alive.
    pub(crate) fn introduction(&self) -> Update {
        Update {
            identity: self.identity(),
            claim: Claim::Alive,
            tags: self.tags.clone(),
            ended: None,
        }
    }

    /// Whether some members may not know it yet.
    pub(crate) fn is_new(&self, now: Instant) -> bool {
        now.since(self.began) < INTRODUCES_ITSELF
    }

    /// The next incarnation. It is the wall clock's time, but always larger than the last one and
    /// than the group's.
    pub(crate) fn next_incarnation(&self, now: Now, known: Incarnation) -> Incarnation {
        let larger = self.incarnation.max(known).0.saturating_add(1);
        Incarnation(now.wall.0.max(larger))
    }

    /// Begins an incarnation. Each incarnation counts the versions of tags again.
    pub(crate) fn begin(&mut self, incarnation: Incarnation, now: Instant) {
        self.incarnation = incarnation;
        self.tags = VersionedTags::first(self.tags());
        self.began = now;
    }

    /// The tags, without their version.
    pub(crate) fn tags(&self) -> Tags {
        self.tags.tags().cloned().unwrap_or_default()
    }

    /// Takes tags that win over `last`. Returns whether a version was left for them. Without one,
    /// only another incarnation can carry them.
    pub(crate) fn change_tags(&mut self, last: &VersionedTags, tags: Tags) -> bool {
        let changed = VersionedTags::changed_after(last, tags.clone());
        let versioned = changed.is_some();
        self.tags = changed.unwrap_or_else(|| VersionedTags::first(tags));
        versioned
    }

    /// The send time of a message that is sent now, on this member's two clocks.
    pub(crate) fn sent_at(&self, now: Now) -> SentAt {
        sent_at(now, self.began)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{address, at, name, tags};

    #[test]
    fn the_next_incarnation_is_larger_than_all_known() {
        let mut local = Local::new(name(1), address(1), None);
        let wall = Incarnation(at(0).wall.0);
        assert_eq!(local.next_incarnation(at(0), Incarnation(0)), wall);
        assert_eq!(local.next_incarnation(at(0), wall), Incarnation(wall.0 + 1));
        local.begin(Incarnation(wall.0 + 500), at(0).mono);
        assert_eq!(local.next_incarnation(at(7), wall), Incarnation(wall.0 + 501));
    }

    #[test]
    fn tags_survive_a_new_incarnation_and_their_version_does_not() {
        let mut local = Local::new(name(1), address(1), None);
        assert!(local.change_tags(&VersionedTags::default(), tags("role", "web")));
        assert!(local.change_tags(&local.tags.clone(), tags("role", "db")));
        assert_eq!(local.tags.version(), 2);
        local.begin(Incarnation(9), at(0).mono);
        assert_eq!(local.tags.version(), 1);
        assert_eq!(local.tags(), tags("role", "db"));
    }

    #[test]
    fn tags_without_a_version_left_need_another_incarnation() {
        let mut local = Local::new(name(1), address(1), None);
        let last = VersionedTags::new(u32::MAX, tags("role", "web"));
        assert!(!local.change_tags(&last, tags("role", "db")));
        assert_eq!(local.tags(), tags("role", "db"));
    }

    #[test]
    fn a_member_introduces_itself_for_a_while() {
        let mut local = Local::new(name(1), address(1), None);
        local.begin(Incarnation(9), at(1_000).mono);
        assert!(local.is_new(at(10_999).mono));
        assert!(!local.is_new(at(11_000).mono));
    }
}
