//! Handles commands: joins, leaves, and requests for the node's state. The task owns that state.

use super::{Membership, RETRY};
use crate::membership::measure::Measured;
use crate::membership::status::Sources;
use crate::membership::{Command, Followed, JoinFailure, Joined, Ring, Snapshot, Status};
use crate::resolve::Resolved;
use memberd_membership::{Identity, Introducers, MemberState, Node, Now, PhaseName};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::info;

impl Membership {
    pub(super) async fn handle_command(&mut self, command: Command) {
        let now = self.clocks.now();
        match command {
            Command::Join { introducers, reply } => self.join(introducers, reply, now),
            Command::Inquire { addresses, reply } => {
                let known = |address| {
                    let entry = self.node.list().at(address);
                    entry.is_some_and(|entry| entry.state != MemberState::Left)
                };
                let is_known = addresses.into_iter().any(known);
                let _ = reply.send(self.node.inquiry().filter(|_| !is_known));
            }
            Command::Leave { reply } => self.leave(reply, now).await,
            Command::Forget { which, uid, reply } => self.forget(&which, uid, reply, now),
            Command::List { reply } => {
                self.anchor.keep(now);
                let _ =
                    reply.send(self.node.member().map(|_| Snapshot::new(&self.node, self.anchor)));
            }
            Command::Status { reply } => {
                let _ = reply.send(Box::new(self.status(now)));
            }
            Command::Ring { reply } => {
                let _ = reply.send(self.node.member().map(|_| self.ring()));
            }
            Command::Measure { reply } => {
                let _ = reply.send(Box::new(self.measured(now)));
            }
            Command::Follow { from, scope, reply } => {
                let past = self.history.from(from, scope);
                let _ = reply.send(Followed { past, coming: self.handle.follow() });
            }
            Command::Up { reply } => {
                let up = |node: &Node| -> Vec<Identity> {
                    node.list()
                        .iter()
                        .filter(|entry| entry.is_up())
                        .map(|entry| entry.identity.clone())
                        .collect()
                };
                let _ = reply.send(self.node.member().map(|_| up(&self.node)));
            }
            Command::Request { request, reply } => {
                let _ = reply.send(self.node.answer(now, request));
            }
            Command::Introducers(resolved) => self.take_introducers(resolved, now),
            Command::Tags(tags) => self.node.set_tags(now, tags),
            Command::SpreadView(news) => self.node.spread_view(now, news),
            // `run` handles this command.
            Command::End => {}
        }
    }

    /// An address that is new is tried at once.
    fn take_introducers(&mut self, resolved: Resolved, now: Now) {
        let before = std::mem::replace(&mut self.introducers, resolved);
        if before.introducers == self.introducers.introducers {
            return;
        }
        self.node.set_introducers(now, self.introducers.introducers.clone());
        if let Some(retry) = &mut self.retry
            && self.node.phase() == PhaseName::Out
        {
            *retry = (Instant::now(), RETRY);
        }
    }

    fn join(
        &mut self,
        introducers: Introducers,
        reply: oneshot::Sender<Result<Joined, JoinFailure>>,
        now: Now,
    ) {
        match self.node.phase() {
            PhaseName::Member => {
                let up = self.node.list().up();
                // Who is alone in the group that it founded at its start has not heard of it yet.
                let founded = self.founded.filter(|_| up == 1);
                let joined = self.node.member().map(|id| Joined { id, up, already: true, founded });
                let _ = reply.send(joined.ok_or(JoinFailure::Busy));
            }
            PhaseName::Out => {
                self.joining = Some(reply);
                let nobody_listed = introducers.addresses().is_empty();
                let remembered = if nobody_listed { self.remembered.next() } else { Vec::new() };
                (self.asked, self.founded) = (introducers.clone(), None);
                // The phase was checked before.
                let _ = self.node.join(now, introducers, remembered);
            }
            // An automatic attempt is running. It asks these introducers as well, and the client
            // gets its result.
            PhaseName::Joining if self.joining.is_none() => {
                self.joining = Some(reply);
                if !introducers.addresses().is_empty() {
                    self.asked = introducers.clone();
                }
                // Refused only if it has just joined; then it is answered all the same.
                let _ = self.node.join(now, introducers, Vec::new());
            }
            PhaseName::Joining | PhaseName::Leaving => {
                let _ = reply.send(Err(JoinFailure::Busy));
            }
        }
    }

    async fn leave(&mut self, reply: oneshot::Sender<bool>, now: Now) {
        self.retry = None;
        if self.node.phase() == PhaseName::Out {
            self.update_state(false);
            self.writer.make_durable().await;
            let _ = reply.send(false);
        } else {
            if let Some(id) = self.node.member().filter(|_| self.node.phase() == PhaseName::Member)
            {
                info!(%id, "leaves the group");
            }
            self.leaving.push(reply);
            self.node.leave(now);
        }
    }

    pub(super) fn join_by_itself_if_due(&mut self) {
        let Some((at, backoff)) = self.retry.as_mut().filter(|(at, _)| *at <= Instant::now())
        else {
            return;
        };
        // The result of this attempt sets the time of the next one. Until then this is only a
        // bound.
        *at = Instant::now() + backoff.longest();
        if self.node.phase() == PhaseName::Out {
            let remembered = self.remembered.next();
            (self.asked, self.founded) = (self.introducers.introducers.clone(), None);
            // The phase was checked before.
            let _ = self.node.join(self.clocks.now(), self.asked.clone(), remembered);
        }
    }

    fn status(&self, now: Now) -> Status {
        let refusals: Vec<_> = self.session.refusals().collect();
        let sources = Sources {
            bind: self.bind,
            node: &self.node,
            traffic: &self.traffic,
            refusals: &refusals,
            uptime: self.started.elapsed(),
            now,
            trying_to_join: self.retry.is_some(),
            not_joined: self.not_joined.as_ref(),
            founded: self.founded,
            introducers: &self.introducers,
            unwritten: self.writer.trouble(),
        };
        sources.status()
    }

    fn measured(&self, now: Now) -> Measured {
        Measured {
            status: self.status(now),
            counters: self.node.counters(),
            traffic: self.traffic.totals().clone(),
            refusals: self.session.refusals().collect(),
            events: self.gauges.events,
            patience: self.node.group_settings().patience(),
            detection: self.gauges.detection.clone(),
            dissemination: self.gauges.dissemination.clone(),
            lateness: self.gauges.lateness.clone(),
        }
    }

    fn ring(&self) -> Ring {
        let members = memberd_membership::Ring::of_up(self.node.list()).order();
        Ring {
            max_simultaneous_failures: self.node.group_settings().max_simultaneous_failures,
            names: members.iter().map(|entry| entry.identity.name.clone()).collect(),
        }
    }
}
