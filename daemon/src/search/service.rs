//! Searching as a subsystem. It owns the searches of this machine's logs, and the greps of its
//! clients.

use super::greps::{GrepCounts, Greps};
use super::local::LocalSearcher;
use super::ordered::room_for_waiting_output;
use super::restriction::Restriction;
use crate::config::Config;
use crate::lock::{read, write};
use crate::log::AuditTrail;
use crate::membership::Ended;
use crate::subsystem::{Boxed, Change, NotReloaded, Page, Subsystem};
use crate::users::Users;
use anyhow::Context as _;
use memberd_control::grep::GrepRequest;
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use memberd_transport::{Admission, Caller, Permit, Source};
use std::sync::{Arc, RwLock};
use tracing::error;

/// The most connections that all greps by time and all following greps of one user hold open
/// together. Those greps need all their members at once.
const MAX_HELD_CONNECTIONS: usize = 512;

/// The places for these connections: so many for one user, and at most twice as many for all.
pub(super) fn held_connections(limit: usize) -> Admission {
    let answer = |count| format!("greps keep connections to {count} members open already");
    Admission::new("held connections", limit.saturating_mul(2), answer).shared(answer)
}

/// The parts that searching needs.
#[derive(Debug)]
pub struct SearchService {
    /// The searches of this machine's logs.
    pub searcher: Arc<LocalSearcher>,
    /// The greps of this machine's clients.
    pub greps: Greps,
    /// What clients of the search socket may search.
    restriction: RwLock<Arc<Restriction>>,
    /// The names of those clients.
    pub(super) users: Users,
    /// One place for each connection that a grep may hold open until all members are done.
    held_connections: Admission,
    /// The room for output that waits until it comes in the order of members.
    pub(super) waiting_output: Admission,
    /// Calls other members from this member's address.
    pub caller: Caller,
}

impl SearchService {
    /// Starts with the files that the settings expose.
    ///
    /// # Errors
    /// When a glob of the settings is invalid.
    pub fn start(config: &Config, caller: Caller, audit: AuditTrail) -> anyhow::Result<Self> {
        let offer = config.offer().context("[logs] files")?;
        let searcher =
            LocalSearcher::new(config.name.to_string(), offer, config.limits).with_audit(audit);
        searcher.set_journal(config.journal_offer());
        searcher.set_worker(config.streams.socket());
        Ok(SearchService {
            searcher: Arc::new(searcher),
            greps: Greps::new(config.limits.greps),
            restriction: RwLock::new(Arc::new(config.search.restriction.clone())),
            users: Users::default(),
            held_connections: held_connections(MAX_HELD_CONNECTIONS),
            waiting_output: room_for_waiting_output(),
            caller,
        })
    }
}

impl SearchService {
    /// What clients with this access may search.
    pub(super) fn restriction(&self, access: Access) -> Arc<Restriction> {
        match access {
            Access::Search => Arc::clone(&read(&self.restriction)),
            // Clients of the read-only socket have no searches to restrict.
            Access::Full | Access::ReadOnly => Arc::new(Restriction::NONE),
        }
    }

    /// Reserves a connection for each member if the grep needs all members at once. Other greps
    /// need no reservation.
    ///
    /// # Errors
    /// When there are too few. The error is one line.
    pub(super) fn reserve_connections(
        &self,
        request: &GrepRequest,
        members: usize,
        user: Source,
    ) -> Result<Permit, String> {
        let (option, members) = match (request.printing.by_time, request.files.follow) {
            (true, _) => ("--merge", members),
            (false, true) => ("--follow", members),
            (false, false) => ("grep", 0),
        };
        if members > MAX_HELD_CONNECTIONS {
            return Err(format!(
                "{option} keeps a connection to each member open, to {MAX_HELD_CONNECTIONS} at \
                most, and {members} are up: use --on"
            ));
        }
        self.held_connections.try_enter_many_as(user, members).map_err(|_| {
            format!(
                "{option} keeps a connection to each member open, and other greps hold most of \
                {MAX_HELD_CONNECTIONS} already: end one, or use --on"
            )
        })
    }
}

impl Subsystem for SearchService {
    fn reload<'t>(&'t self, settings: Change<'t>) -> Boxed<'t, Result<(), NotReloaded>> {
        Box::pin(async move {
            // Before the offer, so that no file is offered that the new limit leaves out.
            *write(&self.restriction) = Arc::new(settings.new.search.restriction.clone());
            match settings.new.offer() {
                Ok(offer) => self.searcher.set_offer(offer),
                Err(error) => error!(%error, "logs.files was not reloaded"),
            }
            self.searcher.set_journal(settings.new.journal_offer());
            self.searcher.set_worker(settings.new.streams.socket());
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
            report.searches = self.searcher.counts().running;
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
            let searches = self.searcher.counts();
            text.gauge("memberd_searches_running", "Searches of this machine's logs that run now.")
                .value(searches.running);
            text.gauge(
                "memberd_searches_set_aside",
                "Searches of this machine's logs that wait for a slow reader without a place.",
            )
            .value(searches.set_aside);
            text.counter(
                "memberd_searches_total",
                "Searches of this machine's logs that came to their end.",
            )
            .value(searches.finished);
            let memory = &self.searcher.memory;
            text.gauge(
                "memberd_search_memory_bytes",
                "Memory that searches have taken of limits.search_memory.",
            )
            .value(memory.used_bytes());
            text.gauge("memberd_search_memory_limit_bytes", "The setting limits.search_memory.")
                .value(memory.limit_bytes());
            text.counter(
                "memberd_search_memory_refused_total",
                "Times that a search, or a file of one, was refused memory.",
            )
            .value(memory.refused());
            text.counter(
                "memberd_searched_bytes_total",
                "Bytes of this machine's logs that those searched.",
            )
            .value(searches.bytes);
            Ok(())
        })
    }
}
