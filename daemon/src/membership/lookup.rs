//! Looks up the addresses of the introducers, again and again, in a task of its own. It owns the
//! lookups, and when the next one is due.

use super::{Command, Ended, Handle};
use crate::backoff::Backoff;
use crate::resolve::{Own, Resolved, Resolver};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How often all names are looked up again, because machines move.
const EVERY: Duration = Duration::from_secs(60);

/// The pauses while a name has no address, as at a boot before the network is up.
const RETRY: Backoff = Backoff::new(Duration::from_secs(1), EVERY);

/// The task that looks names up.
#[derive(Debug)]
pub(super) struct Lookup {
    own: Own,
    resolver: Resolver,
    pauses: Backoff,
    /// What the membership task knows.
    sent: Resolved,
}

impl Lookup {
    /// Begins the first lookup. It returns without waiting for it.
    pub(super) fn begin(names: &[String], own: Own) -> Self {
        Self::begin_by(Resolver::default(), names, own)
    }

    fn begin_by(mut resolver: Resolver, names: &[String], own: Own) -> Self {
        resolver.begin(names);
        let sent = resolver.resolved(&own);
        sent.log_news(&Resolved::default());
        Lookup { own, resolver, pauses: RETRY, sent }
    }

    /// What is known without waiting.
    pub(super) fn known(&self) -> Resolved {
        self.sent.clone()
    }

    /// Runs until the daemon ends. Whenever the names come again, they are looked up at once.
    pub(super) async fn run(mut self, mut names: watch::Receiver<Vec<String>>, handle: Handle) {
        loop {
            tokio::select! {
                changed = names.changed() => {
                    self.pauses = RETRY;
                    if changed.is_err() {
                        return;
                    }
                }
                ended = self.round(&handle) => if ended.is_err() {
                    return;
                },
            }
            self.resolver.begin(&names.borrow_and_update());
        }
    }

    /// Tells every answer as it comes, and waits until the next round is due.
    async fn round(&mut self, handle: &Handle) -> Result<(), Ended> {
        self.tell_news(handle).await?;
        while self.resolver.next().await {
            self.tell_news(handle).await?;
        }
        let pause = if self.sent.problems.is_empty() {
            self.pauses = RETRY;
            EVERY
        } else {
            self.pauses.next_pause()
        };
        sleep(pause).await;
        Ok(())
    }

    async fn tell_news(&mut self, handle: &Handle) -> Result<(), Ended> {
        let resolved = self.resolver.resolved(&self.own);
        if resolved != self.sent {
            handle.tell(Command::Introducers(resolved.clone())).await?;
            resolved.log_news(&self.sent);
            self.sent = resolved;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::Found;
    use memberd_membership::{Introducers, Others};
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::sync::mpsc;

    /// Whether the name server is up.
    static IS_UP: AtomicBool = AtomicBool::new(false);

    fn look_up(name: &str) -> Found {
        match name {
            "vm2:1" => Ok(vec!["192.0.2.2:1".parse().unwrap()]),
            _ if IS_UP.load(Ordering::Relaxed) => Ok(vec!["192.0.2.1:1".parse().unwrap()]),
            _ => Err(io::Error::other("no name server")),
        }
    }

    async fn next(commands: &mut mpsc::Receiver<Command>) -> Introducers {
        match commands.recv().await {
            Some(Command::Introducers(resolved)) => resolved.introducers,
            other => panic!("{other:?}"),
        }
    }

    /// Nobody reloads the settings when the name server comes.
    #[tokio::test]
    async fn a_name_is_looked_up_until_it_has_an_address() {
        let (handle, mut commands) = Handle::new();
        let (send, names) = watch::channel(vec!["vm1:1".to_owned()]);
        let own = Own { address: "192.0.2.9:1".parse().unwrap(), name: "vm9".to_owned() };
        let lookup = Lookup::begin_by(Resolver::by(look_up), &names.borrow(), own);
        let pending = Introducers::new(Vec::new(), Others::Pending);
        assert_eq!(lookup.known().introducers, pending);
        let running = tokio::spawn(lookup.run(names, handle));

        let unresolved = Introducers::new(Vec::new(), Others::Unresolved);
        assert_eq!(next(&mut commands).await, unresolved);
        IS_UP.store(true, Ordering::Relaxed);
        let first = vec!["192.0.2.1:1".parse().unwrap()];
        assert_eq!(next(&mut commands).await, Introducers::from(first.clone()));

        // New names are looked up at once, and the others stay known meanwhile.
        send.send_replace(vec!["vm1:1".to_owned(), "vm2:1".to_owned()]);
        assert_eq!(next(&mut commands).await, Introducers::new(first, Others::Pending));
        let both = vec!["192.0.2.1:1".parse().unwrap(), "192.0.2.2:1".parse().unwrap()];
        assert_eq!(next(&mut commands).await, Introducers::from(both));
        drop(send);
        running.await.unwrap();
    }
}
