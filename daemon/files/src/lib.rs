//! Replicated files: names in catalogs on three keepers, contents in extents on three holders. No
//! network, no clock, no randomness; the disk is behind a trait.

mod content;
mod ids;
mod path;
pub mod store;
mod view;

pub use content::{Content, ExtentRef, HolderSet};
pub use ids::{Epoch, ExtentId, Generation, InodeId, OperationId, Token};
pub use memberd_membership::Name;
pub use path::{FilePath, PathError, ShareName};
pub use view::{FilesView, MemberOfView, ShareKeepers};
