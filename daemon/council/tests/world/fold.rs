//! What a proposal makes of the view before, as the checker reckons it: written from the rules of
//! the operations, and not from the crate. It owns no state.

use memberd_council::{Claim, Epoch, Keeper, Name, Operation, Proposal, Share, ShareChange, View};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// The parent with the operations done, in their order.
pub fn fold(parent: &View, proposal: &Proposal) -> View {
    let mut view = View { number: proposal.number, parent: proposal.parent, ..parent.clone() };
    for operation in &proposal.operations {
        apply(&mut view, operation);
    }
    keep(&mut view);
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
        Operation::Share(change) => share(view, change),
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

fn share(view: &mut View, change: &ShareChange) {
    match change {
        ShareChange::Add { name, keepers } => {
            let known = view.shares.iter().any(|share| share.name == *name);
            if !known && view.shares.len() < 64 {
                let (name, wanted, epoch) = (name.clone(), *keepers, epoch(view));
                let (added, changed, keepers) = (epoch, epoch, Vec::new());
                view.shares.push(Share { name, added, changed, wanted, keepers });
                view.shares.sort_by(|one, next| one.name.cmp(&next.name));
            }
        }
        ShareChange::Remove { name, added } => {
            view.shares.retain(|share| (&share.name, share.added) != (name, *added));
        }
        ShareChange::Fill { name, keeper, since } | ShareChange::Lose { name, keeper, since } => {
            let share = view.shares.iter_mut().find(|share| share.name == *name);
            let mut keepers = share.into_iter().flat_map(|share| &mut share.keepers);
            let one = keepers.find(|one| (&one.name, one.since) == (keeper, *since));
            let whole = matches!(change, ShareChange::Fill { .. });
            one.into_iter().for_each(|keeper| keeper.whole = whole);
        }
    }
}

fn epoch(view: &View) -> Epoch {
    Epoch((u64::from(view.lineage.recoveries) << 40) + view.number.0)
}

/// Who is gone loses its shares to those of the highest rank, if another one is left that is whole.
fn keep(view: &mut View) {
    let epoch = epoch(view);
    let members: BTreeSet<&Name> = view.members.iter().map(|member| &member.name).collect();
    for share in &mut view.shares {
        let before = share.keepers.clone();
        let (mut left, gone): (Vec<Keeper>, Vec<Keeper>) =
            before.iter().cloned().partition(|keeper| members.contains(&keeper.name));
        if !left.iter().any(|keeper| keeper.whole) && left.len() + gone.len() > 0 {
            continue;
        }
        let mut others: Vec<&Name> = members.iter().copied().collect();
        others.retain(|name| left.iter().all(|keeper| keeper.name != **name));
        others.sort_by_key(|name| {
            let names = format!("{}\0{name}", share.name);
            Reverse(blake3::derive_key("memberd share keepers 1", names.as_bytes()))
        });
        let whole = before.is_empty();
        left.extend(others.into_iter().map(|name| {
            let name = name.clone();
            Keeper { name, since: epoch, whole }
        }));
        left.truncate(usize::from(u8::from(share.wanted)));
        share.keepers = left;
        if share.keepers != before {
            share.changed = epoch;
        }
    }
}
