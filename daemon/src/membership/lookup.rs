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
        let mut resolver = Resolver::default();
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
