//! `memberctl demo [--quick]`.
use crate::exit::Failure;
/// Demo.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {}
impl Demo {
    /// Runs.
    pub(super) fn run(&self) -> Result<(), Failure> {
        Ok(())
    }
}
