//! One member's part in files: [`Member`]. Owns its keepers, holder and repairer, and the
//! operations of its clients, and hands every input to the part that it concerns.
//!
//! Nothing in it waits, and it knows no network, disk or clock: the daemon and the simulated world
//! drive the same thing.

mod operation;
mod output;

pub use operation::{
    ClientError, ClientId, FilesStatus, Operation, Outcome, Store, Write, WriteTo,
};
pub use output::{FilesMessage, MemberNote, MemberOutput};
