//! Replicated files: names in catalogs on three or five keepers, contents in extents on three
//! holders. No network, no clock, no randomness; the disk is behind a trait.

mod catalog;
mod content;
mod coordinator;
mod disk;
mod extent;
mod forms;
mod holder;
mod ids;
mod keeper;
mod member;
mod path;
mod placement;
mod repair;
mod settings;
pub mod store;
mod transfer;
mod view;

pub use catalog::{
    Answer, Append, Appended, AttributeChange, Attributes, Ballot, Catalog, Contents, Done, Entry,
    Found, ImageError, Listed, Listing, Mutation, Position, Put, PutIf, Query, Quota, Refusal,
    RenameHow, Status, StatusKind, Tail, Totals, Truncate, Usage, Version,
};
pub use content::{Content, ExtentRef, HolderSet};
pub use coordinator::{
    FileContent, Publish, PublishAnswer, Reader, ReaderError, ReaderOutput, Writer, WriterError,
    WriterOutput, Written,
};
pub use disk::{ExtentDone, ExtentFault, ExtentJob, StoredExtent};
pub use extent::{BadGroup, ExtentHasher, ExtentHashes, GROUP_BYTES, PIECE_BYTES};
pub use holder::{ExtentUse, Holder, HolderOutput};
pub use ids::{Epoch, ExtentId, Generation, InodeId, OperationId, Token};
pub use keeper::{
    Body as KeeperBody, DiskId, Durable, ImageAt, Keeper, KeeperRole, KeeperStatus, Level, Mark,
    Message as KeeperMessage, Mutant as KeeperMutant, Output as KeeperOutput, Record, Reply,
    Report, RequestId, Settings as KeeperSettings,
};
pub use member::{
    ClientError, ClientId, FilesMessage, FilesMessageError, FilesStatus, Member, MemberNote,
    MemberOutput, MemberSettings, OnDisk, Operation, Outcome, ShareStatus, StoredPage, Write,
    WriteTo,
};
pub use memberd_council::{BootTime, Now};
pub use memberd_membership::Name;
pub use path::{FilePath, PathError, ShareName};
pub use placement::{Hints, choose, rank};
pub use repair::{RepairOutput, Repairer, SetAnswer, SetChange};
#[doc(hidden)]
pub use settings::ExtentMutant;
pub use settings::ExtentSettings;
pub use transfer::{
    CopyOrder, Piece, PullOrder, ReadError, ReadOrder, ReadPurpose, RefusalReason, Transfer,
    TransferError,
};
pub use view::{FilesView, MemberOfView, ShareKeepers};
