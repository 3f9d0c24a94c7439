//! Decides which thread searches what and when, and puts the results in order.

mod collector;
mod event;
mod plan;
mod task;
#[cfg(test)]
mod tests;
mod threads;
mod worker;

pub(crate) use event::{Event, TimedLines};
pub use plan::{Plan, Window};
pub(crate) use task::TaskQueue;
pub(crate) use threads::{run_on_thread, run_tasks};
