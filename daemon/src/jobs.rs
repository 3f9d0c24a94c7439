//! Durable jobs (the crate `memberd-jobs`) as the daemon runs them.

pub mod source_files;
pub mod store;
