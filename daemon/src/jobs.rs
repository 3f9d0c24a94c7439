//! Durable jobs: what the machine does for the protocol of `memberd-jobs`.

pub mod source_files;
