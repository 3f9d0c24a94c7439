//! The options that GNU grep does not have: members, times, and how the replies are shown.

use jiff::Zoned;
use memberd_control::grep::{GrepOrder, GrepPrint, GrepRequest};
use memberd_control::name_globs;
use memberd_control::tags::{TagFilter, TagFilterError};

use super::control_chars::ControlChars;
use super::flags::FleetOption;
use super::journal_options::JournalOptions;
use super::printed_files;
use crate::moment::{moment, past_moment};

/// What `--count-by` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountBy {
    /// One count for each member.
    Member,
    /// One count for each path, over all members.
    File,
}

/// How the replies are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Presentation {
    /// `--count-by`
    pub(super) count_by: Option<CountBy>,
    /// `--total`
    pub(super) total: bool,
    /// `--stats`
    pub(super) stats: bool,
    /// `--control-chars`
    pub(super) control_chars: ControlChars,
    /// `--limit`
    pub(super) limit: Option<u64>,
    /// `--last`
    pub(super) last: Option<usize>,
    /// `--fold`
    pub(super) fold: bool,
}

/// The options that were parsed so far.
#[derive(Debug, Default)]
pub(super) struct FleetOptions {
    presentation: Presentation,
    on: Vec<String>,
    not_on: Vec<String>,
    tags: Vec<TagFilter>,
    rotated: bool,
    since: Option<String>,
    until: Option<String>,
    merge: bool,
    follow: bool,
    no_copies: bool,
    order: Option<GrepOrder>,
    journal: JournalOptions,
    json: bool,
}

impl FleetOptions {
    /// Adds an option, with its argument if it has one.
    ///
    /// # Errors
    /// When the argument has no valid value.
    pub(super) fn take(
        &mut self,
        option: FleetOption,
        value: Option<String>,
    ) -> Result<(), String> {
        let value = value.unwrap_or_default();
        match option {
            FleetOption::On => self.on.extend(globs("--on", &value)?),
            FleetOption::NotOn => self.not_on.extend(globs("--not-on", &value)?),
            FleetOption::Tag => self.tags.push(
                value
                    .parse()
                    .map_err(|error: TagFilterError| format!("option '--tag': {error}"))?,
            ),
            FleetOption::Rotated => self.rotated = true,
            FleetOption::Since => self.since = Some(value),
            FleetOption::Until => self.until = Some(value),
            FleetOption::Merge => self.merge = true,
            FleetOption::Follow => self.follow = true,
            FleetOption::NoCopies => self.no_copies = true,
            FleetOption::Order => self.order = Some(order(&value)?),
            FleetOption::Limit => {
                self.presentation.limit = Some(lines_at_most("--limit", &value, u64::MAX)?);
            }
            FleetOption::Last => {
                let lines = lines_at_most("--last", &value, MOST_LAST_LINES)?;
                self.presentation.last = usize::try_from(lines).ok();
            }
            FleetOption::Fold => self.presentation.fold = true,
            FleetOption::Journal
            | FleetOption::Unit
            | FleetOption::Priority
            | FleetOption::Identifier
            | FleetOption::Boot
            | FleetOption::Dmesg
            | FleetOption::UserUnit
            | FleetOption::Facility
            | FleetOption::Namespace => self.journal.take(option, value)?,
            FleetOption::Json => self.json = true,
            FleetOption::CountBy => {
                self.presentation.count_by = Some(match value.as_str() {
                    "member" => CountBy::Member,
                    "file" => CountBy::File,
                    _ => {
                        return Err(format!(
                            "invalid argument '{value}' for '--count-by': member or file"
                        ));
                    }
                });
            }
            FleetOption::Total => self.presentation.total = true,
            FleetOption::Stats => self.presentation.stats = true,
            FleetOption::ControlChars => {
                self.presentation.control_chars = ControlChars::parse(&value)?;
            }
        }
        Ok(())
    }

