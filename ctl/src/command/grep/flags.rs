//! The table of all options of memberctl grep: those of GNU grep, and ours.

use self::Argument::{None as Bare, Optional, Required};

/// The meaning of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    /// `-G`
    Basic,
    /// `-E`
    Extended,
    /// `-F`
    Fixed,
    /// `-P`
    Perl,
    /// `-A`
    After,
    /// `-B`
    Before,
    /// `-C`
    Context,
    /// `--color`
    Color,
    /// `-c`
    Count,
    /// `-l`
    FilesWithMatch,
    /// `-L`
    FilesWithoutMatch,
    /// `-i`
    IgnoreCase,
    /// `--no-ignore-case`
    NoIgnoreCase,
    /// `-n`
    LineNumber,
    /// `-x`
    WholeLines,
    /// `-m`
    MaxCount,
    /// `-h`
    NoNames,
    /// `-H`
    Names,
    /// `-s`
    NoMessages,
    /// `-o`
    OnlyMatching,
    /// `-q`
    Quiet,
    /// `-e`
    Pattern,
    /// `-f`
    PatternFile,
    /// `-v`
    Invert,
    /// `-w`
    Words,
    /// `--help`
    Help,
    /// `-V`
    Version,
    /// `-b`
    ByteOffsets,
    /// `-T`
    InitialTab,
    /// `-Z`
    NullAfterNames,
    /// `-z`
    NullData,
    /// `-a`
    Text,
    /// `-I`
    NoBinaryFiles,
    /// `--binary-files`
    BinaryFiles,
    /// `--group-separator`
    GroupSeparator,
    /// `--no-group-separator`
    NoGroupSeparator,
    /// `--include`
    Include,
    /// `--exclude`
    Exclude,
    /// `--exclude-from`
    ExcludeFrom,
    /// An option that changes nothing, since it asks for the default.
    Granted,
    /// An option of GNU grep that is refused, for this reason.
    Refused(&'static str),
    /// GNU grep has no such option.
    Ours(Our),
}

/// An option of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Our {
    /// `--on`
    On,
    /// `--not-on`
    NotOn,
    /// `--tag`
    Tag,
    /// `--rotated`
    Rotated,
    /// `--since`
    Since,
    /// `--until`
    Until,
    /// `--merge`
    Merge,
    /// `--follow`
    Follow,
    /// `--journal`
    Journal,
    /// `-u`
    Unit,
    /// `-p`
    Priority,
    /// `--json`
    Json,
    /// `--count-by`
    CountBy,
    /// `--total`
    Total,
    /// `--stats`
    Stats,
}

/// Whether an option takes an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    None,
    Required,
    Optional,
}

