//! One machine's grep: patterns, files, limits.
//!
//! A [`Query`] is grep's command line without the files, in the types of [`memberd_control::grep`].
//! [`Query::compile`] makes it a [`Search`]. An [`ExposedFiles`] lists the files that this machine
//! exposes, and [`ExposedFiles::files`] gives those that a [`FileFilter`] selects. [`Search::run`]
//! searches them by a [`Plan`] and prints to an [`Output`]. [`Search::follow`] searches what is
//! written from now on, and [`Search::run_stream`] what a reader gives. [`Search::run_kept`]
//! searches what this machine keeps of another one's files, which a [`KeptFiles`] chooses.
//! [`Search::apart`] searches files that another process has opened, for sums. All of it blocks,
//! and none of it uses the network. `README.md` lists the differences from GNU grep.

mod cost;
mod files;
mod follow;
mod job;
mod kept;
mod line;
mod listing;
mod lock;
mod memory;
mod merge;
mod output;
mod pattern;
mod print;
mod query;
mod run;
mod scan;
mod schedule;
mod search;
mod searched;
mod stream;
mod takers;
mod time;

pub use memberd_control::grep::{
    GrepBinary, GrepCharacters, GrepColors, GrepPattern, GrepPrint, GrepPrinting, GrepSyntax, Sgr,
};

pub use files::{
    ExposedFile, ExposedFiles, FileFilter, FileIdentity, FileList, GlobError, HandedFile,
    MAX_FILES, MAX_PROBLEMS, NEVER, NeverFiles, NeverPlace, ONLY_LINKS, Problem, ReadableFile,
};
pub use follow::Selection;
pub use kept::{KeptFile, KeptFiles, LineSpans};
pub use line::MAX_LINE_BYTES;
pub use listing::{ListedFile, Listing, ListingLimits};
pub use memory::{MemoryBudget, NoMemory};
pub use output::{NO_TIME, OUTPUT_BYTES, Output, Stopped};
pub use pattern::{MAX_COMPILED_BYTES, MAX_PATTERN_BYTES, PatternError};
pub use query::Query;
pub use run::ApartSearch;
pub use scan::KnownTimes;
pub use schedule::{Plan, Window};
pub use search::{CompileError, Search, Totals};
pub use time::{Times, Zone};
