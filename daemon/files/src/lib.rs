//! Replicated files: names in catalogs on three keepers, contents in extents on three holders. No
//! network, no clock, no randomness; the disk is behind a trait.

mod catalog;
mod content;
mod forms;
mod ids;
mod keeper;
mod path;
mod view;

pub use catalog::{
    Answer, Append, Appended, AttributeChange, Attributes, Ballot, Catalog, Contents, Done, Entry,
    Found, ImageError, Listed, Listing, Mutation, Position, Put, PutIf, Query, Quota, Refusal,
    RenameHow, Status, StatusKind, Tail, Totals, Truncate, Usage, Version,
};
pub use content::{Content, ExtentRef, HolderSet};
pub use ids::{Epoch, ExtentId, Generation, InodeId, OperationId, Token};
pub use keeper::{
    Body as KeeperBody, DiskId, Durable, ImageAt, Keeper, KeeperRole, KeeperStatus, Level, Mark,
    Message as KeeperMessage, Mutant as KeeperMutant, Output as KeeperOutput, Record, Reply,
    Report, RequestId, Settings as KeeperSettings,
};
pub use memberd_council::{BootTime, Now};
pub use memberd_membership::Name;
pub use path::{FilePath, PathError, ShareName};
pub use view::{FilesView, MemberOfView, ShareKeepers};
