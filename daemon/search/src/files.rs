//! Files: which ones this machine exposes, which of them a search wants, and how they are opened.
//!
//! Nothing but the exposed files can be read, by any path, link or race. The directory with which a
//! glob literally begins is opened as the administrator wrote it (`fixed`). `openat2` opens all
//! names below it, and follows no link. Links are read one by one, and lead only below directories
//! that the administrator has listed. Some files are never searched (`never`).

mod beneath;
mod brace;
mod circle;
mod compressed;
mod directory;
mod exposed;
mod file_error;
mod filter;
mod fixed;
mod glob;
mod glob_class;
mod glob_error;
mod handed;
mod links;
mod moved;
mod never;
mod open;
mod root;
mod rotated;
mod walk;

pub(crate) use compressed::{Compression, DecompressError, WindowClaim};
pub use exposed::{ExposedFiles, FileList, MAX_FILES, MAX_PROBLEMS, ONLY_LINKS, Problem};
pub(crate) use file_error::FileError;
pub use file_error::NEVER;
pub use filter::FileFilter;
pub use glob_error::GlobError;
pub use handed::HandedFile;
pub use never::{NeverFiles, NeverPlace};
pub use open::{ExposedFile, FileIdentity, ReadableFile};
pub(crate) use open::{Opened, milliseconds, reason};
pub(crate) use rotated::rotated_from;
