//! What is asked of the replicated file system, and what it answers. Plain values.
//!
//! An operation happens wholly or not at all, at one moment between question and answer. An
//! answer may come twice, or not at all: then the operation may still happen later.

use crate::ids::{JobId, Stage};

/// A file of the replicated file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobFile {
    /// The job table.
    Table,
    /// The log of a stage.
    Log(JobId, Stage),
    /// The rows of a job, as people read them.
    Sink(JobId),
}

/// The number of a question. No two questions of one process have the same, since no process owns
/// a stage twice under one epoch without a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId {
    /// The asker's token.
    pub token: u64,
    /// How many it asked before, of this file.
    pub number: u64,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreAsk {
    /// Repeated by the answer.
    pub id: AskId,
    /// About which file.
    pub file: JobFile,
    /// What.
    pub operation: StoreOperation,
}

/// What is done with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreOperation {
    /// Makes an empty file, if there is none.
    Create {
        /// How many copies it wants.
        copies: u8,
    },
    /// From now on, writes with a smaller token fail. Fails itself if the file's token is larger.
    Fence {
        /// The token.
        token: u64,
    },
    /// All bytes from an offset on. It sees every write that was answered before.
    Read {
        /// The offset in bytes. Beyond the end there is nothing.
        from: u64,
    },
    /// Adds to the end: at most 1 MiB, all or nothing.
    Append {
        /// The appender's token.
        token: u64,
        /// When it may happen.
        only: Condition,
        /// What is added.
        bytes: Vec<u8>,
    },
    /// Replaces the content, all or nothing.
    Replace {
        /// The writer's token.
        token: u64,
        /// When it may happen.
        only: Condition,
        /// The content.
        bytes: Vec<u8>,
    },
}

/// When a write may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// The content has changed so often. Unlike a length it never comes again, even if the content
    /// is replaced by a shorter one.
    Version(u64),
    /// It has so many bytes. Enough for a file that only grows.
    Length(u64),
    /// Always. No part of the protocol says so; a mutant does.
    Always,
}

/// A file at the moment of the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct At {
    /// How often its content has changed.
    pub version: u64,
    /// Its bytes.
    pub length: u64,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAnswer {
    /// It is done, and durable on all copies.
    Done(At),
    /// The bytes that were asked for.
    Bytes(At, Vec<u8>),
    /// Nothing was done: the file's token is larger.
    Fenced(u64),
    /// Nothing was done: the condition does not hold.
    Changed(At),
    /// There is no such file.
    Absent,
    /// Nothing was done: not now.
    Unavailable,
    /// Nobody knows whether it was done, or will be.
    Unknown,
}
