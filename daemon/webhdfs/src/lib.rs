//! WebHDFS: Hadoop's own interface to a file system, over HTTP/1.1 on loopback. So Hadoop, Spark,
//! fsspec and OpenDAL use it with nothing to install.
//!
//! A [`Server`] answers requests by calls of a [`FileSystem`], a trait that this crate owns.
//! `WEBHDFS.md` says what is answered, and where that differs from Hadoop's own server.

mod access;
mod answer;
mod checksum;
mod error;
mod file_system;
mod guard;
mod json;
mod listing;
mod metadata;
mod operation;
mod path;
mod query;
mod redirect;
mod repeats;
mod server;
mod transfer;
mod watched;

pub use access::{May, Shares};
pub use checksum::{Checksummer, FileChecksum};
pub use error::FileError;
pub use file_system::{
    Block, Change, Create, Defaults, FileSystem, Holder, Kind, Later, Page, Reader, RenameMode,
    Space, Span, Status, Summary, Writer,
};
pub use operation::{Asked, Operation};
pub use path::HdfsPath;
pub use server::{Limits, ServeError, Server, Settings};
