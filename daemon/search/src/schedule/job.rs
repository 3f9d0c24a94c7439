//! What one run is about, for all its threads.

use std::sync::atomic::AtomicBool;

use super::plan::Plan;
use crate::files::OfferedFile;
use crate::pattern::Budget;
use crate::search::Search;

/// A search of some files, by a plan.
pub(crate) struct Job<'w> {
    pub(crate) search: &'w Search,
    pub(crate) plan: &'w Plan,
    pub(crate) machine: &'w str,
    pub(crate) files: &'w [OfferedFile],
    pub(crate) cancel: &'w AtomicBool,
    /// What backtracking may take, on all threads together.
    pub(crate) budget: &'w Budget<'w>,
}
