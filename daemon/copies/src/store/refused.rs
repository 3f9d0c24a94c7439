//! Why a store does not take something.

use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

/// Why a store did not take a head or a block. It travels to the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refused {
    /// Go on from `expected`.
    #[error("the copy goes up to byte {expected}, and the block begins elsewhere")]
    Gap {
        /// Where the next block must begin, in bytes of the file.
        expected: u64,
    },
    /// Send the head, then go on at any whole line.
    #[error("the stream has no head here, or all of its copy was dropped")]
    Unknown,
    /// Cut it anew.
    #[error("the block is not what its head says, or is too long")]
    Invalid,
    /// Begin another stream.
    #[error("the copy is damaged, and is not extended any more")]
    Damaged,
    /// Try again later.
    #[error("the disk of the keeper is full")]
    Full,
    /// Choose another keeper.
    #[error("the keeper has as many sources as it may have")]
    TooMany,
    /// Choose another keeper.
    #[error("the disk of the keeper failed: {0}")]
    Failed(String),
}

/// The disk failed, now or before. Open the store again after it was looked after.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the copies can no longer be written: {0}; look after the disk, then restart memberd")]
pub struct Failed(pub String);

impl From<Failed> for Refused {
    fn from(failed: Failed) -> Refused {
        Refused::Failed(failed.0)
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {error}")]
pub struct OpenError {
    /// What could not be read or written.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}
