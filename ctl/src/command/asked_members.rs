//! The options that say which members are asked.

use clap::ValueHint;
use memberd_control::grep::GrepMembers;
use memberd_control::name_globs::{self, NameGlobError};
use memberd_control::tags::TagFilter;

use crate::exit::Failure;

/// Which members are asked. Without an option, all.
#[derive(Debug, clap::Args)]
pub(super) struct AskedMembers {
    /// Ask only members whose name matches this glob, or one of several: 'web*', 'vm[01-12]'
    #[arg(long, value_name = "GLOB[,GLOB]...", value_hint = ValueHint::Hostname)]
    on: Vec<String>,

    /// Do not ask members whose name matches
    #[arg(long, value_name = "GLOB[,GLOB]...", value_hint = ValueHint::Hostname)]
    not_on: Vec<String>,

    /// Ask only members with this tag; with several options, with all of them
    #[arg(long, value_name = "KEY[=VALUE]")]
    tag: Vec<TagFilter>,
}

impl AskedMembers {
    /// The members for a request. `wrong` tells of an option with an empty name.
    ///
    /// # Errors
    /// What `wrong` makes of the first such option.
    pub(super) fn asked(
        &self,
        wrong: impl Fn(&str, NameGlobError) -> Failure,
    ) -> Result<GrepMembers, Failure> {
        let globs = |option: &str, values: &[String]| {
            let each = values.iter().map(|value| name_globs::split(value));
            each.collect::<Result<Vec<_>, _>>()
                .map(|globs| globs.concat())
                .map_err(|error| wrong(option, error))
        };
        Ok(GrepMembers {
            on: globs("--on", &self.on)?,
            not_on: globs("--not-on", &self.not_on)?,
            tags: self.tag.clone(),
        })
    }
}
