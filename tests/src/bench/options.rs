//! The options that every benchmark has. They own no state.

use clap::ValueEnum;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// The rows of a benchmark, in the order of its tables.
pub trait Row:
    ValueEnum + Debug + Copy + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Where the results are that the page shows.
    const DIRECTORY: &'static str;
}

/// What a run measures, and where its results go.
#[derive(Debug, clap::Args)]
pub struct RunOptions<R: Row> {
    /// Rows to measure; all by default. They replace the same rows of earlier runs. Other rows stay
    #[arg(long, value_delimiter = ',', value_enum)]
    rows: Vec<R>,
    /// Forget the results of earlier runs
    #[arg(long)]
    pub anew: bool,
    /// Directory of the raw results, and of what is shown beside the page
    #[arg(long, default_value = R::DIRECTORY)]
    pub directory: PathBuf,
    /// The page whose section is written, if the results are in the default place
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/BENCHMARKS.md"))]
    pub benchmarks: PathBuf,
    /// Measure nothing, and write what is shown from the stored results
    #[arg(long)]
    pub render: bool,
}

impl<R: Row> RunOptions<R> {
    /// Whether this row is to be measured.
    pub fn wants(&self, row: R) -> bool {
        self.rows.is_empty() || self.rows.contains(&row)
    }

    /// Whether one of these rows is.
    pub fn wants_any(&self, rows: &[R]) -> bool {
        rows.iter().any(|row| self.wants(*row))
    }

    /// Whether the page of benchmarks shows these results.
    pub fn is_for_the_benchmarks(&self) -> bool {
        let shown = Path::new(R::DIRECTORY);
        self.directory.ends_with(shown.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(shown))
    }
}
