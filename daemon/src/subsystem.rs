//! Defines the common interface of the daemon's subsystems: they take changed settings, and report
//! their status. Each folder starts its own subsystem. This file owns no state.

use crate::config::Config;
use crate::membership::Ended;
use crate::metrics::text::Text;
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use std::pin::Pin;

/// The future that a method of [`Subsystem`] returns. It is boxed, because one list holds all
/// subsystems.
pub type Boxed<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// A part of the daemon. [`crate::services::Services`] has the list of all parts.
pub trait Subsystem: Send + Sync {
    /// Takes changed settings. Unless it has another one, all of its settings need a restart.
    ///
    /// # Errors
    /// When some settings cannot take effect. The old ones stay in force, and the log says why.
    fn reload<'t>(&'t self, _settings: Change<'t>) -> Boxed<'t, Result<(), NotReloaded>> {
        Box::pin(async { Ok(()) })
    }

    /// Adds its part to the report for `memberctl status`. A client with this access may read that
    /// part.
    ///
    /// # Errors
    /// When the daemon is shutting down.
    fn status<'t>(
        &'t self,
        report: &'t mut StatusReport,
        access: Access,
    ) -> Boxed<'t, Result<(), Ended>>;

    /// Adds its metrics to a page.
    ///
    /// # Errors
    /// When the daemon is shutting down.
    fn metrics<'t>(&'t self, page: &'t mut Page) -> Boxed<'t, Result<(), Ended>>;
}

/// A change of the settings.
#[derive(Debug, Clone, Copy)]
pub struct Change<'t> {
    /// The settings that were in force.
    pub old: &'t Config,
    /// The settings that are in force from now on.
    pub new: &'t Config,
}

/// The part that a reload left unchanged, as a plural noun for the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotReloaded(pub &'static str);

/// What the task of a subsystem says of itself.
pub(crate) trait TaskReport {
    /// A sentence for each problem.
    fn warnings(&self) -> Vec<String>;

    /// Writes its metrics.
    fn write_metrics(&self, text: &mut Text);
}

/// Adds the warnings of a task to the status. Of a task that has ended, this is said.
pub(crate) fn add_warnings(
    report: &mut StatusReport,
    told: Option<&impl TaskReport>,
    has_ended: &str,
) {
    match told {
        Some(told) => report.warnings.extend(told.warnings()),
        None => report.warnings.push(has_ended.to_owned()),
    }
}

/// A page of metrics while it is written.
#[derive(Debug, Default)]
pub struct Page {
    /// The metrics so far.
    pub text: Text,
    /// The number of warnings in the status so far.
    pub warnings: usize,
}

impl Page {
    /// Adds what a task says of itself. A task that has ended is a warning.
    pub(crate) fn add(&mut self, told: Option<&impl TaskReport>) {
        let Some(told) = told else {
            self.warnings += 1;
            return;
        };
        self.warnings += told.warnings().len();
        told.write_metrics(&mut self.text);
    }
}