    /// Adds the options to a request that has grep's own options already.
    ///
    /// # Errors
    /// When two options cannot be combined, or a time is invalid.
    pub(super) fn apply(
        mut self,
        request: &mut GrepRequest,
        now: &Zoned,
    ) -> Result<Presentation, String> {
        if self.presentation.count_by.is_some() {
            if request.printing.what != GrepPrint::Lines
                && request.printing.what != GrepPrint::Count
            {
                return Err(not_combined("--count-by", what(request)));
            }
            request.printing.what = GrepPrint::Count;
        }
        let files = &mut request.files;
        files.since = self.since.as_deref().map(|text| past_moment(text, now)).transpose()?;
        files.until = self.until.as_deref().map(|text| moment(text, now)).transpose()?;
        files.rotated = self.rotated;
        files.follow = self.follow;
        request.members.on.clone_from(&self.on);
        request.members.not_on.clone_from(&self.not_on);
        request.members.tags.clone_from(&self.tags);
        printed_files::take_member(&mut request.files.globs, &mut request.members)?;
        if self.json {
            request.printing.json = true;
            // The submatches of an object say what colour would show.
            request.printing.colors = None;
        }
        // Only times tell which lines of all members are the last.
        request.printing.by_time = self.merge || self.presentation.last.is_some();
        request.order = self.order(request);
        request.copies = !self.no_copies;
        if self.journal.is_given() {
            self.journal.take_matches(&mut request.files.globs);
        }
        self.check(request)?;
        request.files.journal = self.journal.take_selection()?;
        // File names may contain any byte but NUL, which therefore separates them from counts.
        request.printing.null_after_names |= self.presentation.count_by == Some(CountBy::File);
        Ok(self.presentation)
    }

    /// The order to ask for. Where the order of members does not show, there is none.
    fn order(&self, request: &GrepRequest) -> GrepOrder {
        let is_shown = request.printing.what != GrepPrint::Nothing
            && !request.printing.by_time
            && !request.files.follow
            && self.presentation.count_by.is_none();
        match self.order {
            _ if !is_shown => GrepOrder::Found,
            // Members of which all output is there need not be kept apart.
            None if self.presentation.fold => GrepOrder::Name,
            order => order.unwrap_or(GrepOrder::Auto),
        }
    }

