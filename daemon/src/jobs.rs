//! Durable jobs (the crate `memberd-jobs`) as the daemon runs them.

pub mod store;
