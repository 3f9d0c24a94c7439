//! Serves `--follow`: it asks members as long as the client stays, including members that join. It
//! owns the set of followed members.

use super::kept::Target;
use super::line_relay::LineRelay;
use super::member_choice::MemberChoice;
use crate::backoff::Backoff;
use crate::membership::{ChangeKind, Command, Handle, Liveness, Member};
use memberd_membership::{Identity, Name};
use memberd_transport::{Full, Permit};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// The pauses before a lost member that is still up is asked again.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));

/// The most members that are away and whose gap is known when they come back.
const MAX_AWAY: usize = 1024;

/// A following grep.
#[derive(Debug)]
pub(super) struct Following {
    relay: Arc<LineRelay>,
    choice: MemberChoice,
    membership: Handle,
    /// A place for each member that is not yet followed.
    places: Permit,
    /// The followed members, by name.
    followed: HashMap<Name, Followed>,
    /// Since when members are away that were followed, at most [`MAX_AWAY`].
    away: HashMap<Name, Instant>,
    tasks: JoinSet<()>,
}

/// A followed member. Dropping it ends the following.
#[derive(Debug)]
struct Followed {
    identity: Identity,
    /// The place for its open connection. Dropping the place frees it for others.
    place: Permit,
    /// Dropping the task ends the following.
    _stop: oneshot::Sender<()>,
}

impl Following {
    /// Starts without a followed member. There are `places` for all members that are up. Members
    /// that join later need a free place.
    pub(super) fn new(
        relay: Arc<LineRelay>,
        choice: MemberChoice,
        membership: Handle,
        places: Permit,
    ) -> Self {
        Following {
            relay,
            choice,
            membership,
            places,
            followed: HashMap::new(),
            away: HashMap::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Follows these, and whoever joins, until it is dropped or the daemon ends.
    pub(super) async fn run(mut self, members: Vec<Identity>) {
        let mut changes = self.membership.follow();
        for member in members {
            // Each member that is up has a place.
            let _ = self.start(member);
        }
        // All members that were up have their places.
        drop(self.places.split(self.places.places()));
        // The list now has the changes between the choice of the members and the start of the event
        // stream.
        self.compare().await;
        loop {
            tokio::select! {
                change = changes.recv() => match change {
                    Ok(change) => self.take(&change.member, change.kind).await,
                    Err(RecvError::Lagged(_)) => self.compare().await,
                    Err(RecvError::Closed) => return,
                },
                // Ended tasks need no further work.
                Some(_) = self.tasks.join_next() => {}
            }
        }
    }

    /// Applies the whole list.
    async fn compare(&mut self) {
        if let Ok(Some(list)) = self.membership.ask(|reply| Command::List { reply }).await {
            for member in list.members() {
                self.take(&member, ChangeKind::Liveness).await;
            }
        }
    }

    /// Applies a member's state and its change, which may be known already.
    async fn take(&mut self, member: &Member, change: ChangeKind) {
        let name = &member.identity.name;
        let followed = self.followed.get(name).map(|followed| &followed.identity);
        match member.liveness {
            Liveness::Alive if !self.choice.includes(member) && followed.is_some() => {
                self.end(name);
                self.relay
                    .context
                    .notify(format!(
                        "{name} has other tags now: its logs are not followed any more"
                    ))
                    .await;
            }
            _ if !self.choice.includes(member) => {}
            Liveness::Alive if followed == Some(&member.identity) => {}
            Liveness::Alive => {
                let how = if change == ChangeKind::Tags { "has such tags now" } else { "joined" };
                let followed = match self.start(member.identity.clone()) {
                    Ok(()) => {
                        self.relay.context.progress().note_asked(1);
                        let gap = self.away.remove(name).map(gap).unwrap_or_default();
                        format!("its logs are followed too{gap}")
                    }
                    Err(full) => format!("its logs are not followed, since {full}"),
                };
                self.relay.context.notify(format!("{name} {how}: {followed}")).await;
            }
            Liveness::Failed(_) | Liveness::Left if followed == Some(&member.identity) => {
                self.end(name);
                let how = if member.liveness == Liveness::Left { "left" } else { "failed" };
                self.relay
                    .context
                    .notify(format!("{name} {how}: its logs are not followed any more"))
                    .await;
            }
            // This is a late change of an earlier incarnation.
            Liveness::Failed(_) | Liveness::Left => {}
        }
    }

    /// Ends the following of a member, which may come back.
    fn end(&mut self, name: &Name) {
        self.followed.remove(name);
        if self.away.len() < MAX_AWAY {
            self.away.insert(name.clone(), Instant::now());
        }
    }

    /// Follows a member. It replaces the earlier incarnation if that one is still followed.
    ///
    /// # Errors
    /// When no place is free.
    fn start(&mut self, member: Identity) -> Result<(), Full> {
        let former = self.followed.remove(&member.name).map(|former| former.place);
        let place = match former.or_else(|| self.places.split(1)) {
            Some(place) => place,
            None => self.places.try_another()?,
        };
        let (stop, stopped) = oneshot::channel();
        let relay = Arc::clone(&self.relay);
        let identity = member.clone();
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

/// The words about the lines that a member has written since it was followed last.
fn gap(since: Instant) -> String {
    let seconds = since.elapsed().as_secs().max(1);
    format!(", without the lines of the last {seconds} s or more")
}

/// Follows one member for as long as it lets itself be followed.
async fn follow(relay: &LineRelay, member: &Identity) {
    let (name, context) = (&member.name, &relay.context);
    let target = Target::Member(member.clone());
    let mut backoff: Option<Backoff> = None;
    let mut lost = Instant::now();
    loop {
        let again = backoff.is_some();
        let mut is_connected = false;
        let ended = relay
            .try_relay(&target, async || {
                is_connected = true;
                if again {
                    let gap = gap(lost);
                    let text =
                        format!("{name} answers again: its logs are followed from here on{gap}");
                    context.notify(text).await;
                }
            })
            .await;
        match ended {
            Ok(outcome) => return context.report(name, outcome).await,
            Err(error) if is_connected || !again => {
                lost = Instant::now();
                let why = context.describe_error(&error);
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
