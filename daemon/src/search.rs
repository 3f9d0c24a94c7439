//! Greps the logs of all members for a client (`distributed`), and this machine's logs for another
//! member (`serve`). The parts own their state, and this file only names them.
//!
//! A client's grep takes this way: `handlers::grep` checks the request and chooses the members
//! (`member_choice`). `distributed` asks each of them; a `reply_source` is either a connection or
//! this machine's own search (`serve`, `local`). `answer_check` refuses what cannot
//! be the member's own. `kept` finds who keeps the logs of members that are gone, and searches
//! those that are kept here. `stats` has the worker count in place of a search, and `rounds` has it
//! count what is followed. `ordered`, `line_relay`, `merge` or `follow` passes the replies on.

mod answer_check;
mod answer_fault;
mod answer_json;
mod answer_text;
mod audit;
mod compile;
mod context;
mod distributed;
mod follow;
pub mod greps;
/// The requests of control clients. Each file has the name of the `memberctl` command that it
/// answers.
pub mod handlers {
    pub mod files;
    pub mod grep;
    pub mod stats;
}
pub mod journal;
pub mod kept;
pub mod limits;
mod line_relay;
pub mod listing;
mod local;
mod member_choice;
mod merge;
mod ordered;
mod place;
mod progress;
pub mod reply;
mod reply_sink;
mod reply_source;
mod restriction;
mod round_relay;
mod rounds;
pub mod serve;
mod service;
mod stand;
mod stats;
mod timed;

pub use compile::Compiled;
pub use distributed::{DistributedGrep, GrepPlan};
pub use local::{LocalSearcher, SearchCounts};
pub use member_choice::{Chosen, MemberChoice, Missed};
pub use restriction::Restriction;
pub use service::SearchService;
