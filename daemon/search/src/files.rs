//! Files: what this machine offers, what of it a search wants, and how it is opened.
//!
//! Nothing outside the offer can be read, by any path, link or race: the directory that a glob
//! literally begins with is opened as the administrator wrote it, and everything below by names
//! that `openat2` resolves beneath it without following any link.

mod beneath;
mod brace;
mod compressed;
mod directory;
mod glob;
mod glob_error;
mod narrow;
mod offer;
mod open;
mod root;
mod rotated;
mod walk;

pub(crate) use compressed::{Compression, DecompressError};
pub use glob_error::GlobError;
pub use narrow::Narrow;
pub use offer::{Found, MAX_FILES, Offer, Problem};
pub use open::OfferedFile;
pub(crate) use open::{Opened, reason};
pub(crate) use rotated::is_rotated_of;
