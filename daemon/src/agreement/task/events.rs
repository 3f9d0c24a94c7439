//! Handles the events of the council: logs and remembers them, and answers the clients that wait
//! for them.

use super::Agreement;
use crate::agreement::file;
use crate::agreement::writer::Life;
use crate::boot_time;
use crate::log::view;
use memberd_council::{ClaimError, Council, Event, LossReason, Now, Origin, ShareError, View};
use std::sync::Arc;
use tracing::{error, info, warn};

/// The ending of the file of a lineage that was recovered without this voter.
const SET_ASIDE: &str = ".set-aside";

impl Agreement {
    pub(super) fn handle_event(&mut self, event: Event, now: Now) {
        self.changes.take(&event, self.parts.council.view(), now.wall);
        match event {
            Event::ViewInstalled { view, added, removed, confirmed_by, took } => {
                self.installed += 1;
                self.history.add(&view, &added, &removed, now);
                let seated = |name: &_| view.council.iter().any(|voter| voter.name == *name);
                self.heard.retain(|name, _| seated(name));
                view::installed(&view, &added, &removed, &confirmed_by, took);
            }
            Event::LeaderElected { leader, term, here } => {
                self.elected += 1;
                self.leader_since = now.boot;
                view::elected(&leader, term, here, self.parts.council.view());
            }
            Event::LeadershipLost { term, reason } => {
                self.lost = Some(term);
                self.holds.lose(words(reason));
                view::lost(term, reason, self.parts.council.view());
            }
            Event::OperationPending { number, operations, by } => {
                view::pending(number, &operations, &by);
            }
            Event::OperationFinished { number, operations, by } => {
                view::finished(number, &operations, &by);
            }
            Event::ViewStale { missing } => view::stale(self.parts.council.view(), &missing),
            Event::ViewFresh { after } => view::fresh(self.parts.council.view(), after),
            Event::Confirmed { id, result } => {
                self.confirmed_by = result.confirmed_by;
                if let Some(reply) = self.questions.remove(&id) {
                    let _ = reply.send(result);
                }
            }
            Event::ClaimSettled { token, claim } => self.settle_claim(token, claim),
            Event::ShareSettled { token, result } => self.settle_share(token, result),
            Event::Released { in_view } => {
                if !in_view {
                    info!("no view without this machine came in time");
                }
                for reply in self.releases.drain(..) {
                    let _ = reply.send(());
                }
            }
            Event::Recovered(result) => {
                match &result {
                    Ok(id) => {
                        let (number, lineage) = (id.number.0, id.lineage);
                        warn!(number, %lineage, "the views were recovered");
                    }
                    Err(error) => error!(%error, "the views were not recovered"),
                }
                if let Some(reply) = self.recovery.take() {
                    let _ = reply.send(result.map(drop));
                }
            }
            Event::SetAside { by } => {
                warn!(
                    lineage = %by.lineage,
                    "the views were recovered without this machine: its agreement file is set \
                    aside, and it is a new voter"
                );
                self.begin_anew(&by, now);
            }
            Event::OtherLineage { member } => warn!(
                name = %member,
                "a member has views of another founding, or of another recovery, and is not heard \
                (repeated at most once a minute): compare agreement.initial_council"
            ),
        }
    }

    /// The file is set aside, and this machine is another voter from now on. It knows the view.
    fn begin_anew(&mut self, view: &Arc<View>, now: Now) {
        let voter = match file::fresh_id() {
            Ok(voter) => voter,
            Err(error) => {
                error!(%error, "this machine agrees on no views until it is started again");
                return;
            }
        };
        self.life = Life(self.life.0 + 1);
        self.parts.writer.set_aside(SET_ASIDE);
        let (settings, name) = (self.parts.settings.clone(), self.parts.name.clone());
        self.parts.council = Council::new(settings, name, Origin::Fresh(voter), now);
        self.parts.council.adopt(now, view);
        self.lost = None;
        let list = self.parts.list.borrow().clone();
        if let Some(list) = list {
            self.parts.council.handle_list(boot_time::now(), &list);
        }
        self.ask_anew();
    }

    /// What clients wait for is asked again. Claims and changes of shares were those of a member,
    /// which this machine is not any more.
    fn ask_anew(&mut self) {
        let now = boot_time::now();
        for id in self.questions.keys().copied().collect::<Vec<_>>() {
            self.parts.council.confirm(now, id);
        }
        for (_, reply) in self.claims.drain() {
            let _ = reply.send(Err(ClaimError::NotInView));
        }
        for (_, reply) in self.shares.drain() {
            let _ = reply.send(Err(ShareError::NotInView));
        }
        if !self.releases.is_empty() {
            self.parts.council.release(now);
        }
    }
}

/// Why a lease ended, for its holder.
fn words(reason: LossReason) -> &'static str {
    match reason {
        LossReason::Replaced => "another leader was elected",
        LossReason::HandedOver => "handed over",
        LossReason::NoMajority => "no majority of the council answers",
        LossReason::SlowDisk => "the disk of this machine takes too long",
        LossReason::Unseated => "this machine has no seat in the council any more",
        LossReason::Recovery => "the views are recovered without a majority",
    }
}
