//! `--follow`: asks members for as long as the client stays, those that join included. Owns who is
//! followed.

use super::line_relay::LineRelay;
use super::reply_source::describe_error;
use super::scope::{Scope, Target};
use crate::admission::{Full, Permit};
use crate::backoff::Backoff;
use crate::membership::{ChangeKind, Command, Handle, Liveness, Member};
use memberd_membership::{Identity, Name};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// The pauses before a member that is up but was lost is asked again.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));

/// A grep that follows.
#[derive(Debug)]
pub(super) struct Following {
    relay: Arc<LineRelay>,
    scope: Scope,
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
        relay: Arc<LineRelay>,
        scope: Scope,
        membership: Handle,
        places: Permit,
    ) -> Self {
        Following {
            relay,
            scope,
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
            Liveness::Alive if !self.scope.includes(member) && followed.is_some() => {
                self.followed.remove(name);
                self.relay
                    .context
                    .notify(format!(
                        "{name} has other tags now: its logs are not followed any more"
                    ))
                    .await;
            }
            _ if !self.scope.includes(member) => {}
            Liveness::Alive if followed == Some(&member.identity) => {}
            Liveness::Alive => {
                let how = if change == ChangeKind::Tags { "has such tags now" } else { "joined" };
                let followed = match self.start(member.into()) {
                    Ok(()) => {
                        self.relay.context.progress().note_asked(1);
                        "its logs are followed too".to_owned()
                    }
                    Err(full) => format!("its logs are not followed, since {full}"),
                };
                self.relay.context.notify(format!("{name} {how}: {followed}")).await;
            }
            Liveness::Failed(_) | Liveness::Left if followed == Some(&member.identity) => {
                self.followed.remove(name);
                let how = if member.liveness == Liveness::Left { "left" } else { "failed" };
                self.relay
                    .context
                    .notify(format!("{name} {how}: its logs are not followed any more"))
                    .await;
            }
            // Late news of a former incarnation.
            Liveness::Failed(_) | Liveness::Left => {}
        }
    }

    /// Follows a member, in the place of its former incarnation if that is still followed.
    ///
    /// # Errors
    /// When no place is free.
    fn start(&mut self, member: Target) -> Result<(), Full> {
        let former = self.followed.remove(&member.identity.name).map(|former| former.place);
        let place = match former.or_else(|| self.places.split(1)) {
            Some(place) => place,
            None => self.places.admission().try_enter()?,
        };
        let (stop, stopped) = oneshot::channel();
        let relay = Arc::clone(&self.relay);
        let identity = member.identity.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = follow(&relay, &member) => {}
                _ = stopped => relay.context.progress().note_answered(),
            }
        });
        self.followed.insert(identity.name.clone(), Followed { identity, place, _stop: stop });
        Ok(())
    }
}

/// Follows one member for as long as it lets itself be followed.
async fn follow(relay: &LineRelay, member: &Target) {
    let (name, context) = (&member.name, &relay.context);
    let mut backoff: Option<Backoff> = None;
    loop {
        let again = backoff.is_some();
        let mut is_connected = false;
        let ended = relay
            .try_relay(member, async || {
                is_connected = true;
                if again {
                    let text = format!("{name} answers again: its logs are followed from here on");
                    context.notify(text).await;
                }
            })
            .await;
        match ended {
            Ok(outcome) => return context.report(name, outcome).await,
            Err(error) if is_connected || !again => {
                let why = describe_error(&error);
                context
                    .notify(format!("{name}: {why}: trying again for as long as it is up"))
                    .await;
                backoff = Some(RETRY);
            }
            Err(_) => {}
        }
        sleep(backoff.get_or_insert(RETRY).next_pause()).await;
    }
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
