//! memberd's command line.

use clap::Parser;
use std::path::PathBuf;

/// Keeps on this machine the list of the group's members that are up, and answers greps over its logs.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// The settings
    #[arg(long, value_name = "FILE", default_value = "/etc/memberd/memberd.toml")]
    pub config: PathBuf,

    /// Look the settings over and end: status 0 when they are good, 78 when not
    #[arg(long)]
    pub check: bool,
}
