//! Replicated files as a subsystem: it starts and stops their task, and reports. It owns the handle
//! to the task, if `[files] enabled` is set.

use super::handle::{FilesError, Handle};
use crate::membership::Ended;
use crate::subsystem::{Boxed, Change, NotReloaded, Page, Subsystem};
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;

/// The replicated files of this machine.
#[derive(Debug, Default)]
pub struct FilesService {
    /// None if they are switched off: then nothing of them runs.
    running: Option<Handle>,
}

impl FilesService {
    /// The handle to the task.
    ///
    /// # Errors
    /// When files are switched off.
    pub fn handle(&self) -> Result<&Handle, FilesError> {
        self.running.as_ref().ok_or(FilesError::Off)
    }
}

impl Subsystem for FilesService {
    fn reload<'t>(&'t self, _: Change<'t>) -> Boxed<'t, Result<(), NotReloaded>> {
        Box::pin(async { Ok(()) })
    }

    fn status<'t>(&'t self, _: &'t mut StatusReport, _: Access) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async { Ok(()) })
    }

    fn metrics<'t>(&'t self, _: &'t mut Page) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async { Ok(()) })
    }
}
