//! Counts lines of files that memberd has opened, in a process of its own.
//!
//! A question over logs may need much memory and processor time, and memberd must not. So it asks
//! `memberd-worker`, which has a unit of its own with limits, no network, no key and no right to
//! read a log. [`ask`] is memberd's side: it sends a [`Question`], then files that it has opened,
//! as descriptors, and gets sums. [`serve`] is the worker's. Both block.
//!
//! One connection carries one question. Its frames are those of the control socket. Files are read
//! once like this:
//!
//! ```text
//! memberd                               memberd-worker
//!   | -- Question ----------------------> |
//!   | <-- Message, Working (any time) --- |
//!   | <-- More -------------------------- |   again and again:
//!   | -- Batch, and its descriptors ----> |   an empty one is the last
//!   | <-- Partial (1 or more) ----------- |
//!   | <-- Done, or Refused at any time -- |
//! ```
//!
//! A question that follows files lasts. memberd reads the files, since it has the follower that
//! grep has, and a [`Feed`] sends the lines that it selects:
//!
//! ```text
//! memberd                               memberd-worker
//!   | -- Question ----------------------> |
//!   | <-- More -------------------------- |   again and again:
//!   | -- Lines, or RoundEnd ------------> |
//!   | <-- Message (any), Partial -------- |   after a round's end, or if a table is half full
//!   | <-- Refused at any time ----------- |
//! ```
//!
//! A durable job counts ranges of files that grow, and needs the sums of each. [`fold_ranges`]
//! hands over open files and where to read them:
//!
//! ```text
//! memberd                               memberd-worker
//!   | -- Question ----------------------> |
//!   | <-- Working (any time) ------------ |
//!   | <-- More -------------------------- |   again and again:
//!   | -- RangeBatch, and descriptors ---> |   an empty one is the last
//!   | <-- Partial, Range or Unread ------ |   for each range
//!   | <-- Done, or Refused at any time -- |
//! ```

mod client;
mod descriptors;
mod feed;
mod fold;
mod follow;
mod output;
mod protocol;
mod question;
mod range_reader;
mod ranges;
mod serve;
mod tables;
mod teller;

pub use client::{AskError, OpenFile, Told, ask};
pub use feed::Feed;
pub use protocol::{Counts, MAX_BATCH, Question, Reads};
pub use ranges::{OpenRange, RangeSums, Unread, fold_ranges};
pub use serve::{MAX_FOLDS, Settings, bind, serve};
