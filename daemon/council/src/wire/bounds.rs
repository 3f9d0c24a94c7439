//! Whether what a message says can be true. It owns no state.

use crate::message::{Body, Message, News, Wish};
use crate::operation::{Operation, Proposal};
use crate::settings::Settings;
use crate::view::{Claim, View, VoterId};

/// Whether a message exceeds no bound.
pub(super) fn fit(message: &Message) -> bool {
    let fits = match &message.body {
        Body::NewLeader { view: Some(view), .. } | Body::NewView(News::Whole(view)) => {
            view_fits(view)
        }
        Body::NewView(News::Operations(proposal)) | Body::Req { proposal, .. } => {
            proposal_fits(proposal)
        }
        Body::Promise { accepted, lease_left, .. } => {
            let proposal = accepted.as_ref().map(|accepted| &accepted.proposal);
            *lease_left <= Settings::MAX_LEASE && proposal.is_none_or(|one| proposal_fits(one))
        }
        Body::Frozen { accepted, .. } => {
            accepted.as_ref().is_none_or(|accepted| proposal_fits(&accepted.proposal))
        }
        Body::Renew { lease, .. } => *lease <= Settings::MAX_LEASE,
        Body::Ask(Wish::Claim { claim, .. }) => key_fits(claim),
        _ => true,
    };
    fits && message.sender.id != VoterId::UNKNOWN
}

/// Whether a view is in order, and exceeds no bound.
pub(super) fn view_fits(view: &View) -> bool {
    view.council.len() <= Settings::MAX_COUNCIL
        && view.members.is_sorted_by(|one, next| one.name < next.name)
        && view.claims.iter().all(key_fits)
        && view.shares.is_sorted_by(|one, next| one.name < next.name)
        && view.shares.iter().all(|share| share.keepers.len() <= share.wanted.get())
}

fn proposal_fits(proposal: &Proposal) -> bool {
    proposal.operations.iter().all(|operation| match operation {
        Operation::Seat(council) => council.len() <= Settings::MAX_COUNCIL,
        Operation::Claim { claim, .. } => key_fits(claim),
        Operation::Add(_)
        | Operation::Delete(_)
        | Operation::Share(_)
        | Operation::Leader { .. } => true,
    })
}

/// Whether a message has something of shares, which members of before do not know.
pub(super) fn has_shares(message: &Message) -> bool {
    match &message.body {
        Body::NewLeader { view: Some(view), .. } | Body::NewView(News::Whole(view)) => {
            !view.shares.is_empty()
        }
        Body::NewView(News::Operations(proposal)) | Body::Req { proposal, .. } => {
            changes_shares(proposal)
        }
        Body::Promise { accepted: Some(accepted), .. }
        | Body::Frozen { accepted: Some(accepted), .. } => changes_shares(&accepted.proposal),
        Body::Ask(Wish::Share(_)) => true,
        _ => false,
    }
}

pub(super) fn changes_shares(proposal: &Proposal) -> bool {
    proposal.operations.iter().any(|operation| matches!(operation, Operation::Share(_)))
}

fn key_fits(claim: &Claim) -> bool {
    (1..=Claim::MAX_KEY).contains(&claim.key.len())
}
