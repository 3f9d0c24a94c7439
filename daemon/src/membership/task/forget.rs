//! Forgetting on request: hands the wish of a client to the node, and handles what follows.

use super::Membership;
use crate::log;
use crate::membership::{Forgot, MemberChange};
use memberd_membership::{Entry, Forget, ForgetError, ForgetReport, Identity, Name, Now};
use tokio::sync::oneshot;
use tracing::info;

/// Members that were forgotten here, and who waits until the others were asked.
pub(super) type Forgetting = (Vec<Identity>, oneshot::Sender<Result<Forgot, ForgetError>>);

impl Membership {
    /// Forgets members here. The client gets its answer when the others were asked.
    pub(super) fn forget(
        &mut self,
        which: &Forget,
        uid: Option<u32>,
        reply: oneshot::Sender<Result<Forgot, ForgetError>>,
        now: Now,
    ) {
        match self.node.forget(now, which) {
            Ok(members) if members.is_empty() => {
                let _ = reply.send(Ok(Forgot { members, report: ForgetReport::default() }));
            }
            Ok(members) => {
                let names: Vec<&str> = members.iter().map(|id| id.name.as_str()).collect();
                info!(uid, names = names.join(","), "forgets members as asked");
                self.forgetting = Some((members, reply));
            }
            Err(error) => {
                let _ = reply.send(Err(error));
            }
        }
    }

    /// A member is forgotten, here or by another member's operator.
    pub(super) fn note_forgotten(&mut self, entry: &Entry, by: &Name, now: Now) {
        log::member_forgotten(entry, by);
        self.gauges.events.forgotten += 1;
        // It is not asked at the next join.
        self.remembered.forget(entry.identity.address);
        let (this, anchor) = (self.node.name(), self.anchor);
        self.publish(MemberChange::of_forgotten(entry, this, anchor, now));
        self.list_changed = true;
    }

    /// The others were asked.
    pub(super) fn forget_done(&mut self, report: ForgetReport) {
        if let Some((members, reply)) = self.forgetting.take() {
            // The client may have disconnected.
            let _ = reply.send(Ok(Forgot { members, report }));
        }
    }
}
