//! The options that stats has in common with grep: which lines, files and members.

use clap::ValueHint;
use jiff::Zoned;
use memberd_control::grep::{
    GrepBinary, GrepFiles, GrepPattern, GrepPrinting, GrepRequest, GrepSyntax,
};
use memberd_control::stats::StatsRequest;
use memberd_streams::{Limits, Query};

use crate::command::asked_members::AskedMembers;
use crate::command::grep::fleet_options::empty_name;
use crate::command::grep::{locale, printed_files};
use crate::exit::Failure;
use crate::moment::{moment, past_moment};

/// The default of `--groups`.
pub(super) const GROUPS: usize = 1_000_000;

/// The default of `--memory`.
pub(super) const MEMORY: &str = "256M";

/// Which lines of which files of which members are read. The options mean what they mean for grep.
#[derive(Debug, clap::Args)]
pub(super) struct Choice {
    #[command(flatten)]
    pattern: Pattern,

    #[command(flatten)]
    members: Members,

    /// Read only files whose base name matches this glob
    #[arg(long, value_name = "GLOB", value_hint = ValueHint::Other)]
    include: Vec<String>,

    /// Do not read files whose base name matches this glob
    #[arg(long, value_name = "GLOB", value_hint = ValueHint::Other)]
    exclude: Vec<String>,

    /// Also read the rotated files of each file
    #[arg(long)]
    rotated: bool,

    /// Only lines of this time or later: 10m, 2 days ago, yesterday, 14:00, or RFC 3339;
    /// memberctl(1) lists all, under TIMES
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other)]
    since: Option<String>,

    /// Only lines before this time
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other)]
    until: Option<String>,

    /// Print no messages about files that cannot be read
    #[arg(short = 's', long)]
    no_messages: bool,
}

/// How the query's pattern selects lines.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of grep")]
struct Pattern {
    /// The pattern is a basic regular expression (default)
    #[arg(short = 'G', long)]
    #[arg(conflicts_with_all = ["extended_regexp", "fixed_strings", "perl_regexp"])]
    basic_regexp: bool,

    /// The pattern is an extended regular expression
    #[arg(short = 'E', long, conflicts_with_all = ["fixed_strings", "perl_regexp"])]
    extended_regexp: bool,

    /// The pattern is a string
    #[arg(short = 'F', long, conflicts_with = "perl_regexp")]
    fixed_strings: bool,

    /// The pattern is a Perl regular expression
    #[arg(short = 'P', long)]
    perl_regexp: bool,

    /// Ignore case distinctions in the pattern and in lines
    #[arg(short = 'i', long)]
    ignore_case: bool,

    /// Select the lines that do not match
    #[arg(short = 'v', long)]
    invert_match: bool,

    /// Match only whole words
    #[arg(short = 'w', long)]
    word_regexp: bool,

    /// Match only whole lines
    #[arg(short = 'x', long)]
    line_regexp: bool,
}

/// Which members are asked.
#[derive(Debug, clap::Args)]
struct Members {
    #[command(flatten)]
    asked: AskedMembers,

    /// Do not look for who keeps copies of the logs of members that failed. Copies are not counted
    /// with or without this option: such a member is missing
    #[arg(long)]
    no_copies: bool,
}

impl Choice {
    /// The request for this query.
    ///
    /// # Errors
    /// When an option's value is wrong, or two options contradict each other.
    pub(super) fn request(
        &self,
        text: &str,
        query: &Query,
        files: &[String],
        limits: Limits,
    ) -> Result<StatsRequest, Failure> {
        let now = Zoned::now();
        let usage = |problem: String| wrong(&problem);
        let mut grep = GrepRequest {
            members: self.members.asked.asked(|option, _| wrong(&empty_name(option)))?,
            pattern: self.pattern.of(query),
            files: self.files(files, &now).map_err(usage)?,
            printing: GrepPrinting {
                binary: GrepBinary::Text,
                no_messages: self.no_messages,
                ..GrepPrinting::default()
            },
            copies: !self.members.no_copies,
            ..GrepRequest::default()
        };
        printed_files::take_member(&mut grep.files.globs, &mut grep.members).map_err(usage)?;
        let Limits { groups, bytes } = limits;
        Ok(StatsRequest {
            grep,
            query: text.to_owned(),
            groups: groups as u64,
            bytes: bytes as u64,
            every_ms: None,
        })
    }

    fn files(&self, globs: &[String], now: &Zoned) -> Result<GrepFiles, String> {
        let since = self.since.as_deref().map(|text| past_moment(text, now)).transpose()?;
        let until = self.until.as_deref().map(|text| moment(text, now)).transpose()?;
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            return Err("'--since' is not before '--until'".to_owned());
        }
        Ok(GrepFiles {
            globs: globs.to_vec(),
            include: self.include.clone(),
            exclude: self.exclude.clone(),
            rotated: self.rotated,
            since,
            until,
            ..GrepFiles::default()
        })
    }
}

impl Pattern {
    fn of(&self, query: &Query) -> GrepPattern {
        let syntax = match self {
            Pattern { extended_regexp: true, .. } => GrepSyntax::Extended,
            Pattern { fixed_strings: true, .. } => GrepSyntax::Fixed,
            Pattern { perl_regexp: true, .. } => GrepSyntax::Perl,
            Pattern { .. } => GrepSyntax::Basic,
        };
        GrepPattern {
            // The empty pattern selects all lines.
            patterns: vec![query.pattern().unwrap_or_default().as_bytes().to_vec()],
            syntax,
            characters: locale::characters(|name| std::env::var(name).ok()),
            ignore_case: self.ignore_case,
            invert: self.invert_match,
            words: self.word_regexp,
            whole_lines: self.line_regexp,
            null_data: false,
        }
    }
}

fn wrong(problem: &str) -> Failure {
    Failure::usage(format!("{problem}: try memberctl stats --help"))
}

/// A size as `--memory` takes it: `256M`, or in bytes if it is no whole number of KiB.
pub(super) fn size_text(bytes: usize) -> String {
    let whole = [(30, "G"), (20, "M"), (10, "K")];
    let unit = whole.into_iter().find(|(bits, _)| bytes > 0 && bytes.trailing_zeros() >= *bits);
    match unit {
        Some((bits, name)) => format!("{}{name}", bytes >> bits),
        None => format!("{bytes} bytes"),
    }
}
