//! Serves `--follow`: it asks members as long as the client stays, including members that join. It
//! owns the set of followed members.

use super::kept::Target;
use super::line_relay::LineRelay;
use super::member_choice::{MemberChoice, Missed};
use super::round_relay::relay_rounds;
use super::stand::Stand;
use crate::backoff::Backoff;
use crate::membership::{ChangeKind, Command, Handle, Liveness, Member};
use memberd_control::grep::GrepOutcome;
use memberd_control::message::Reply;
use memberd_membership::{Identity, Name};
use memberd_transport::{Admission, Full, Permit};
use std::collections::HashMap;
use std::convert::Infallible;
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

/// The most copies that are read at once.
const COPIES_AT_ONCE: usize = 4;

/// How often the copy of a member's logs is tried.
const COPY_ATTEMPTS: u32 = 3;

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
    /// The members that are away and were followed, at most [`MAX_AWAY`].
    away: HashMap<Name, Away>,
    /// One place for each copy that is read.
    copies: Admission,
    tasks: JoinSet<()>,
}

/// A followed member. Dropping it ends the following.
#[derive(Debug)]
struct Followed {
    identity: Identity,
    /// The place for its open connection. Dropping the place frees it for others.
    place: Permit,
    stand: Stand,
    running: Running,
}

/// A member that was followed, and may come back.
#[derive(Debug)]
struct Away {
    since: Instant,
    /// Where the follow was.
    stand: Stand,
    /// What still relays its lines: those of a copy, while one is read.
    running: Running,
}

/// A task that relays lines of a member. Dropping it ends the task soon.
#[derive(Debug)]
struct Running {
    stop: Option<oneshot::Sender<()>>,
    /// It is closed when the task has ended.
    ended: oneshot::Receiver<Infallible>,
}

impl Running {
    fn stop(&mut self) {
        self.stop = None;
    }

    /// Ends the task. From then on, its member's positions are those of what the client has.
    async fn end(mut self) {
        self.stop();
        let _ = self.ended.await;
    }
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
            copies: Admission::unanswered("copies of followed members", COPIES_AT_ONCE),
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
                if let Some(Followed { running, .. }) = self.followed.remove(name) {
                    // What it writes meanwhile is not wanted.
                    self.note_away(name, Stand::default(), running);
                }
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
                let gap = self.gap(name);
                let followed = match self.start(member.identity.clone()) {
                    Ok(()) => {
                        self.relay.context.progress().note_asked(1);
                        format!("its logs are followed too{gap}")
                    }
                    Err(full) => format!("its logs are not followed, since {full}"),
                };
                self.relay.context.notify(format!("{name} {how}: {followed}")).await;
            }
            Liveness::Failed(_) | Liveness::Left if followed == Some(&member.identity) => {
                let how = if member.liveness == Liveness::Left { "left" } else { "failed" };
                let context = &self.relay.context;
                let copies =
                    if context.is_question() { ", and its copies are not counted" } else { "" };
                let text = format!("{name} {how}: its logs are not followed any more{copies}");
                context.notify(text).await;
                self.lose(member);
            }
            // This is a late change of an earlier incarnation.
            Liveness::Failed(_) | Liveness::Left => {}
        }
    }

    /// A member is not followed any more, and may come back.
    fn note_away(&mut self, name: &Name, stand: Stand, mut running: Running) {
        running.stop();
        if self.away.len() < MAX_AWAY {
            self.away.insert(name.clone(), Away { since: Instant::now(), stand, running });
        }
    }

    /// A member is gone. What copies have of it beyond what was shown is shown, too.
    fn lose(&mut self, member: &Member) {
        let Some(Followed { stand, running, .. }) = self.followed.remove(&member.identity.name)
        else {
            return;
        };
        let wants_copy = self.relay.context.wants_copies() && stand.is_known();
        if !wants_copy || self.away.len() >= MAX_AWAY {
            return self.note_away(&member.identity.name, stand, running);
        }
        let (relay, known, missed) = (Arc::clone(&self.relay), stand.clone(), Missed::new(member));
        let (membership, places) = (self.membership.clone(), self.copies.clone());
        let work = async move {
            let _place = places.enter().await;
            catch_up(&relay, &membership, missed, &known).await;
        };
        let running = spawn(&mut self.tasks, Some(running), work, || ());
        self.away
            .insert(member.identity.name.clone(), Away { since: Instant::now(), stand, running });
    }

    /// The words about what was written since a member was followed last, if it was.
    fn gap(&self, name: &Name) -> String {
        let followed = self.followed.get(name).map(|followed| &followed.stand);
        match self.away.get(name) {
            Some(away) if !away.stand.is_known() => gap(away.since),
            None if !followed.is_some_and(Stand::is_known) => String::new(),
            _ => ", from where they were left".to_owned(),
        }
    }

    /// Follows a member. It replaces the earlier incarnation if that one is still followed.
    ///
    /// # Errors
    /// When no place is free.
    fn start(&mut self, member: Identity) -> Result<(), Full> {
        let former = self.followed.remove(&member.name);
        let (place, before) = match former {
            Some(Followed { place, stand, running, .. }) => (place, Some((stand, running))),
            None => {
                let place = match self.places.split(1) {
                    Some(place) => place,
                    None => self.places.try_another()?,
                };
                (place, self.away.remove(&member.name).map(|away| (away.stand, away.running)))
            }
        };
        let (stand, running) = before.unzip();
        let stand = stand.unwrap_or_default();
        let (relay, known, identity) = (Arc::clone(&self.relay), stand.clone(), member.clone());
        let progress = Arc::clone(relay.context.progress());
        let follow = async move { follow(&relay, &member, &known).await };
        let running = spawn(&mut self.tasks, running, follow, move || progress.note_answered());
        let followed = Followed { identity, place, stand, running };
        self.followed.insert(followed.identity.name.clone(), followed);
        Ok(())
    }
}

