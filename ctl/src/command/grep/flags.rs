//! The tables of all options of memberctl grep: those of GNU grep, and those for fleets.

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
    NoEffect,
    /// An option of GNU grep that is refused, for this reason.
    Refused(&'static str),
    /// An option that GNU grep does not have.
    Fleet(FleetOption),
}

/// An option that GNU grep does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FleetOption {
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
    /// `--no-copies`
    NoCopies,
    /// `--order`
    Order,
    /// `--limit`
    Limit,
    /// `--last`
    Last,
    /// `--fold`
    Fold,
    /// `--journal`
    Journal,
    /// `-u`
    Unit,
    /// `-p`
    Priority,
    /// `-t`
    Identifier,
    /// `--boot`
    Boot,
    /// `-k`
    Dmesg,
    /// `--user-unit`
    UserUnit,
    /// `--facility`
    Facility,
    /// `--namespace`
    Namespace,
    /// `--json`
    Json,
    /// `--count-by`
    CountBy,
    /// `--total`
    Total,
    /// `--stats`
    Stats,
    /// `--control-chars`
    ControlChars,
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
pub(super) const GNU: &[Entry] = &[
    (Flag::Basic, "G", &["basic-regexp"], Bare),
    (Flag::Extended, "E", &["extended-regexp"], Bare),
    (Flag::Fixed, "F", &["fixed-regexp", "fixed-strings"], Bare),
    (Flag::Perl, "P", &["perl-regexp"], Bare),
    (Flag::After, "A", &["after-context"], Required),
    (Flag::Before, "B", &["before-context"], Required),
    (Flag::BinaryFiles, "", &["binary-files"], Required),
    (Flag::NoEffect, "", &["line-buffered"], Bare),
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
    (Flag::NoEffect, "U", &["binary"], Bare),
    // The letter -u means --unit here.
    (Flag::NoEffect, "", &["unix-byte-offsets"], Bare),
    (Flag::Version, "V", &["version"], Bare),
    (Flag::Names, "H", &["with-filename"], Bare),
    (Flag::Words, "w", &["word-regexp"], Bare),
    (Flag::Refused("write -G, -E, -F or -P"), "X", &[], Required),
];

/// All options that GNU grep does not have. They cannot be abbreviated: an abbreviation always
/// means an option of grep.
pub(super) const FLEET: &[Entry] = &[
    (Flag::Fleet(FleetOption::On), "", &["on"], Required),
    (Flag::Fleet(FleetOption::NotOn), "", &["not-on"], Required),
    (Flag::Fleet(FleetOption::Tag), "", &["tag"], Required),
    (Flag::Fleet(FleetOption::Rotated), "", &["rotated"], Bare),
    (Flag::Fleet(FleetOption::Since), "", &["since"], Required),
    (Flag::Fleet(FleetOption::Until), "", &["until"], Required),
    (Flag::Fleet(FleetOption::Merge), "", &["merge"], Bare),
    (Flag::Fleet(FleetOption::Follow), "", &["follow"], Bare),
    (Flag::Fleet(FleetOption::NoCopies), "", &["no-copies"], Bare),
    (Flag::Fleet(FleetOption::Order), "", &["order"], Required),
    (Flag::Fleet(FleetOption::Limit), "", &["limit"], Required),
    (Flag::Fleet(FleetOption::Last), "", &["last"], Required),
    (Flag::Fleet(FleetOption::Fold), "", &["fold"], Bare),
    (Flag::Fleet(FleetOption::Journal), "", &["journal"], Bare),
    (Flag::Fleet(FleetOption::Unit), "u", &["unit"], Required),
    (Flag::Fleet(FleetOption::Priority), "p", &["priority"], Required),
    (Flag::Fleet(FleetOption::Identifier), "t", &["identifier"], Required),
    // The letter -b means --byte-offset.
    (Flag::Fleet(FleetOption::Boot), "", &["boot"], Optional),
    (Flag::Fleet(FleetOption::Dmesg), "k", &["dmesg"], Bare),
    (Flag::Fleet(FleetOption::UserUnit), "", &["user-unit"], Required),
    (Flag::Fleet(FleetOption::Facility), "", &["facility"], Required),
    (Flag::Fleet(FleetOption::Namespace), "", &["namespace"], Required),
    (Flag::Fleet(FleetOption::Json), "", &["json"], Bare),
    (Flag::Fleet(FleetOption::CountBy), "", &["count-by"], Required),
    (Flag::Fleet(FleetOption::Total), "", &["total"], Bare),
    (Flag::Fleet(FleetOption::Stats), "", &["stats"], Bare),
    (Flag::Fleet(FleetOption::ControlChars), "", &["control-chars"], Required),
];
