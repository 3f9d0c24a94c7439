//! Decides which thread searches what and when, and puts the results in order.

mod apart;
mod collector;
mod event;
mod plan;
mod task;
#[cfg(test)]
mod tests;
mod threads;
mod worker;

pub(crate) use apart::run_apart;
pub(crate) use event::{Event, TimedLines};
pub use plan::{Plan, Window};
pub(crate) use task::TaskQueue;
pub(crate) use threads::{run_on_thread, run_tasks};