    /// Refuses options that cannot be combined.
    fn check(&self, request: &GrepRequest) -> Result<(), String> {
        let GrepRequest { files, printing, .. } = request;
        if self.presentation.total && printing.what != GrepPrint::Count {
            return Err("option '--total' needs '-c'".to_owned());
        }
        for (option, given, others) in self.exclusions(request) {
            if let Some(other) = others.into_iter().flatten().next().filter(|_| given) {
                return Err(not_combined(option, other));
            }
        }
        match (files.since, files.until) {
            (Some(since), Some(until)) if since >= until => {
                Err("'--since' is not before '--until'".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Each option that excludes others, whether it was given, and those of the others that were.
    fn exclusions(&self, request: &GrepRequest) -> Vec<Exclusion> {
        let of_output = self.exclusions_of_output(request).into_iter();
        of_output.chain(self.exclusions_of_lines(request)).collect()
    }

    /// Those of the options that choose among the printed lines, or put them in order.
    fn exclusions_of_lines(&self, request: &GrepRequest) -> [Exclusion; 4] {
        let GrepRequest { files, printing, .. } = request;
        let Presentation { count_by, total, limit, last, fold, .. } = self.presentation;
        let given = |given: bool, option: &'static str| given.then_some(option);
        let quiet = given(printing.what == GrepPrint::Nothing, "-q");
        let counted = given(count_by.is_some(), "--count-by").or(given(total, "--total"));
        let follow = given(files.follow, "--follow");
        let merge = given(self.merge, "--merge");
        let prints_lines = matches!(printing.what, GrepPrint::Lines | GrepPrint::Matches);
        let (folded, ends) = (given(fold, "--fold"), given(last.is_some(), "--last"));
        let json = given(printing.json, "--json");
        // Of these, a printed line says nothing of whether a line was selected.
        let selects_none = matches!(printing.what, GrepPrint::Count | GrepPrint::FilesWithoutMatch);
        let not_selected = given(selects_none, what(request));
        [
            ("--order", self.order.is_some(), vec![merge, follow, ends, folded, quiet, counted]),
            ("--limit", limit.is_some(), vec![ends, folded, quiet, counted, not_selected]),
            (
                "--last",
                last.is_some(),
                vec![follow, folded, counted, given(!prints_lines, what(request))],
            ),
            ("--fold", fold, vec![merge, follow, quiet, counted, json]),
        ]
    }

    /// Those of the options that choose what is printed.
    fn exclusions_of_output(&self, request: &GrepRequest) -> [Exclusion; 5] {
        let GrepRequest { files, printing, .. } = request;
        let what = what(request);
        let given = |given: bool, option: &'static str| given.then_some(option);
        let prints_lines = matches!(printing.what, GrepPrint::Lines | GrepPrint::Matches);
        let counted_by = given(self.presentation.count_by.is_some(), "--count-by");
        let counted = counted_by.or(given(self.presentation.total, "--total"));
        let included = given(!files.include.is_empty(), "--include");
        let narrowed = included.or(given(!files.exclude.is_empty(), "--exclude"));
        let rotated = given(self.rotated, "--rotated");
        let (no_names, null_after_names) =
            (given(printing.no_names, "-h"), given(printing.null_after_names, "-Z"));
        [
            (
                "--journal",
                self.journal.is_given(),
                vec![given(!files.globs.is_empty(), "FILE"), rotated, narrowed],
            ),
            (
                "--merge",
                self.merge,
                vec![given(self.follow, "--follow"), given(!prints_lines, what)],
            ),
            (
                "--follow",
                self.follow,
                vec![
                    counted,
                    given(!prints_lines, what),
                    given(self.since.is_some(), "--since"),
                    given(self.until.is_some(), "--until"),
                    rotated,
                    given(self.presentation.stats, "--stats"),
                ],
            ),
            (
                "--json",
                self.json,
                vec![
                    counted,
                    given(printing.what == GrepPrint::Matches, what),
                    no_names,
                    given(printing.initial_tab, "-T"),
                    null_after_names,
                ],
            ),
            ("--count-by", self.presentation.count_by.is_some(), vec![no_names, null_after_names]),
        ]
    }
}

/// An option, whether it was given, and those options that were given and exclude it.
type Exclusion = (&'static str, bool, Vec<Option<&'static str>>);

/// The most lines that `--last` keeps.
const MOST_LAST_LINES: u64 = 1_000_000;

/// `--order=ORDER`
fn order(text: &str) -> Result<GrepOrder, String> {
    match text {
        "auto" => Ok(GrepOrder::Auto),
        "name" => Ok(GrepOrder::Name),
        "found" => Ok(GrepOrder::Found),
        _ => Err(format!("invalid argument '{text}' for '--order': auto, name or found")),
    }
}

/// A number of lines, at least one.
fn lines_at_most(option: &str, text: &str, most: u64) -> Result<u64, String> {
    let lines = text.parse().ok().filter(|lines| (1..=most).contains(lines));
    lines.ok_or_else(|| match most {
        u64::MAX => format!("invalid argument '{text}' for '{option}': a number of lines from 1"),
        _ => {
            format!("invalid argument '{text}' for '{option}': a number of lines from 1 to {most}")
        }
    })
}

/// The option that chose what is printed.
fn what(request: &GrepRequest) -> &'static str {
    match request.printing.what {
        GrepPrint::Lines => "lines",
        GrepPrint::Matches => "-o",
        GrepPrint::Count => "-c",
        GrepPrint::FilesWithMatch => "-l",
        GrepPrint::FilesWithoutMatch => "-L",
        GrepPrint::Nothing => "-q",
    }
}

fn not_combined(option: &str, other: &str) -> String {
    format!("option '{option}' cannot be combined with '{other}'")
}

/// `GLOB[,GLOB]...`
fn globs(option: &str, text: &str) -> Result<Vec<String>, String> {
    name_globs::split(text).map_err(|_| empty_name(option))
}

/// What is wrong with an option that has an empty name.
pub(in crate::command) fn empty_name(option: &str) -> String {
    format!("option '{option}' has an empty name: write {option} GLOB[,GLOB]...")
}

#[cfg(test)]
#[path = "fleet_options_tests.rs"]
mod tests;
