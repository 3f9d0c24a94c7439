//! Copies of other members' logs: what a source sends, how a keeper stores it, and how a search
//! finds the blocks that it need not read. Files, but no network and no tokio.
//!
//! A **source** cuts each of its log files, a [`stream`], into [`block`]s of whole lines. A
//! **keeper** appends them to the segments of its [`store`]. A segment that is full is sealed: its
//! blocks become large, and get a [`filter`]. A search reads a [`kept`] stream, and leaves out the
//! blocks that cannot have what it [`needs`]. [`placement`] chooses the keepers.

pub mod block;
mod bytes;
pub mod filter;
pub mod kept;
pub mod needs;
pub mod pace;
pub mod placement;
mod segment;
pub mod standing;
pub mod store;
pub mod stream;
pub mod wire;
