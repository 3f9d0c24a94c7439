//! Files: which ones this machine exposes, which of them a search wants, and how they are opened.
//!
//! Nothing but the exposed files can be read, by any path, link or race. The directory with which a
//! glob literally begins is opened as the administrator wrote it. `openat2` opens all names below
//! it, and follows no link.

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
