//! What becomes of an update about another member: it is merged, waits as a candidate, or counts
//! for nothing. [`Node`] owns the list and the candidates.

use super::Node;
use crate::gossip::Source;
use crate::identity::{Incarnation, Name};
use crate::list::{Claim, Update};
use std::net::SocketAddr;

impl Node {
    /// Takes in an update about another member, from the member at `from`.
    ///
    /// Whoever is alive in the list is known to be there, so all claims about it count. Whoever
    /// else is said to be alive is a candidate, unless it says so itself. That somebody is gone who
    /// was never in the list is of no use to anybody.
    pub(super) fn weigh(&mut self, update: Update, source: Source, from: SocketAddr) {
        if !self.is_plausible(&update) || self.members.forgotten.covers(&update.identity) {
            return;
        }
        let listed = self.members.get(&update.identity.name);
        if listed.is_some_and(|entry| entry.is_up() && entry.is_said_by(&update)) {
            return;
        }
        let known = listed.map(|entry| (entry.is_alive_to_others(), entry.identity.incarnation));
        match (&update.claim, known) {
            (Claim::Failed(_) | Claim::Left, None) => {}
            (Claim::Failed(_) | Claim::Left, Some(_)) | (Claim::Alive, Some((true, _))) => {
                self.merge(update, source);
            }
            (Claim::Alive, Some((false, last))) if update.identity.incarnation <= last => {}
            (Claim::Alive, _) => self.hear(update, source, from),
        }
    }

    /// Somebody is alive who is not alive in the list.
    fn hear(&mut self, update: Update, source: Source, from: SocketAddr) {
        let context = &mut self.context;
        match source {
            Source::FirstHand => {
                if self.candidates.lets_in(&update, context) {
                    self.merge(update, source);
                }
            }
            Source::SecondHand => {
                if let Some(believed) = self.candidates.hear(update, from, context) {
                    self.merge(believed, source);
                }
            }
        }
    }

    /// Another member has heard this one, which may be a candidate here.
    pub(super) fn take_evidence(&mut self, name: &Name, incarnation: Incarnation, by: SocketAddr) {
        let (members, context) = (&self.members, &self.context);
        let believed = self.candidates.on_evidence(name, incarnation, by, members, context);
        if let Some(believed) = believed {
            self.merge(believed, Source::SecondHand);
        }
    }

    /// Takes in an update about another member that is believed.
    pub(super) fn merge(&mut self, update: Update, source: Source) {
        if self.is_plausible(&update)
            && let Some(new) = self.members.merge(update, &mut self.context)
        {
            if new.claim == Claim::Alive && !self.members.forgotten.is_empty() {
                self.forgetting.hurry(self.context.now.mono);
            }
            self.gossip.learn(new, source, &self.members, &self.context);
        }
    }

    /// Takes in the list of another member.
    pub(super) fn merge_list(&mut self, list: &[Update], from: SocketAddr) {
        for update in list {
            if update.identity.name != self.context.local.name {
                self.weigh(update.clone(), Source::SecondHand, from);
            }
        }
        self.doubts.drop_settled(&self.members);
    }

    /// Takes over the list of a side that this member changes to. Whoever is not in its own list is
    /// a candidate: anybody can make a member rejoin.
    pub(super) fn change_sides(&mut self, list: &[Update], from: SocketAddr) {
        let (known, unknown): (Vec<_>, Vec<_>) = list
            .iter()
            .cloned()
            .partition(|update| self.members.get(&update.identity.name).is_some());
        self.take_over(&known);
        self.merge_list(&unknown, from);
    }

    fn is_plausible(&mut self, update: &Update) -> bool {
        let (incarnation, own) = (update.identity.incarnation, self.context.local.incarnation);
        let plausible = self.context.plausibility.is_plausible(incarnation, own);
        self.context.counters.implausible += u64::from(!plausible);
        plausible
    }
}
