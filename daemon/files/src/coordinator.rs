//! What the local daemon does for a client: [`Writer`] writes a file or a large append, and
//! [`Reader`] reads.
//! Each is one operation and owns its state.

mod reader;
#[cfg(test)]
mod tests;
mod upload;
mod writer;

pub use reader::{FileContent, Reader, ReaderError, ReaderOutput};
pub use writer::{Publish, PublishAnswer, Writer, WriterError, WriterOutput, Written};
