//! Greps, of all members' logs for a client (`distributed`) and of this machine's logs for another
//! member (`serve`). The parts own their state; this file only names them.
//!
//! A client's grep takes this way: `handlers::grep` checks the request and chooses the members
//! (`scope`). `distributed` asks each of them; a `reply_source` is either a connection or this
//! machine's own search (`serve`, `local`). `line_relay`, `merge` or `follow` passes the replies
//! on.

mod compile;
mod context;
mod distributed;
mod follow;
pub mod greps;
/// What the daemon does for a control client: one file a verb, of the same name as memberctl's.
pub mod handlers {
    pub mod grep;
}
pub mod journal;
pub mod limits;
mod line_relay;
mod local;
mod merge;
mod progress;
pub mod reply;
mod reply_sink;
mod reply_source;
mod scope;
pub mod serve;
mod service;
mod timed;

pub use compile::Compiled;
pub use distributed::{DistributedGrep, GrepPlan};
pub use local::{LocalSearcher, SearchCounts};
pub use scope::{Chosen, Scope, Target};
pub use service::SearchService;
