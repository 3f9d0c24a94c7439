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

pub(crate) use collector::Assembly;
pub(crate) use event::{Piece, Timed};
pub(crate) use job::Work;
pub use plan::{Plan, Window};
pub(crate) use task::Units;
pub(crate) use threads::{Broken, apart, no_thread};
