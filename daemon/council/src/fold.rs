//! The only way from one view to the next: [`View::apply`]. It owns no state.

use crate::operation::{ApplyError, Operation, Proposal};
use crate::settings::Settings;
use crate::share::Share;
use crate::view::{Claim, Lineage, Term, View, ViewHash, ViewId, ViewNumber, Voter, VoterId};
use memberd_membership::{Identity, Name};

impl Lineage {
    /// That of these founders, in any order.
    pub fn of(founders: &[Name]) -> Lineage {
        let mut names: Vec<&str> = founders.iter().map(Name::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let mut hasher = blake3::Hasher::new_derive_key("memberd agreement founders 1");
        for name in names {
            hasher.update(name.as_bytes());
            // No name has a zero byte.
            hasher.update(&[0]);
        }
        let mut founding = [0; 16];
        hasher.finalize_xof().fill(&mut founding);
        Lineage { founding, recoveries: 0, recovery: [0; 16] }
    }
}

impl View {
    /// View 0: the founders in the order of their names, without voter ids, members or a leader.
    pub fn genesis(founders: &[Name]) -> View {
        let mut names = founders.to_vec();
        names.sort();
        names.dedup();
        names.truncate(Settings::MAX_COUNCIL);
        View {
            lineage: Lineage::of(founders),
            number: ViewNumber(0),
            parent: ViewHash([0; 32]),
            term: Term(0),
            leader: None,
            council: names.into_iter().map(|name| Voter { name, id: VoterId::UNKNOWN }).collect(),
            members: Vec::new(),
            claims: Vec::new(),
            shares: Vec::new(),
        }
    }

    /// Its hash.
    pub fn hash(&self) -> ViewHash {
        let mut feed = Feed(blake3::Hasher::new_derive_key("memberd view 1"));
        feed.bytes(&self.lineage.founding);
        feed.number(u64::from(self.lineage.recoveries));
        feed.bytes(&self.lineage.recovery);
        feed.number(self.number.0);
        feed.bytes(&self.parent.0);
        feed.number(self.term.0);
        feed.count(usize::from(self.leader.is_some()));
        if let Some(voter) = &self.leader {
            feed.voter(voter);
        }
        feed.count(self.council.len());
        for voter in &self.council {
            feed.voter(voter);
        }
        feed.count(self.members.len());
        for member in &self.members {
            feed.identity(member);
        }
        feed.count(self.claims.len());
        for claim in &self.claims {
            feed.claim(claim);
        }
        if !self.shares.is_empty() {
            feed.count(self.shares.len());
            for share in &self.shares {
                feed.share(share);
            }
        }
        let mut bytes = [0; 32];
        feed.0.finalize_xof().fill(&mut bytes);
        ViewHash(bytes)
    }

    /// Which view it is.
    pub fn id(&self) -> ViewId {
        ViewId { lineage: self.lineage, number: self.number, hash: self.hash() }
    }

    /// The member of this name.
    pub fn member(&self, name: &Name) -> Option<&Identity> {
        let at = self.members.binary_search_by(|member| member.name.cmp(name)).ok()?;
        self.members.get(at)
    }

