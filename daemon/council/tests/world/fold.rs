//! What a proposal makes of the view before, as the checker reckons it: written from the rules of
//! the operations, and not from the crate. It owns no state.

use memberd_council::{Claim, Operation, Proposal, View};

/// The parent with the operations done, in their order.
pub fn fold(parent: &View, proposal: &Proposal) -> View {
    let mut view = View { number: proposal.number, parent: proposal.parent, ..parent.clone() };
    for operation in &proposal.operations {
        apply(&mut view, operation);
    }
    view
}

fn apply(view: &mut View, operation: &Operation) {
    match operation {
        Operation::Add(identity) => {
            view.members.retain(|member| member.name != identity.name);
            view.members.push(identity.clone());
            view.members.sort();
        }
        Operation::Delete(identity) => view.members.retain(|member| member != identity),
        Operation::Seat(council) => view.council.clone_from(council),
        Operation::Claim { claim, retry } => grant(view, claim, *retry),
        Operation::Leader { term, voter } => {
            view.term = *term;
            view.leader = Some(voter.clone());
        }
    }
}

fn grant(view: &mut View, claim: &Claim, retry: bool) {
    let held = view.claims.iter().position(|known| known.key == claim.key);
    if let Some(held) = held {
        if !retry || view.members.contains(&view.claims[held].holder) {
            return;
        }
        view.claims.remove(held);
    }
    if view.claims.len() == View::MAX_CLAIMS {
        view.claims.remove(0);
    }
    view.claims.push(Claim { since: view.number, ..claim.clone() });
}
