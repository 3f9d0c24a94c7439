//! What the subsystems of the daemon have in common: they take in changed settings, and report how
//! they are doing. Each is started by its own folder. It owns no state.

use crate::config::Config;
use crate::membership::Ended;
use crate::metrics::text::Text;
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use std::pin::Pin;

/// What a method of a [`Subsystem`] returns, since the daemon has them in one list.
pub type Boxed<'t, T> = Pin<Box<dyn Future<Output = T> + Send + 't>>;

/// A part of the daemon; [`crate::services::Services`] has the list of them.
pub trait Subsystem: Send + Sync {
    /// Takes in changed settings.
    ///
    /// # Errors
    /// When some are not taken in. Those from before stay in force, and the log says why.
    fn reload<'t>(&'t self, settings: Change<'t>) -> Boxed<'t, Result<(), NotReloaded>>;

    /// Adds what it knows to the report behind `memberctl status`, as far as a client with this
    /// access may know it.
    ///
    /// # Errors
    /// When the daemon is shutting down.
    fn status<'t>(
        &'t self,
        report: &'t mut StatusReport,
        access: Access,
    ) -> Boxed<'t, Result<(), Ended>>;

    /// Adds what it measures.
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

/// What a reload did not take in: a plural noun, for the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotReloaded(pub &'static str);

/// A page of metrics under way.
#[derive(Debug, Default)]
pub struct Page {
    /// The metrics so far.
    pub text: Text,
    /// How many warnings the status has so far.
    pub warnings: usize,
}
