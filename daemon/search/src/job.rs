//! What all threads of one search share.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::memory::MemoryBudget;
use crate::output::{Output, Stopped};
use crate::pattern::Budget;
use crate::print::{OutputBuffer, Printer};
use crate::search::Search;

/// One search: what is looked for, on which machine, and whether anybody still wants the results.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job<'j> {
    pub(crate) search: &'j Search,
    /// The machine's name, as it is printed before a file's path.
    pub(crate) machine: &'j str,
    pub(crate) cancel: &'j AtomicBool,
    /// The time that backtracking may take, on all threads together.
    pub(crate) budget: &'j Budget<'j>,
}

impl<'j> Job<'j> {
    /// A printer of the results, which writes to `output`.
    pub(crate) fn printer<'o>(&self, output: &'o mut dyn Output) -> Printer<'o, 'j> {
        let Job { search, budget, .. } = *self;
        Printer::new(&search.query, search.extents.as_ref(), budget, OutputBuffer::new(output))
    }

    /// The memory of all searches.
    pub(crate) fn memory(&self) -> &'j MemoryBudget {
        &self.search.memory
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// Ends the search if it was cancelled.
    pub(crate) fn check(&self) -> Result<(), Stopped> {
        if self.is_cancelled() { Err(Stopped) } else { Ok(()) }
    }
}