    /// The claim on this key.
    pub fn claim(&self, key: &str) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.key == key)
    }

    /// The view that a proposal makes of this one.
    ///
    /// # Errors
    /// When it is none of this view, or does not make what it says.
    pub fn apply(&self, proposal: &Proposal) -> Result<View, ApplyError> {
        if proposal.number != self.number.next() {
            let (proposed, installed) = (proposal.number, self.number);
            return Err(ApplyError::Number { proposed, installed });
        }
        let parent = self.hash();
        if proposal.parent != parent {
            return Err(ApplyError::Parent);
        }
        let next = self.fold(parent, &proposal.operations)?;
        if next.term != proposal.term || next.leader.as_ref() != Some(&proposal.leader) {
            return Err(ApplyError::Term);
        }
        if next.hash() == proposal.hash { Ok(next) } else { Err(ApplyError::Hash) }
    }

    /// The proposal that makes these changes.
    ///
    /// # Errors
    /// When what it makes is out of bounds, or has no leader.
    pub fn propose(&self, operations: Vec<Operation>) -> Result<Proposal, ApplyError> {
        let parent = self.hash();
        let next = self.fold(parent, &operations)?;
        let leader = next.leader.clone().ok_or(ApplyError::Term)?;
        let (number, term, hash) = (next.number, next.term, next.hash());
        Ok(Proposal { number, parent, term, leader, operations, hash })
    }

    fn fold(&self, parent: ViewHash, operations: &[Operation]) -> Result<View, ApplyError> {
        let number = self.number.next();
        let mut next = View { number, parent, ..self.clone() };
        for operation in operations {
            next.change(operation, self.term)?;
        }
        let fits = (1..=Settings::MAX_COUNCIL).contains(&next.council.len())
            && next.members.len() <= View::MAX_MEMBERS
            && operations.len() <= Proposal::MAX_OPERATIONS;
        let excess = next.claims.len().saturating_sub(View::MAX_CLAIMS);
        next.claims.drain(..excess);
        next.fill_keepers();
        if fits { Ok(next) } else { Err(ApplyError::Bounds) }
    }

    fn change(&mut self, operation: &Operation, last_term: Term) -> Result<(), ApplyError> {
        match operation {
            Operation::Add(identity) => self.add(identity),
            Operation::Delete(identity) => self.members.retain(|member| member != identity),
            Operation::Seat(council) => {
                let mut names: Vec<&Name> = council.iter().map(|voter| &voter.name).collect();
                names.sort();
                names.dedup();
                let unknown = council.iter().any(|voter| voter.id == VoterId::UNKNOWN);
                if names.len() != council.len() || unknown {
                    return Err(ApplyError::Bounds);
                }
                self.council.clone_from(council);
            }
            Operation::Claim { claim, retry } => self.grant(claim, *retry)?,
            Operation::Share(change) => self.change_share(change),
            Operation::Leader { term, voter } => {
                if *term <= last_term {
                    return Err(ApplyError::Term);
                }
                self.term = *term;
                self.leader = Some(voter.clone());
            }
        }
        Ok(())
    }

    fn add(&mut self, identity: &Identity) {
        match self.members.binary_search_by(|member| member.name.cmp(&identity.name)) {
            Ok(at) => self.members[at] = identity.clone(),
            Err(at) => self.members.insert(at, identity.clone()),
        }
    }

    /// The first claim on a key has it, as long as its holder is a member, or nobody retries.
    fn grant(&mut self, claim: &Claim, retry: bool) -> Result<(), ApplyError> {
        if claim.key.is_empty() || claim.key.len() > Claim::MAX_KEY {
            return Err(ApplyError::Bounds);
        }
        if let Some(at) = self.claims.iter().position(|held| held.key == claim.key) {
            if !retry || self.members.contains(&self.claims[at].holder) {
                return Ok(());
            }
            self.claims.remove(at);
        }
        self.claims.push(Claim { since: self.number, ..claim.clone() });
        Ok(())
    }
}

/// A hasher that keeps neighbouring values separate.
struct Feed(blake3::Hasher);

impl Feed {
    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.update(bytes);
    }

    fn number(&mut self, number: u64) {
        self.0.update(&number.to_be_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    fn voter(&mut self, voter: &Voter) {
        self.bytes(voter.name.as_str().as_bytes());
        self.0.update(&voter.id.0.to_be_bytes());
    }

    fn identity(&mut self, identity: &Identity) {
        self.bytes(identity.name.as_str().as_bytes());
        self.bytes(identity.address.to_string().as_bytes());
        self.number(identity.incarnation.0);
    }

    fn claim(&mut self, claim: &Claim) {
        self.bytes(claim.key.as_bytes());
        self.identity(&claim.holder);
        self.number(claim.token);
        self.number(claim.since.0);
    }

    fn share(&mut self, share: &Share) {
        self.bytes(share.name.as_str().as_bytes());
        self.number(share.added.0);
        self.number(share.changed.0);
        self.count(share.wanted.get());
        self.count(share.keepers.len());
        for keeper in &share.keepers {
            self.bytes(keeper.name.as_str().as_bytes());
            self.number(keeper.since.0);
            self.number(u64::from(keeper.whole));
        }
    }
}
