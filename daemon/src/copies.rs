//! Copies of logs: this machine's are sent to keepers, and those of other members are kept here.
//! With `[logs] copies = 0` nothing of it runs.

mod keeper;
mod members;
mod metrics;
mod service;
mod source;

pub use service::{CopiesService, IncomingCopies, Resources};

/// Where copies lie in the state directory.
pub const DIRECTORY: &str = "copies";
