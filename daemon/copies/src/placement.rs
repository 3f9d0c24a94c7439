//! Which members keep the copies of a source. A pure function of names and zones: it has no state.

use memberd_membership::Name;
use std::cmp::Reverse;

/// A member that could keep copies: it is alive, takes copies, and is not the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// The member.
    pub name: &'a Name,
    /// Its zone, if it names one.
    pub zone: Option<&'a str>,
}

/// The keepers of `source`: `copies` of the candidates, or as many as there are.
///
/// A member that keeps copies now (`present`) stays as long as it is a candidate, even when a
/// better one joins: moving copies costs more than a good place is worth. The others are chosen
/// one by one, by the largest blake3 hash of the source and the candidate (rendezvous hashing,
/// Thaler and Ravishankar 1998), so a member that goes changes only its own sources. A zone that is
/// neither the source's nor another keeper's comes first, then one that only other keepers have.
/// Members that name no zone are each in a zone of their own.
pub fn keepers(
    source: Candidate<'_>,
    candidates: &[Candidate<'_>],
    copies: usize,
    present: &[Name],
) -> Vec<Name> {
    let mut chosen: Vec<Candidate> = Vec::new();
    for name in present {
        let stays = candidates.iter().find(|candidate| candidate.name == name);
        let room = chosen.len() < copies;
        if let Some(stays) = stays.filter(|stays| room && may_keep(source, &chosen, **stays)) {
            chosen.push(*stays);
        }
    }
    while chosen.len() < copies {
        let left = candidates.iter().filter(|candidate| may_keep(source, &chosen, **candidate));
        let best = left.min_by_key(|candidate| {
            let weight = weight(source.name, candidate.name);
            (nearness(source, &chosen, **candidate), Reverse(weight), candidate.name)
        });
        let Some(best) = best else { break };
        chosen.push(*best);
    }
    chosen.into_iter().map(|keeper| keeper.name.clone()).collect()
}

fn may_keep(source: Candidate<'_>, chosen: &[Candidate<'_>], candidate: Candidate<'_>) -> bool {
    candidate.name != source.name && chosen.iter().all(|keeper| keeper.name != candidate.name)
}

/// How likely a candidate fails together with the source (2) or another keeper (1).
fn nearness(source: Candidate<'_>, chosen: &[Candidate<'_>], candidate: Candidate<'_>) -> u8 {
    let Some(zone) = candidate.zone else { return 0 };
    if source.zone == Some(zone) {
        2
    } else {
        u8::from(chosen.iter().any(|keeper| keeper.zone == Some(zone)))
    }
}

fn weight(source: &Name, candidate: &Name) -> [u8; 32] {
    // No name contains the byte 0, so no two pairs are hashed alike.
    let mut hasher = blake3::Hasher::new();
    hasher.update(source.as_str().as_bytes()).update(&[0]);
    *hasher.update(candidate.as_str().as_bytes()).finalize().as_bytes()
}

#[cfg(test)]
#[path = "placement_tests.rs"]
mod tests;
