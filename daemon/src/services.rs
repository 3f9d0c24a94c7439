//! The list of subsystems, which serve all requests. It owns the note about settings that the last
//! reload left unchanged.

use crate::agreement::AgreementService;
use crate::connections::Connections;
use crate::keys::Keys;
use crate::lock::{read, write};
use crate::log::Log;
use crate::membership::{Ended, MembershipService};
use crate::reload::Reloader;
use crate::search::SearchService;
use crate::subsystem::{Change, NotReloaded, Page, Subsystem};
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use std::sync::RwLock;

/// The subsystems.
#[derive(Debug)]
pub struct Services {
    /// The membership of the group.
    pub membership: MembershipService,
    /// The agreed views, if there are any.
    pub agreement: AgreementService,
    /// The searches of this machine, and the greps of its clients.
    pub search: SearchService,
    /// The keys of the group.
    pub keys: Keys,
    /// The log.
    pub log: Log,
    /// The connections at its sockets.
    pub connections: Connections,
    /// With which clients ask for a reload.
    pub reloader: Reloader,
    /// The parts that the last reload left unchanged, if any.
    not_reloaded: RwLock<Option<NotReloaded>>,
}

impl Services {
    /// Holds the subsystems, which have been started.
    pub fn new(
        membership: MembershipService,
        agreement: AgreementService,
        search: SearchService,
        keys: Keys,
        log: Log,
        reloader: Reloader,
    ) -> Self {
        let (connections, not_reloaded) = (Connections::none(), RwLock::default());
        Services { membership, agreement, search, keys, log, connections, reloader, not_reloaded }
    }

    /// The membership comes first, because the others add to its report.
    fn all(&self) -> [&dyn Subsystem; 6] {
        [&self.membership, &self.agreement, &self.search, &self.keys, &self.log, &self.connections]
    }

    /// Passes changed settings to every subsystem.
    ///
    /// # Errors
    /// When a subsystem cannot use them. The others use them nevertheless.
    pub async fn reload(&self, settings: Change<'_>) -> Result<(), NotReloaded> {
        let mut reloaded = Ok(());
        for subsystem in self.all() {
            reloaded = reloaded.and(subsystem.reload(settings).await);
        }
        reloaded
    }

    /// Notes the parts that the last reload left unchanged.
    pub fn set_not_reloaded(&self, what: Option<NotReloaded>) {
        *write(&self.not_reloaded) = what;
    }

    /// The report for `memberctl status`, for a client with this access.
    ///
    /// # Errors
    /// When the daemon is shutting down.
    pub async fn status(&self, access: Access) -> Result<StatusReport, Ended> {
        let mut report = StatusReport::default();
        for subsystem in self.all() {
            subsystem.status(&mut report, access).await?;
        }
        report.warnings.extend(self.warning());
        report.counters.sort();
        Ok(report)
    }

    /// All metrics, in Prometheus' text format.
    ///
    /// # Errors
    /// When the daemon is shutting down.
    pub async fn metrics(&self) -> Result<String, Ended> {
        let mut page = Page::default();
        page.text.gauge("memberd_build_info", "The version of this memberd.").labelled(
            "version",
            env!("CARGO_PKG_VERSION"),
            1_u64,
        );
        for subsystem in self.all() {
            subsystem.metrics(&mut page).await?;
        }
        let Page { mut text, warnings } = page;
        let warnings = warnings + usize::from(self.warning().is_some());
        text.gauge("memberd_warnings", "What memberctl status warns of now.")
            .value(u64::try_from(warnings).unwrap_or(u64::MAX));
        Ok(text.finish())
    }

    fn warning(&self) -> Option<String> {
        let NotReloaded(what) = (*read(&self.not_reloaded))?;
        Some(format!(
            "the last reload did not take in the {what}, and the old ones stay in force: the log \
            says why"
        ))
    }
}
