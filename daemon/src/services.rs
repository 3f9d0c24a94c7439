//! The list of subsystems, which serve all requests. It owns the note about settings that the last
//! reload left unchanged.

use crate::agreement::AgreementService;
use crate::connections::Connections;
use crate::copies::CopiesService;
use crate::files::FilesService;
use crate::jobs::JobsService;
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
    /// The replicated files, if there are any.
    pub files: FilesService,
    /// The durable jobs, if there are any.
    pub jobs: JobsService,
    /// The copies of logs that this machine sends and keeps.
    pub copies: CopiesService,
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
    /// How the last one ended.
    pub(crate) last_reload: LastReload,
}

/// The parts that the last reload left unchanged, if any.
#[derive(Debug, Default)]
pub(crate) struct LastReload(RwLock<Option<NotReloaded>>);

impl LastReload {
    /// Notes them.
    pub(crate) fn set(&self, left_unchanged: Option<NotReloaded>) {
        *write(&self.0) = left_unchanged;
    }

    fn warning(&self) -> Option<String> {
        let NotReloaded(what) = (*read(&self.0))?;
        Some(format!(
            "the last reload did not take in the {what}, and the old ones stay in force: the log \
            says why"
        ))
    }
}

impl Services {
    /// The membership comes first, because the others add to its report.
    fn all(&self) -> [&dyn Subsystem; 9] {
        let Services {
            membership,
            agreement,
            files,
            jobs,
            copies,
            search,
            keys,
            log,
            connections,
            ..
        } = self;
        [membership, agreement, files, jobs, copies, search, keys, log, connections]
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

    /// The report for `memberctl status`, for a client with this access.
    ///
    /// # Errors
    /// When the daemon is shutting down.
    pub async fn status(&self, access: Access) -> Result<StatusReport, Ended> {
        let mut report = StatusReport::default();
        for subsystem in self.all() {
            subsystem.status(&mut report, access).await?;
        }
        report.warnings.extend(self.last_reload.warning());
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
        let warnings = warnings + usize::from(self.last_reload.warning().is_some());
        text.gauge("memberd_warnings", "What memberctl status warns of now.").value(warnings);
        Ok(text.finish())
    }
}
