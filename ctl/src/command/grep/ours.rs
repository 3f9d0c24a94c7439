//! The options that grep has not: which members, which time, and what is made of the answers.

use jiff::Zoned;
use memberd_control::grep::{GrepJournal, GrepPrint, GrepRequest};
use memberd_control::tags::{TagFilter, TagFilterError};

use super::flags::Our;
use crate::glob;
use crate::moment::{moment, past_moment};

/// What counts are added up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountBy {
    /// The members: one count each.
    Member,
    /// The files' paths: one count each, over all members.
    File,
}

/// What is made of the answers here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct View {
    /// `--count-by`
    pub(super) count_by: Option<CountBy>,
    /// `--total`
    pub(super) total: bool,
    /// `--stats`
    pub(super) stats: bool,
}

/// Those that were read so far.
#[derive(Debug, Default)]
pub(super) struct Ours {
    view: View,
    on: Vec<String>,
    not_on: Vec<String>,
    tags: Vec<TagFilter>,
    rotated: bool,
    since: Option<String>,
    until: Option<String>,
    merge: bool,
    follow: bool,
    journal: bool,
    units: Vec<String>,
    priority: Option<String>,
    json: bool,
}

impl Ours {
    /// Takes an option, with its argument if it has one.
    ///
    /// # Errors
    /// When the argument is none of those it may be.
    pub(super) fn take(&mut self, option: Our, value: Option<String>) -> Result<(), String> {
        let value = value.unwrap_or_default();
        match option {
            Our::On => self.on.extend(globs("--on", &value)?),
            Our::NotOn => self.not_on.extend(globs("--not-on", &value)?),
            Our::Tag => self.tags.push(
                value
                    .parse()
                    .map_err(|error: TagFilterError| format!("option '--tag': {error}"))?,
            ),
            Our::Rotated => self.rotated = true,
            Our::Since => self.since = Some(value),
            Our::Until => self.until = Some(value),
            Our::Merge => self.merge = true,
            Our::Follow => self.follow = true,
            Our::Journal => self.journal = true,
            Our::Unit => self.units.push(value),
            Our::Priority => self.priority = Some(priority(value)?),
            Our::Json => self.json = true,
            Our::CountBy => {
                self.view.count_by = Some(match value.as_str() {
                    "member" => CountBy::Member,
                    "file" => CountBy::File,
                    _ => {
                        return Err(format!(
                            "invalid argument '{value}' for '--count-by': member or file"
                        ));
                    }
                });
            }
            Our::Total => self.view.total = true,
            Our::Stats => self.view.stats = true,
        }
        Ok(())
    }

    /// Adds them to a request that has grep's own options already.
    ///
    /// # Errors
    /// When two options do not go together, or a time is none.
    pub(super) fn apply(self, request: &mut GrepRequest, now: &Zoned) -> Result<View, String> {
        if self.view.count_by.is_some() {
            if request.printing.what != GrepPrint::Lines
                && request.printing.what != GrepPrint::Count
            {
                return Err(apart("--count-by", what(request)));
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
        if self.json {
            request.printing.json = true;
            // Its submatches say what colour would.
            request.printing.colors = None;
        }
        request.printing.by_time = self.merge;
        self.check(request)?;
        request.files.journal =
            self.journal.then_some(GrepJournal { units: self.units, priority: self.priority });
        // File names may hold anything but a NUL byte, so that counts can be told from them.
        request.printing.null_after_names |= self.view.count_by == Some(CountBy::File);
        Ok(self.view)
    }

    /// What cannot be honoured together is refused.
    fn check(&self, request: &GrepRequest) -> Result<(), String> {
        let GrepRequest { files, printing, .. } = request;
        let what = what(request);
        let first = |options: &[(bool, &'static str)]| {
            options.iter().find(|(given, _)| *given).map(|(_, option)| *option)
        };
        let prints_lines = matches!(printing.what, GrepPrint::Lines | GrepPrint::Matches);
        let counted =
            first(&[(self.view.count_by.is_some(), "--count-by"), (self.view.total, "--total")]);
        let against = |option: &str, others: &[Option<&str>]| match others.iter().flatten().next() {
            Some(other) => Err(apart(option, other)),
            None => Ok(()),
        };
        let given = |given: bool, option: &'static str| given.then_some(option);
        if !self.journal && (!self.units.is_empty() || self.priority.is_some()) {
            let option = if self.units.is_empty() { "-p" } else { "-u" };
            return Err(format!("option '{option}' needs '--journal'"));
        }
        if self.view.total && printing.what != GrepPrint::Count {
            return Err("option '--total' needs '-c'".to_owned());
        }
        if self.journal {
            let narrowed = !files.include.is_empty() || !files.exclude.is_empty();
            against(
                "--journal",
                &[
                    given(!files.globs.is_empty(), "FILE"),
                    given(self.rotated, "--rotated"),
                    given(
                        narrowed,
                        if files.include.is_empty() { "--exclude" } else { "--include" },
                    ),
                ],
            )?;
        }
        if self.merge {
            against("--merge", &[given(self.follow, "--follow"), given(!prints_lines, what)])?;
        }
        if self.follow {
            let has_end = !prints_lines;
            against(
                "--follow",
                &[
                    counted,
                    given(has_end, what),
                    given(self.since.is_some(), "--since"),
                    given(self.until.is_some(), "--until"),
                    given(self.rotated, "--rotated"),
                    given(self.view.stats, "--stats"),
                ],
            )?;
        }
        if self.json {
            against(
                "--json",
                &[
                    counted,
                    given(printing.what == GrepPrint::Matches, what),
                    given(printing.no_names, "-h"),
                    given(printing.initial_tab, "-T"),
                    given(printing.null_after_names, "-Z"),
                ],
            )?;
        }
        if self.view.count_by.is_some() {
            against(
                "--count-by",
                &[given(printing.no_names, "-h"), given(printing.null_after_names, "-Z")],
            )?;
        }
        match (files.since, files.until) {
            (Some(since), Some(until)) if since >= until => {
                Err("'--since' is not before '--until'".to_owned())
            }
            _ => Ok(()),
        }
    }
}

/// The option that asked for what is printed.
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

fn apart(option: &str, other: &str) -> String {
    format!("option '{option}' cannot be combined with '{other}'")
}

/// `GLOB[,GLOB]...`
fn globs(option: &str, text: &str) -> Result<Vec<String>, String> {
    let globs = glob::cut(text);
    if globs.iter().any(String::is_empty) {
        return Err(format!("option '{option}' has an empty name: write {option} GLOB[,GLOB]..."));
    }
    Ok(globs)
}

/// What journalctl(1) takes: a level of syslog by name or number, or two of them with `..` between.
fn priority(text: String) -> Result<String, String> {
    const LEVELS: [&str; 16] = [
        "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "0", "1", "2", "3",
        "4", "5", "6", "7",
    ];
    let known = match text.split_once("..") {
        Some((from, to)) => LEVELS.contains(&from) && LEVELS.contains(&to),
        None => LEVELS.contains(&text.as_str()),
    };
    known.then_some(()).ok_or_else(|| {
        format!("invalid priority '{text}': one of {}, or FROM..TO", LEVELS[..8].join(", "))
    })?;
    Ok(text)
}

#[cfg(test)]
#[path = "ours_tests.rs"]
mod tests;
