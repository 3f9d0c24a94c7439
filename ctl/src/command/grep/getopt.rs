//! Cuts grep's command line into options and operands, as getopt_long(3) does for GNU grep 3.8.

use self::Argument::{None as Bare, Optional, Required};
use super::ours::{self, Our};

/// What an option is to grep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    /// `-G`
    Basic,
    /// `-E`
    Extended,
    /// `-F`
    Fixed,
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
    /// `-v`
    Invert,
    /// `-w`
    Words,
    /// `--help`
    Help,
    /// `-V`
    Version,
    /// What holds anyway: lines are sent on at once, and bytes are left as they are.
    Granted,
    /// grep has it; the members' search has not.
    Unsupported,
    /// grep has it not.
    Ours(Our),
}

/// Whether an option takes an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Argument {
    None,
    Required,
    Optional,
}

/// An option with its short names, its long names, and whether it takes an argument.
pub(super) type Entry = (Flag, &'static str, &'static [&'static str], Argument);

/// All of GNU grep's options.
const TABLE: &[Entry] = &[
    (Flag::Basic, "G", &["basic-regexp"], Bare),
    (Flag::Extended, "E", &["extended-regexp"], Bare),
    (Flag::Fixed, "F", &["fixed-regexp", "fixed-strings"], Bare),
    (Flag::Unsupported, "P", &["perl-regexp"], Bare),
    (Flag::After, "A", &["after-context"], Required),
    (Flag::Before, "B", &["before-context"], Required),
    (Flag::Unsupported, "", &["binary-files"], Required),
    (Flag::Granted, "", &["line-buffered"], Bare),
    (Flag::Unsupported, "b", &["byte-offset"], Bare),
    (Flag::Context, "C", &["context"], Required),
    (Flag::Color, "", &["color", "colour"], Optional),
    (Flag::Count, "c", &["count"], Bare),
    (Flag::Unsupported, "D", &["devices"], Required),
    (Flag::Unsupported, "d", &["directories"], Required),
    (Flag::Unsupported, "", &["exclude"], Required),
    (Flag::Unsupported, "", &["exclude-from"], Required),
    (Flag::Unsupported, "", &["exclude-dir"], Required),
    (Flag::Unsupported, "f", &["file"], Required),
    (Flag::FilesWithMatch, "l", &["files-with-matches"], Bare),
    (Flag::FilesWithoutMatch, "L", &["files-without-match"], Bare),
    (Flag::Unsupported, "", &["group-separator"], Required),
    (Flag::Help, "", &["help"], Bare),
    (Flag::Unsupported, "", &["include"], Required),
    (Flag::IgnoreCase, "iy", &["ignore-case"], Bare),
    (Flag::NoIgnoreCase, "", &["no-ignore-case"], Bare),
    (Flag::Unsupported, "T", &["initial-tab"], Bare),
    (Flag::Unsupported, "", &["label"], Required),
    (Flag::LineNumber, "n", &["line-number"], Bare),
    (Flag::WholeLines, "x", &["line-regexp"], Bare),
    (Flag::MaxCount, "m", &["max-count"], Required),
    (Flag::NoNames, "h", &["no-filename"], Bare),
    (Flag::Unsupported, "", &["no-group-separator"], Bare),
    (Flag::NoMessages, "s", &["no-messages"], Bare),
    (Flag::Unsupported, "Z", &["null"], Bare),
    (Flag::Unsupported, "z", &["null-data"], Bare),
    (Flag::OnlyMatching, "o", &["only-matching"], Bare),
    (Flag::Quiet, "q", &["quiet", "silent"], Bare),
    (Flag::Unsupported, "r", &["recursive"], Bare),
    (Flag::Unsupported, "R", &["dereference-recursive"], Bare),
    (Flag::Pattern, "e", &["regexp"], Required),
    (Flag::Invert, "v", &["invert-match"], Bare),
    (Flag::Unsupported, "a", &["text"], Bare),
    (Flag::Unsupported, "I", &[], Bare),
    (Flag::Granted, "U", &["binary"], Bare),
    // -u is ours.
    (Flag::Unsupported, "", &["unix-byte-offsets"], Bare),
    (Flag::Version, "V", &["version"], Bare),
    (Flag::Names, "H", &["with-filename"], Bare),
    (Flag::Words, "w", &["word-regexp"], Bare),
    (Flag::Unsupported, "X", &[], Required),
];

/// A piece of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// An option, as it was written, with its argument.
    Option(Flag, String, Option<String>),
    /// `-NUM`: the digits.
    Digits(String),
    /// A pattern or a file.
    Operand(String),
}

/// Cuts a command line into pieces, in its order.
///
/// # Errors
/// What is wrong, in getopt's words.
pub(super) fn pieces(arguments: impl IntoIterator<Item = String>) -> Result<Vec<Piece>, String> {
    let mut arguments = arguments.into_iter();
    let mut pieces = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            pieces.extend(arguments.by_ref().map(Piece::Operand));
        } else if let Some(long) = argument.strip_prefix("--") {
            pieces.push(long_option(long, &mut arguments)?);
        } else if let Some(cluster) = argument.strip_prefix('-').filter(|rest| !rest.is_empty()) {
            short_options(cluster, &mut arguments, &mut pieces)?;
        } else {
            pieces.push(Piece::Operand(argument));
        }
    }
    Ok(pieces)
}

