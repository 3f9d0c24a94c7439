//! Tests of the real memberctl against a scripted daemon.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod demo;
mod events;
mod exits;
mod fake;
mod file;
mod grep;
mod grep_answers;
mod grep_fleet;
mod join;
mod key;
mod leader;
mod list;
mod records;
mod run;
mod stats;
mod stats_follow;
mod status;
mod stream;
mod view;
