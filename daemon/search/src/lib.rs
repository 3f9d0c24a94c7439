//! One machine's grep: patterns, files, limits.
//!
//! A [`Query`] is grep's command line without the files, in the types of [`memberd_control::grep`].
//! [`Query::compile`] makes it a [`Search`].
//! An [`Offer`] is what this machine lets be read; [`Offer::files`] with a [`Narrow`] gives the
//! files, and [`Search::run`] searches them, to an [`Output`]; [`Search::run_with`] does so by a
//! [`Plan`]: only lines of some time, in the order of time, on so many threads. [`Search::follow`]
//! searches what is written from now on. All of it blocks, and nothing of it knows a network. What
//! differs from GNU grep, and why, is listed in `README.md`.

mod files;
mod follow;
mod job;
mod line;
mod merge;
mod output;
mod pattern;
mod print;
mod query;
mod run;
mod scan;
mod schedule;
mod search;
mod stream;
mod time;

pub use memberd_control::grep::{
    GrepBinary, GrepCharacters, GrepColors, GrepPattern, GrepPrint, GrepPrinting, GrepSyntax, Sgr,
};

pub use files::{Found, GlobError, MAX_FILES, Narrow, Offer, OfferedFile, Problem};
pub use line::MAX_LINE_BYTES;
pub use output::{NO_TIME, OUTPUT_BYTES, Output, Stopped};
pub use pattern::{MAX_COMPILED_BYTES, MAX_PATTERN_BYTES, PatternError};
pub use query::Query;
pub use scan::LongLines;
pub use schedule::{Plan, Window};
pub use search::{Search, Totals};
pub use time::{Times, Zone};
