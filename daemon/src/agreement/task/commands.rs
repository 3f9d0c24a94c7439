//! Handles what clients ask for. The task owns that state.

use super::{Agreement, ShareReply};
use crate::agreement::{Command, HandOverFailure, Holding, Settled, Told};
use memberd_council::{
    BootTime, Claim, ClaimError, ConfirmId, Name, Now, RecoveryError, Share, ShareChange,
    ShareError, Term,
};
use std::time::Duration;
use tokio::sync::oneshot;

/// The most claims that wait for a view at once.
const MOST_CLAIMS: usize = 64;

/// The most changes of shares that do.
const MOST_SHARES: usize = 64;

impl Agreement {
    pub(super) fn handle_command(&mut self, command: Command, now: Now) {
        match command {
            Command::Tell(reply) => drop(reply.send(Box::new(self.told(now)))),
            Command::Confirm(reply) => {
                let id = ConfirmId(self.next_question);
                self.next_question += 1;
                self.questions.insert(id, reply);
                self.parts.council.confirm(now, id);
            }
            Command::Claim { key, retry, reply } => self.claim(&key, retry, reply, now),
            Command::ChangeShare { change, reply } => self.change_share(change, reply, now),
            Command::HandOver { to, reply } => drop(reply.send(self.hand_over(to, now))),
            Command::Grant { span, reply } => drop(reply.send(self.grant(span, now))),
            Command::Follow(reply) => drop(reply.send(self.changes.follow())),
            Command::Hold(reply) => {
                // Whoever knows the number may release the hold.
                let Ok(hold) = getrandom::u64() else { return };
                let held = self.holds.begin(hold);
                // A client that is gone already is forgotten with its receiver.
                let _ = reply.send(Holding { hold, held });
            }
            Command::ReleaseHold { hold, reply } => {
                self.holds.release(hold);
                let _ = reply.send(());
            }
            Command::Recover { lost, reply } => self.recover(&lost, reply, now),
            Command::Release(reply) => {
                self.releases.push(reply);
                self.parts.council.release(now);
            }
        }
    }

    fn told(&self, now: Now) -> Told {
        let status = self.parts.council.status(now);
        Told {
            now,
            exclusive: self.is_exclusive(&status, now),
            status,
            lease: self.parts.settings.lease,
            history: self.history.all(),
            leader_since: self.leader_since,
            confirmed_by: self.confirmed_by,
            heard: self.heard.clone(),
            written: self.parts.writer.told(),
            links: self.parts.links.count(),
            dropped: self.parts.links.dropped(),
            installed: self.installed,
            elected: self.elected,
        }
    }

    /// What is told here is a promise, so a hand-over waits for its end.
    fn grant(&mut self, span: Duration, now: Now) -> Option<(Term, BootTime)> {
        let term = self.parts.council.leads().filter(|_| self.silence(now).is_none())?;
        let until = self.parts.council.exclusive(now)?;
        if until.since(now.boot) < span {
            return None;
        }
        if !span.is_zero() {
            self.holds.note(term, until);
        }
        Some((term, until))
    }

    fn claim(
        &mut self,
        key: &str,
        retry: bool,
        reply: oneshot::Sender<Result<Settled, ClaimError>>,
        now: Now,
    ) {
        let token = match getrandom::u64() {
            Ok(token) if self.claims.len() < MOST_CLAIMS => token,
            _ => return drop(reply.send(Err(ClaimError::TooMany))),
        };
        // It may be settled at once.
        self.claims.insert(token, reply);
        if let Err(error) = self.parts.council.claim(now, key, token, retry)
            && let Some(reply) = self.claims.remove(&token)
        {
            let _ = reply.send(Err(error));
        }
    }

    pub(super) fn settle_claim(&mut self, token: u64, claim: Claim) {
        let Some(reply) = self.claims.remove(&token) else { return };
        let granted = self.history.term_of(claim.since.0).map(Term);
        let term = granted.unwrap_or(self.parts.council.view().term);
        let _ = reply.send(Ok(Settled { by_us: claim.token == token, claim, term }));
    }

    fn change_share(&mut self, change: ShareChange, reply: ShareReply, now: Now) {
        let token = match getrandom::u64() {
            Ok(token) if self.shares.len() < MOST_SHARES => token,
            _ => return drop(reply.send(Err(ShareError::TooMany))),
        };
        // It may be settled at once.
        self.shares.insert(token, reply);
        if let Err(error) = self.parts.council.change_share(now, token, change) {
            self.settle_share(token, Err(error));
        }
    }

    pub(super) fn settle_share(&mut self, token: u64, result: Result<Option<Share>, ShareError>) {
        if let Some(reply) = self.shares.remove(&token) {
            let _ = reply.send(result);
        }
    }

    /// What clients that are gone wanted is asked for no more.
    pub(super) fn drop_abandoned(&mut self) {
        let council = &mut self.parts.council;
        self.claims.retain(|token, reply| {
            if reply.is_closed() {
                council.abandon_claim(*token);
            }
            !reply.is_closed()
        });
        self.shares.retain(|token, reply| {
            if reply.is_closed() {
                council.abandon_share(*token);
            }
            !reply.is_closed()
        });
    }

    fn hand_over(&mut self, to: Option<Name>, now: Now) -> Result<(), HandOverFailure> {
        let council = &mut self.parts.council;
        if council.leads().is_none()
            && let Some(leader) = council.status(now).leader
            && leader != *council.own()
        {
            return Err(HandOverFailure::LedBy(leader.name));
        }
        Ok(council.hand_over(now, to)?)
    }

    fn recover(
        &mut self,
        lost: &[Name],
        reply: oneshot::Sender<Result<(), RecoveryError>>,
        now: Now,
    ) {
        // A client that has gone has given up.
        if self.recovery.as_ref().is_some_and(|reply| !reply.is_closed()) {
            return drop(reply.send(Err(RecoveryError::UnderWay)));
        }
        match self.parts.council.recover(now, lost) {
            Ok(()) => self.recovery = Some(reply),
            Err(error) => drop(reply.send(Err(error))),
        }
    }
}