/// `name` or `name=value`; the name may be cut short as long as it is clear.
fn long_option(text: &str, rest: &mut impl Iterator<Item = String>) -> Result<Piece, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let (full, (option, _, _, argument)) = find_long(name)?;
    let written = format!("--{full}");
    let value = match (argument, value) {
        (Bare, Some(_)) => return Err(format!("option '{written}' doesn't allow an argument")),
        (Required, None) => Some(rest.next().ok_or_else(|| format!("option '{written}' requires an argument"))?),
        (_, value) => value,
    };
    Ok(Piece::Option(*option, written, value))
}

/// The entry of a long name: the one of just that name, or else the only one of grep's that begins so.
fn find_long(name: &str) -> Result<(&'static str, &'static Entry), String> {
    let names = || TABLE.iter().flat_map(|entry| entry.2.iter().map(move |long| (*long, entry)));
    let ours = ours::TABLE.iter().flat_map(|entry| entry.2.iter().map(move |long| (*long, entry)));
    if let Some(exact) = names().chain(ours).find(|(long, _)| *long == name) {
        return Ok(exact);
    }
    let candidates: Vec<_> = names().filter(|(long, _)| long.starts_with(name)).collect();
    match candidates.as_slice() {
        [] => Err(format!("unrecognized option '--{name}'")),
        [first, others @ ..] if others.iter().all(|other| std::ptr::eq(other.1, first.1)) => Ok(*first),
        _ => {
            let list: Vec<String> = candidates.iter().map(|(long, _)| format!("'--{long}'")).collect();
            Err(format!("option '--{name}' is ambiguous; possibilities: {}", list.join(" ")))
        }
    }
}

/// `inA3`: options without an argument, and at the end perhaps one with its argument, which may also be the next one on the line.
fn short_options(cluster: &str, rest: &mut impl Iterator<Item = String>, pieces: &mut Vec<Piece>) -> Result<(), String> {
    let mut letters = cluster.chars();
    while let Some(letter) = letters.next() {
        if letter.is_ascii_digit() {
            let more: String = letters.clone().take_while(char::is_ascii_digit).collect();
            letters.by_ref().take(more.len()).for_each(drop);
            pieces.push(Piece::Digits(format!("{letter}{more}")));
            continue;
        }
        let (option, _, _, argument) = TABLE
            .iter()
            .chain(ours::TABLE)
            .find(|entry| entry.1.contains(letter))
            .ok_or_else(|| format!("invalid option -- '{letter}'"))?;
        let written = format!("-{letter}");
        if *argument == Bare {
            pieces.push(Piece::Option(*option, written, None));
            continue;
        }
        let value = match letters.as_str() {
            "" => rest.next().ok_or_else(|| format!("option requires an argument -- '{letter}'"))?,
            value => value.to_owned(),
        };
        pieces.push(Piece::Option(*option, written, Some(value)));
        return Ok(());
    }
    Ok(())
}
