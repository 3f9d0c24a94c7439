//! Grep's options and outcomes. memberctl makes these values, daemons exchange them, and
//! memberd-search uses them.

mod asker;
mod colors;
mod file_name;
mod follow;
mod journal;
#[cfg(test)]
mod tests;

use crate::bounded::{at_most, cut_after};
use crate::stats::StatsQuestion;
use crate::tags::TagFilter;
pub use asker::GrepAsker;
pub use colors::{GrepColors, NotAColor, Sgr};
pub use file_name::on_one_line;
pub use follow::{GrepFollow, GrepPosition, MAX_POSITIONS};
pub use journal::GrepJournal;
use serde::{Deserialize, Serialize};
use std::ops::Not;

/// The longest patterns of one search together, in bytes, with a newline after each but the last.
pub const MAX_PATTERN_BYTES: usize = 4 * 1024 * 1024;

/// The most globs over files of each kind in one search. Of more, one more is decoded.
pub const MAX_FILTER_GLOBS: usize = 256;

/// The longest limit of files ([`GrepFiles::only`]), as [`only_bytes`] counts it.
pub const MAX_ONLY_BYTES: usize = 8 * 1024;

/// What is counted for each glob of a limit beside its own bytes.
pub const ONLY_GLOB_BYTES: usize = 3;

/// The most globs over names, and tags, in one search.
const MAX_NAME_GLOBS: usize = 16 * 1024;

/// A search over the members' logs, with the options of `memberctl grep`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepRequest {
    /// The members to ask.
    pub members: GrepMembers,
    /// The lines to select.
    pub pattern: GrepPattern,
    /// The files to search.
    pub files: GrepFiles,
    /// The output and its form.
    pub printing: GrepPrinting,
    /// The file to which the client writes the output. The client's daemon leaves this file out,
    /// and does not tell it to other members. Absent if the output is no regular file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_file: Option<OutputFile>,
    /// Who asks, for the log of the searched members. The client's daemon sets it, whatever the
    /// client sends. Older daemons do not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asker: Option<GrepAsker>,
    /// The order of the members' output. The client's daemon sees to it, and does not tell it to
    /// other members. Absent, as from older clients, it is [`GrepOrder::Found`].
    #[serde(default, skip_serializing_if = "GrepOrder::is_found")]
    pub order: GrepOrder,
    /// Whether copies are searched of the logs of members that failed, and of those that left and
    /// are named by `--on`. Older clients do not ask for it, and do not know the replies. The
    /// client's daemon sees to it, and does not tell it to other members.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub copies: bool,
    /// The member whose logs are searched, as the asked member keeps them. The client's daemon sets
    /// it, whatever the client sends. Such a request has a kind of its own, which members without
    /// copies refuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_of: Option<String>,
    /// From where files are followed, and that their positions are told. With
    /// [`GrepRequest::kept_of`], what the copies have more than that is searched. The client's
    /// daemon sets it, whatever the client sends. Older daemons tell no positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_from: Option<GrepFollow>,
    /// What is asked of the selected lines, which are then counted and not printed. The client's
    /// daemon sets it, whatever a grep's client sends. Such a request has a kind of its own, which
    /// older members refuse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<StatsQuestion>,
}

/// How many bytes a limit of files ([`GrepFiles::only`]) takes of each request, at most.
pub fn only_bytes(globs: &[String]) -> usize {
    globs.iter().map(|glob| glob.len() + ONLY_GLOB_BYTES).sum()
}

/// The order in which the output of members is printed, unless it is printed by time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrepOrder {
    /// As it is found.
    #[default]
    Found,
    /// By the members' names. A member that finds nothing for a while lets those go first that
    /// have found something.
    Auto,
    /// By the members' names, however long each takes.
    Name,
}

impl GrepOrder {
    /// Whether output is printed as it is found.
    fn is_found(&self) -> bool {
        *self == GrepOrder::Found
    }
}

/// A file on the client's machine, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// The device (`st_dev`).
    pub device: u64,
    /// The inode (`st_ino`).
    pub inode: u64,
}

impl GrepRequest {
    /// An option of this request that the first programs do not know. They would leave it out, and
    /// so find more than was asked for. Such a request has a kind of its own, which they refuse.
    pub fn narrowing_option(&self) -> Option<&'static str> {
        self.files.journal.as_ref().and_then(GrepJournal::narrowing_option)
    }
}

/// Selects the members to ask, among the live ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepMembers {
    /// `--on`: globs over names. One of them must match; an empty list selects all members.
    #[serde(deserialize_with = "at_most::<_, _, MAX_NAME_GLOBS>")]
    pub on: Vec<String>,
    /// `--not-on`: globs over names. None of them may match.
    #[serde(deserialize_with = "at_most::<_, _, MAX_NAME_GLOBS>")]
    pub not_on: Vec<String>,
    /// `--tag`: tags. A member must have all of them.
    #[serde(default, deserialize_with = "at_most::<_, _, MAX_NAME_GLOBS>")]
    pub tags: Vec<TagFilter>,
}

