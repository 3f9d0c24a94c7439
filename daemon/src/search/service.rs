//! Searching as a subsystem: the searches of this machine's logs, and the greps that its clients
//! have begun.

use super::LocalSearcher;
use super::greps::{GrepCounts, Greps};
use super::line_relay::{HELD, held_connections};
use crate::admission::Admission;
use crate::config::Config;
use crate::membership::Ended;
use crate::subsystem::{Boxed, Change, NotReloaded, Page, Subsystem};
use anyhow::Context as _;
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use memberd_transport::Caller;
use std::sync::Arc;
use tracing::error;

/// All that searching needs.
#[derive(Debug)]
pub struct SearchService {
    /// The searches of this machine's logs.
    pub searches: Arc<LocalSearcher>,
    /// The greps of this machine's clients.
    pub greps: Greps,
    /// One for each connection that greps may hold open to a member until all members are done.
    pub held: Admission,
    /// Calls other members, from this member's address.
    pub caller: Caller,
}

impl SearchService {
    /// Searches what the settings let the group search.
    ///
    /// # Errors
    /// When a glob of the settings is none.
    pub fn start(config: &Config, caller: Caller) -> anyhow::Result<Self> {
        let offer = config.offer().context("[logs] files")?;
        let searches = LocalSearcher::new(config.name.to_string(), offer, config.limits);
        searches.set_journal(config.journalctl());
        Ok(SearchService {
            searches: Arc::new(searches),
            greps: Greps::new(config.limits.greps),
            held: held_connections(HELD),
            caller,
        })
    }
}

impl Subsystem for SearchService {
    fn reload<'t>(&'t self, settings: Change<'t>) -> Boxed<'t, Result<(), NotReloaded>> {
        Box::pin(async move {
            match settings.new.offer() {
                Ok(offer) => self.searches.set_offer(offer),
                Err(error) => error!(%error, "logs.files was not reloaded"),
            }
            self.searches.set_journal(settings.new.journalctl());
            Ok(())
        })
    }

    fn status<'t>(
        &'t self,
        report: &'t mut StatusReport,
        access: Access,
    ) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            report.greps = self.greps.running(access);
            report.searches = self.searches.work().running;
            Ok(())
        })
    }

    fn metrics<'t>(&'t self, page: &'t mut Page) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let text = &mut page.text;
            let GrepCounts { started, running } = self.greps.counts();
            text.gauge("memberd_greps_running", "Greps that this machine's users have running.")
                .value(running);
            text.counter("memberd_greps_total", "Greps that this machine's users have started.")
                .value(started);
            let work = self.searches.work();
            text.gauge("memberd_searches_running", "Searches of this machine's logs that run now.")
                .value(work.running);
            text.counter(
                "memberd_searches_total",
                "Searches of this machine's logs that came to their end.",
            )
            .value(work.finished);
            text.counter(
                "memberd_searched_bytes_total",
                "Bytes of this machine's logs that those searched.",
            )
            .value(work.bytes);
            Ok(())
        })
    }
}
