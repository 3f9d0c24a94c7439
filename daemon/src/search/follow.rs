//! `--follow`: asks members for as long as the client stays; those that join are asked too, those
//! that go are let go.

use super::line_relay::Asking;
use super::reply_source::words;
use super::scope::{Scope, Target};
use crate::admission::{Full, Permit};
use crate::membership::{ChangeKind, Command, Handle, Liveness, Member};
use memberd_control::message::Reply;
use memberd_membership::{Identity, Name};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The pause before a member that is up but was lost is asked again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A grep that follows.
#[derive(Debug)]
pub(super) struct Following {
    asking: Arc<Asking>,
    selection: Scope,
    membership: Handle,
    /// A place for each member that is not yet followed.
    places: Permit,
    /// By name.
    followed: HashMap<Name, Followed>,
    tasks: JoinSet<()>,
}

/// A member that is followed, until it is dropped.
#[derive(Debug)]
struct Followed {
    identity: Identity,
    /// One of those for connections that are held open. Others may have it afterwards.
    place: Permit,
    /// Dropped, it ends the following.
    _stop: oneshot::Sender<()>,
}

impl Following {
    /// Follows nobody yet. There are `places` for as many members as are up; those that join later
    /// have to find one.
    pub(super) fn new(
        asking: Arc<Asking>,
        selection: Scope,
        membership: Handle,
        places: Permit,
    ) -> Self {
        Following {
            asking,
            selection,
            membership,
            places,
            followed: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Follows these, and whoever joins, until it is dropped or the daemon ends.
    pub(super) async fn run(mut self, members: Vec<Target>) {
        let mut changes = self.membership.follow();
        for member in members {
            // There is a place for each of those that are up.
            let _ = self.start(member);
        }
        // All that were up have theirs.
        drop(self.places.split(self.places.places()));
        // What happened between the choice of the members and the following of events is in the
        // list by now.
        self.compare().await;
        loop {
            tokio::select! {
                change = changes.recv() => match change {
                    Ok(change) => self.take(&change.member, change.kind).await,
                    Err(RecvError::Lagged(_)) => self.compare().await,
                    Err(RecvError::Closed) => return,
                },
                // Ended tasks are done with.
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// Takes in the whole list.
    async fn compare(&mut self) {
        if let Ok(Some(list)) = self.membership.ask(|reply| Command::List { reply }).await {
            for member in list.members() {
                self.take(&member, ChangeKind::Liveness).await;
            }
        }
    }

    /// Takes in how a member stands and what has changed, which may be known already.
    async fn take(&mut self, member: &Member, change: ChangeKind) {
        let name = &member.identity.name;
        let followed = self.followed.get(name).map(|followed| &followed.identity);
        match member.liveness {
            Liveness::Alive if !self.selection.wants(member) && followed.is_some() => {
                self.followed.remove(name);
                self.notice(format!(
                    "{name} has other tags now: its logs are not followed any more"
                ))
                .await;
            }
            _ if !self.selection.wants(member) => {}
            Liveness::Alive if followed == Some(&member.identity) => {}
            Liveness::Alive => {
                let how = if change == ChangeKind::Tags { "has such tags now" } else { "joined" };
                let followed = match self.start(member.into()) {
                    Ok(()) => {
                        self.asking.question.progress().note_asked(1);
                        "its logs are followed too".to_owned()
                    }
                    Err(full) => format!("its logs are not followed, since {full}"),
                };
                self.notice(format!("{name} {how}: {followed}")).await;
            }
            Liveness::Failed(_) | Liveness::Left if followed == Some(&member.identity) => {
                self.followed.remove(name);
                let how = if member.liveness == Liveness::Left { "left" } else { "failed" };
                self.notice(format!("{name} {how}: its logs are not followed any more")).await;
            }
            // Late news of a former incarnation.
            Liveness::Failed(_) | Liveness::Left => {}
        }
    }

    async fn notice(&self, text: String) {
        // If the client has gone, this ends.
        let _ = self.asking.question.tell(Reply::GrepNotice(text)).await;
    }

    /// Follows a member, in the place of its former incarnation if that is still followed.
    ///
    /// # Errors
    /// When no place is free.
    fn start(&mut self, member: Target) -> Result<(), Full> {
        let former = self.followed.remove(&member.identity.name).map(|former| former.place);
        let place = former.or_else(|| self.places.split(1));
        let place = match place {
            Some(place) => place,
            None => self.places.admission().try_enter()?,
        };
        let (stop, stopped) = oneshot::channel();
        let asking = Arc::clone(&self.asking);
        let identity = member.identity.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = follow(&asking, &member) => {}
                _ = stopped => asking.question.progress().note_answered(),
            }
        });
        self.followed.insert(identity.name.clone(), Followed { identity, place, _stop: stop });
        Ok(())
    }
}

/// Follows one member for as long as it lets itself be followed.
async fn follow(asking: &Asking, member: &Target) {
    let name = &member.name;
    let notice = async |text: String| drop(asking.question.tell(Reply::GrepNotice(text)).await);
    let mut pause = None;
    loop {
        let again = pause.is_some();
        let mut connected = false;
        let ended = asking
            .ask_then(member, async || {
                connected = true;
                if again {
                    notice(format!("{name} answers again: its logs are followed from here on"))
                        .await;
                }
            })
            .await;
        match ended {
            Ok(outcome) => return asking.question.report(name, outcome).await,
            Err(error) if connected || !again => {
                let text =
                    format!("{name}: {}: trying again for as long as it is up", words(&error));
                notice(text).await;
                pause = Some(RETRY.0);
            }
            Err(_) => {}
        }
        let wait = pause.unwrap_or(RETRY.0);
        sleep(wait).await;
        pause = Some((wait * 2).min(RETRY.1));
    }
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