/// Which lines are selected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepPattern {
    /// The patterns. A line that matches one of them is selected. An empty list selects nothing.
    /// Each of them may be several, one a line. A long list arrives like that, because it needs
    /// less memory so.
    #[serde(with = "lines")]
    pub patterns: Vec<Vec<u8>>,
    /// `-G`, `-E`, `-F`, `-P`.
    pub syntax: GrepSyntax,
    /// The meaning of bytes in patterns and lines.
    pub characters: GrepCharacters,
    /// `-i`
    pub ignore_case: bool,
    /// `-v`
    pub invert: bool,
    /// `-w`
    pub words: bool,
    /// `-x`
    pub whole_lines: bool,
    /// `-z`: lines end with a NUL byte, not with a newline.
    pub null_data: bool,
}

impl GrepPattern {
    /// The byte that ends a line.
    pub fn line_end(&self) -> u8 {
        if self.null_data { 0 } else { b'\n' }
    }
}

/// Which files are searched, and which of their lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepFiles {
    /// Globs over the exposed files. An empty list selects all of them.
    #[serde(deserialize_with = "cut_after::<_, _, MAX_FILTER_GLOBS>")]
    pub globs: Vec<String>,
    /// `--include`: globs over base names. One of them must match; an empty list selects all files.
    #[serde(deserialize_with = "cut_after::<_, _, MAX_FILTER_GLOBS>")]
    pub include: Vec<String>,
    /// `--exclude`: globs over base names. None of them may match.
    #[serde(deserialize_with = "cut_after::<_, _, MAX_FILTER_GLOBS>")]
    pub exclude: Vec<String>,
    /// `--rotated`: each file with the files rotated away from it (`.1`, `.2.gz`), in the order of
    /// writing.
    pub rotated: bool,
    /// `--journal`: each member's journald instead of files.
    pub journal: Option<GrepJournal>,
    /// `--since`: only lines of that time or later, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// `--until`: only lines before that time, in milliseconds since the Unix epoch.
    pub until: Option<i64>,
    /// `--follow`: lines written from now on, until the client closes the connection.
    pub follow: bool,
    /// The files that the asker may search at all: globs as above. One of them must match, and a
    /// file that none matches counts as not exposed; an empty list allows all files. The client's
    /// daemon sets it, whatever the client sends. Daemons that do not know it would leave it out,
    /// so they are asked in a way that they refuse.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "cut_after::<_, _, MAX_FILTER_GLOBS>"
    )]
    pub only: Vec<String>,
}

/// What is printed, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepPrinting {
    /// The kind of output for a file.
    pub what: GrepPrint,
    /// `-n`
    pub line_numbers: bool,
    /// `-b`
    pub byte_offsets: bool,
    /// `-T`
    pub initial_tab: bool,
    /// `-h`: lines without `NAME:FILE:`.
    pub no_names: bool,
    /// The width of aligned names on a terminal, in characters. The client sends 0 to request it.
    /// Its daemon then sets the width of the longest name of the asked members.
    #[serde(default)]
    pub name_width: Option<u8>,
    /// `-Z`: a NUL byte follows file names, instead of the usual character.
    pub null_after_names: bool,
    /// `-s`: no messages about files that cannot be read.
    pub no_messages: bool,
    /// `-m NUM`, for each file.
    pub max_count: Option<u64>,
    /// `-B NUM`. `-B 0` differs from `None`, because it separates groups.
    pub before_context: Option<u32>,
    /// `-A NUM`. `-A 0` differs from `None`.
    pub after_context: Option<u32>,
    /// `--group-separator`, without its newline; `None` for `--no-group-separator`.
    pub group_separator: Option<Vec<u8>>,
    /// `-a`, `-I`, `--binary-files`.
    pub binary: GrepBinary,
    /// `--color`, which the client decides, with its `GREP_COLORS`.
    pub colors: Option<GrepColors>,
    /// `--json`: one JSON object on each line, instead of text.
    pub json: bool,
    /// `--merge`: each line with its time, in the order of time.
    pub by_time: bool,
}

impl Default for GrepPrinting {
    /// The output of grep without options.
    fn default() -> Self {
        GrepPrinting {
            what: GrepPrint::Lines,
            line_numbers: false,
            byte_offsets: false,
            initial_tab: false,
            no_names: false,
            name_width: None,
            null_after_names: false,
            no_messages: false,
            max_count: None,
            before_context: None,
            after_context: None,
            group_separator: Some(b"--".to_vec()),
            binary: GrepBinary::Report,
            colors: None,
            json: false,
            by_time: false,
        }
    }
}

impl GrepPrinting {
    /// Whether groups of lines are separated.
    pub fn has_context(&self) -> bool {
        self.before_context.is_some() || self.after_context.is_some()
    }

