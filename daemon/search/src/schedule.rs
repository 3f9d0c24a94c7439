//! Decides which thread searches what, when, and puts together in order what they find.

mod collector;
mod event;
mod job;
mod plan;
mod task;
#[cfg(test)]
mod tests;
mod threads;
mod worker;

pub(crate) use collector::Collector;
pub(crate) use event::{Event, TimedLines};
pub(crate) use job::Job;
pub use plan::{Plan, Window};
pub(crate) use task::TaskQueue;
pub(crate) use threads::{RunError, no_thread_message, run_on_thread};