/// Runs `work` once the task `before` has ended, until it is stopped.
fn spawn(
    tasks: &mut JoinSet<()>,
    before: Option<Running>,
    work: impl Future<Output = ()> + Send + 'static,
    when_stopped: impl FnOnce() + Send + 'static,
) -> Running {
    let (stop, stopped) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    tasks.spawn(async move {
        // It is dropped last, with all that this task has.
        let _end = end;
        if let Some(before) = before {
            before.end().await;
        }
        tokio::select! {
            () = work => {}
            _ = stopped => when_stopped(),
        }
    });
    Running { stop: Some(stop), ended }
}

/// The words about the lines that a member has written since it was followed last.
fn gap(since: Instant) -> String {
    let seconds = since.elapsed().as_secs().max(1);
    format!(", without the lines of the last {seconds} s or more")
}

/// Shows what copies have of a member that is gone, beyond what was shown.
async fn catch_up(relay: &LineRelay, membership: &Handle, missed: Missed, stand: &Stand) {
    let (name, context) = (missed.name.clone(), &relay.context);
    let list = membership.ask(|reply| Command::List { reply }).await;
    let Ok(Some(list)) = list else { return };
    let up = list.members().filter(|member| member.liveness == Liveness::Alive);
    let may_keep = up.map(|member| member.identity).collect();
    let Ok(found) = context.find_copies(missed, may_keep).await else { return };
    if let Some(why) = found.unknown {
        context.notify(format!("{name}: {why}")).await;
    }
    for logs in found.kept {
        if let Some(keeper) = logs.keepers.first() {
            let (member, copy) = (name.to_string(), keeper.copy.clone());
            // The client may have gone.
            let _ = context.send(Reply::GrepCopy { member, copy }).await;
        }
        if let Err(why) = read_copy(relay, &Target::Kept(logs), stand).await {
            context.notify(format!("{name}: the copy of its logs was not read: {why}")).await;
        }
    }
}

/// Shows what is new in a copy. A keeper that is lost is asked again, and then another one.
async fn read_copy(relay: &LineRelay, logs: &Target, stand: &Stand) -> Result<(), String> {
    let mut last = String::new();
    for _ in 0..COPY_ATTEMPTS {
        match relay.try_relay(logs, Some(stand), async || ()).await {
            Ok(GrepOutcome::Lost(why) | GrepOutcome::Dropped(why)) => return Err(why),
            Ok(GrepOutcome::Searched(_) | GrepOutcome::NotAsked { .. }) => return Ok(()),
            Err(error) => last = relay.context.describe_error(&error),
        }
    }
    Err(last)
}

/// Follows one member for as long as it lets itself be followed, from where the follow was.
async fn follow(relay: &LineRelay, member: &Identity, stand: &Stand) {
    let (name, context) = (&member.name, &relay.context);
    let target = Target::Member(member.clone());
    let mut backoff: Option<Backoff> = None;
    let mut lost = Instant::now();
    loop {
        let again = backoff.is_some();
        let mut is_connected = false;
        let connected = async || {
            is_connected = true;
            if again {
                let from = match stand.is_known() {
                    true => "where they were left".to_owned(),
                    false => format!("here on{}", gap(lost)),
                };
                let text = format!("{name} answers again: its logs are followed from {from}");
                context.notify(text).await;
            }
        };
        let ended = if context.is_question() {
            relay_rounds(context, &target, stand, connected).await
        } else {
            relay.try_relay(&target, Some(stand), connected).await
        };
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