    /// The line between groups of lines, in its colour. It also separates the lines of members. It
    /// is `None` without context, with `--no-group-separator`, and where no lines of text are
    /// printed.
    pub fn separator(&self) -> Option<Vec<u8>> {
        let lines = matches!(self.what, GrepPrint::Lines | GrepPrint::Matches) && !self.json;
        let text = self.group_separator.as_deref().filter(|_| lines && self.has_context())?;
        let mut line = Vec::new();
        match &self.colors {
            Some(colors) => colors.paint(&colors.separator, text, &mut line),
            None => line.extend_from_slice(text),
        }
        line.push(b'\n');
        Some(line)
    }
}

/// The pattern language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrepSyntax {
    /// POSIX basic regular expressions, with GNU's extensions.
    #[default]
    Basic,
    /// POSIX extended regular expressions, with GNU's extensions.
    Extended,
    /// Plain strings.
    Fixed,
    /// Perl's regular expressions, as in PCRE2.
    Perl,
}

/// The meaning of bytes: the client's locale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrepCharacters {
    /// UTF-8, as in every usual locale.
    #[default]
    Utf8,
    /// Each byte is a character, as in the C locale.
    Bytes,
}

/// The output of grep for a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrepPrint {
    /// The selected lines.
    #[default]
    Lines,
    /// `-o`: only the matching parts.
    Matches,
    /// `-c`: the number of selected lines.
    Count,
    /// `-l`: the names of files with a selected line.
    FilesWithMatch,
    /// `-L`: the names of files without a selected line.
    FilesWithoutMatch,
    /// `-q`: nothing; the first selected line ends the search.
    Nothing,
}

/// The treatment of files that are not text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrepBinary {
    /// A message says that they match. Their lines are not printed.
    #[default]
    Report,
    /// `-a`: they count as text.
    Text,
    /// `-I`: they do not match.
    Skip,
}

/// The outcome of one member's search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GrepOutcome {
    /// It searched all its exposed files.
    Searched(GrepTotals),
    /// It did not answer, or not to the end. The text gives the reason.
    Lost(String),
    /// It answered with what cannot be its own, so the rest of its answer was dropped. The text
    /// follows the member's name.
    Dropped(String),
    /// It was not asked, because it had failed, and no other member keeps its logs.
    NotAsked {
        /// When it failed in the answering daemon's view, in milliseconds since the Unix epoch.
        failed: u64,
        /// Whether it has left instead. Only those that were named are told.
        #[serde(default, skip_serializing_if = "Not::not")]
        left: bool,
    },
}

/// The copy of a member's logs that is searched in place of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepCopy {
    /// The name of the member that keeps it.
    pub keeper: String,
    /// When its own member failed or left in the answering daemon's view, in milliseconds since the
    /// Unix epoch.
    pub since: u64,
    /// Whether that member has left.
    pub left: bool,
    /// How long before that member was last heard the copy ends, in milliseconds. Absent if the
    /// keeper does not know that.
    pub behind_ms: Option<u64>,
    /// The bytes of older text that the keeper has dropped.
    pub dropped_bytes: u64,
    /// The bytes that were never sent: files were truncated or deleted before.
    pub lost_bytes: u64,
}

impl GrepCopy {
    /// How far behind a copy may be that counts as whole, in milliseconds: a member sends what is
    /// written every second.
    pub const WHOLE_WITHIN_MS: u64 = 2_000;

    /// Whether it has all that was written, but for the last moment.
    pub fn is_whole(&self) -> bool {
        self.lost_bytes == 0 && self.behind_ms.is_some_and(|ms| ms <= GrepCopy::WHOLE_WITHIN_MS)
    }
}

/// The totals of one member's search.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepTotals {
    /// Files searched.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Lines selected.
    pub lines: u64,
    /// Files that could not be read. A message was sent for each.
    pub errors: u64,
    /// The time that the search took, in milliseconds.
    pub milliseconds: u64,
    /// The [`GrepFiles::globs`] that match none of the member's exposed files.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FILTER_GLOBS>")]
    pub unmatched: Vec<String>,
}

/// Encodes texts without newlines as one CBOR byte string, with a newline after each.
mod lines {
    use crate::bytes;
    use serde::{Deserializer, Serializer, de};

    /// Longer lists stay in one piece, because each text of a list takes 24 bytes more.
    const MOST_SPLIT: usize = 256;

    pub(super) fn serialize<S: Serializer>(
        texts: &[Vec<u8>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let joined: Vec<u8> =
            texts.iter().flat_map(|text| text.iter().chain(b"\n")).copied().collect();
        bytes::serialize(&joined, serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Vec<u8>>, D::Error> {
        let mut joined = bytes::deserialize(deserializer)?;
        if joined.is_empty() {
            return Ok(Vec::new());
        }
        if joined.pop() != Some(b'\n') {
            return Err(de::Error::custom("a text without its newline"));
        }
        let texts = joined.split(|byte| *byte == b'\n');
        if texts.clone().nth(MOST_SPLIT).is_some() {
            return Ok(vec![joined]);
        }
        Ok(texts.map(<[u8]>::to_vec).collect())
    }
}