/// An option with its letters, its long names, and whether it takes an argument.
pub(super) type Entry = (Flag, &'static str, &'static [&'static str], Argument);

const ALL_IS_SEARCHED: &str =
    "all files that the members offer are searched, and FILE narrows that";
const NO_DIRECTORIES: &str = "members search the files that they offer, and no directory or device";
const NO_INPUT: &str = "members have no standard input";

/// All of GNU grep's options.
pub(super) const GREPS: &[Entry] = &[
    (Flag::Basic, "G", &["basic-regexp"], Bare),
    (Flag::Extended, "E", &["extended-regexp"], Bare),
    (Flag::Fixed, "F", &["fixed-regexp", "fixed-strings"], Bare),
    (Flag::Perl, "P", &["perl-regexp"], Bare),
    (Flag::After, "A", &["after-context"], Required),
    (Flag::Before, "B", &["before-context"], Required),
    (Flag::BinaryFiles, "", &["binary-files"], Required),
    (Flag::Granted, "", &["line-buffered"], Bare),
    (Flag::ByteOffsets, "b", &["byte-offset"], Bare),
    (Flag::Context, "C", &["context"], Required),
    (Flag::Color, "", &["color", "colour"], Optional),
    (Flag::Count, "c", &["count"], Bare),
    (Flag::Refused(NO_DIRECTORIES), "D", &["devices"], Required),
    (Flag::Refused(NO_DIRECTORIES), "d", &["directories"], Required),
    (Flag::Exclude, "", &["exclude"], Required),
    (Flag::ExcludeFrom, "", &["exclude-from"], Required),
    (Flag::Refused(NO_DIRECTORIES), "", &["exclude-dir"], Required),
    (Flag::PatternFile, "f", &["file"], Required),
    (Flag::FilesWithMatch, "l", &["files-with-matches"], Bare),
    (Flag::FilesWithoutMatch, "L", &["files-without-match"], Bare),
    (Flag::GroupSeparator, "", &["group-separator"], Required),
    (Flag::Help, "", &["help"], Bare),
    (Flag::Include, "", &["include"], Required),
    (Flag::IgnoreCase, "iy", &["ignore-case"], Bare),
    (Flag::NoIgnoreCase, "", &["no-ignore-case"], Bare),
    (Flag::InitialTab, "T", &["initial-tab"], Bare),
    (Flag::Refused(NO_INPUT), "", &["label"], Required),
    (Flag::LineNumber, "n", &["line-number"], Bare),
    (Flag::WholeLines, "x", &["line-regexp"], Bare),
    (Flag::MaxCount, "m", &["max-count"], Required),
    (Flag::NoNames, "h", &["no-filename"], Bare),
    (Flag::NoGroupSeparator, "", &["no-group-separator"], Bare),
    (Flag::NoMessages, "s", &["no-messages"], Bare),
    (Flag::NullAfterNames, "Z", &["null"], Bare),
    (Flag::NullData, "z", &["null-data"], Bare),
    (Flag::OnlyMatching, "o", &["only-matching"], Bare),
    (Flag::Quiet, "q", &["quiet", "silent"], Bare),
    (Flag::Refused(ALL_IS_SEARCHED), "r", &["recursive"], Bare),
    (Flag::Refused(ALL_IS_SEARCHED), "R", &["dereference-recursive"], Bare),
    (Flag::Pattern, "e", &["regexp"], Required),
    (Flag::Invert, "v", &["invert-match"], Bare),
    (Flag::Text, "a", &["text"], Bare),
    (Flag::NoBinaryFiles, "I", &[], Bare),
    (Flag::Granted, "U", &["binary"], Bare),
    // The letter -u is taken by ours.
    (Flag::Granted, "", &["unix-byte-offsets"], Bare),
    (Flag::Version, "V", &["version"], Bare),
    (Flag::Names, "H", &["with-filename"], Bare),
    (Flag::Words, "w", &["word-regexp"], Bare),
    (Flag::Refused("write -G, -E, -F or -P"), "X", &[], Required),
];

/// All our options. They cannot be abbreviated: an abbreviation always means an option of grep.
pub(super) const OURS: &[Entry] = &[
    (Flag::Ours(Our::On), "", &["on"], Required),
    (Flag::Ours(Our::NotOn), "", &["not-on"], Required),
    (Flag::Ours(Our::Tag), "", &["tag"], Required),
    (Flag::Ours(Our::Rotated), "", &["rotated"], Bare),
    (Flag::Ours(Our::Since), "", &["since"], Required),
    (Flag::Ours(Our::Until), "", &["until"], Required),
    (Flag::Ours(Our::Merge), "", &["merge"], Bare),
    (Flag::Ours(Our::Follow), "", &["follow"], Bare),
    (Flag::Ours(Our::Journal), "", &["journal"], Bare),
    (Flag::Ours(Our::Unit), "u", &["unit"], Required),
    (Flag::Ours(Our::Priority), "p", &["priority"], Required),
    (Flag::Ours(Our::Json), "", &["json"], Bare),
    (Flag::Ours(Our::CountBy), "", &["count-by"], Required),
    (Flag::Ours(Our::Total), "", &["total"], Bare),
    (Flag::Ours(Our::Stats), "", &["stats"], Bare),
];
