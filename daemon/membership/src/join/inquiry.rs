//! Asks whether a member of one's own group is at an address. It owns the question.
//!
//! The question is a request to join, which changes nothing where it arrives. A member of the same
//! group welcomes the sender with a list in which the sender is. Any other answer is one of a
//! stranger.

use crate::calls::{CallError, read_reply};
use crate::context::Context;
use crate::identity::Identity;
use crate::list::{Claim, Update};
use crate::wire::{self, CallReply, CallRequest};

/// The question of a member, for any number of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    own: Identity,
    payload: Vec<u8>,
}

/// Why no member of the own group is at an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Elsewhere {
    /// A member of another group is there.
    #[error("is in another group, of {up} {}", if *.up == 1 { "member" } else { "members" })]
    OtherGroup {
        /// How many members of that group are up.
        up: usize,
    },
    /// The answer is a refusal, or there is none.
    #[error("does not answer as a member of this group: {0}")]
    Unanswered(#[from] CallError),
}

impl Inquiry {
    pub(crate) fn new(own: Identity, context: &Context) -> Self {
        let newcomer = context.local.introduction();
        let request = CallRequest::Join { newcomer, settings: context.group().clone() };
        Inquiry { own, payload: wire::encode_versioned(&request) }
    }

    /// The member that asks.
    pub fn own(&self) -> &Identity {
        &self.own
    }

    /// The bytes of the request, which is to be called over TCP.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Judges the bytes of the reply.
    ///
    /// # Errors
    /// When no member of the same group has answered.
    pub fn judge(&self, reply: Result<&[u8], CallError>) -> Result<(), Elsewhere> {
        match read_reply(reply)? {
            CallReply::Welcome { list, .. } if list.iter().any(|update| self.is_own(update)) => {
                Ok(())
            }
            CallReply::Welcome { list, .. } => {
                let up = list.iter().filter(|update| update.claim == Claim::Alive).count();
                Err(Elsewhere::OtherGroup { up })
            }
            _ => Err(CallError::Unexpected.into()),
        }
    }

    /// A group that was split may hold this very incarnation for failed, and is the same group.
    fn is_own(&self, update: &Update) -> bool {
        let Identity { name, address, incarnation } = &update.identity;
        let is_newest = *incarnation >= self.own.incarnation && update.claim != Claim::Left;
        (name, address) == (&self.own.name, &self.own.address) && is_newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fixture, identity, update};
    use crate::wire::JoinRefusal;

    fn judge(reply: &CallReply) -> Result<(), Elsewhere> {
        let fixture = Fixture::new(2);
        let own = Identity { incarnation: fixture.context.local.incarnation, ..identity(0) };
        let inquiry = Inquiry::new(own, &fixture.context);
        let request = wire::decode_versioned::<CallRequest>(inquiry.payload()).unwrap();
        assert!(matches!(request, CallRequest::Join { .. }));
        inquiry.judge(Ok(&wire::encode_versioned(reply)))
    }

    fn welcome(list: Vec<Update>) -> CallReply {
        CallReply::Welcome { list, last: 0, forgotten: Vec::new() }
    }

    #[test]
    fn a_list_with_this_member_is_of_the_same_group() {
        let own = Fixture::new(2).context.local.introduction();
        assert_eq!(judge(&welcome(vec![update(1), own.clone()])), Ok(()));
        // It left that group, and is in another one now.
        let left = Update { claim: Claim::Left, ..own.clone() };
        let other = Err(Elsewhere::OtherGroup { up: 1 });
        assert_eq!(judge(&welcome(vec![update(1), left])), other);
        // It was there under an earlier incarnation.
        let mut earlier = own;
        earlier.identity.incarnation.0 -= 1;
        earlier.claim = Claim::Left;
        assert_eq!(judge(&welcome(vec![update(1), earlier])), other);
        assert_eq!(judge(&welcome(vec![update(1)])), other);
    }

    #[test]
    fn a_refusal_is_passed_on() {
        let refused = judge(&CallReply::Refused(JoinRefusal::NotInGroup)).unwrap_err();
        let words = refused.to_string();
        assert!(words.starts_with("does not answer as a member of this group: "), "{words}");
        let unexpected = judge(&CallReply::List(Vec::new()));
        assert_eq!(unexpected, Err(CallError::Unexpected.into()));
    }
}
