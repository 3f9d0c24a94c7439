//! memberd keeps the list of the live members on every machine of a fleet, and answers greps over
//! its logs.
//!
//! `daemon` starts everything. One task, in `membership`, owns the protocol's state machine (the
//! crate `memberd-membership`) and drives it over UDP. `peer` answers requests over TCP. The crate
//! `memberd-transport` keeps strangers out of both. `control` and `dispatch` serve `memberctl`, and
//! `search` greps.

pub mod agreement;
pub mod backoff;
pub mod blocking;
pub mod boot_time;
pub mod check;
pub mod config;
pub mod connections;
pub mod control;
pub mod copies;
pub mod daemon;
pub mod dispatch;
pub mod durable;
pub mod exit;
pub mod files;
mod incoming;
pub mod jobs;
pub mod keys;
mod links;
pub mod lock;
pub mod log;
pub mod membership;
pub mod memory;
pub mod metrics;
pub mod notify;
pub mod options;
pub mod peer;
pub mod reload;
pub mod resolve;
pub mod search;
pub mod services;
pub mod state;
pub mod subsystem;
mod task_thread;
pub mod time;
pub mod users;
