//! Splits grep's command line into options and operands, as getopt_long(3) does for GNU grep 3.8.

use super::flags::Argument::{None as Bare, Required};
use super::flags::{Entry, FLEET, Flag, GNU};

/// A piece of the command line. Arguments are bytes, since a pattern need not be valid UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// An option, its name as it was written, and its argument.
    Option(Flag, String, Option<Vec<u8>>),
    /// `-NUM`: the digits.
    Digits(String),
    /// A pattern or a file.
    Operand(Vec<u8>),
}

/// Splits a command line into pieces, in order.
///
/// # Errors
/// When an option is unknown or its argument is wrong, with the text of getopt.
pub(super) fn pieces(arguments: impl IntoIterator<Item = Vec<u8>>) -> Result<Vec<Piece>, String> {
    let mut arguments = arguments.into_iter();
    let mut pieces = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == b"--" {
            pieces.extend(arguments.by_ref().map(Piece::Operand));
        } else if let Some(long) = argument.strip_prefix(b"--") {
            pieces.push(long_option(long, &mut arguments)?);
        } else if let Some(cluster) = argument.strip_prefix(b"-").filter(|rest| !rest.is_empty()) {
            short_options(cluster, &mut arguments, &mut pieces)?;
        } else {
            pieces.push(Piece::Operand(argument));
        }
    }
    Ok(pieces)
}

/// Parses `name` or `name=value`. The name may be abbreviated if that is unambiguous.
fn long_option(text: &[u8], rest: &mut impl Iterator<Item = Vec<u8>>) -> Result<Piece, String> {
    let mut parts = text.splitn(2, |byte| *byte == b'=');
    let name = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let value = parts.next().map(<[u8]>::to_vec);
    let (full, (option, _, _, argument)) = find_long(&name)?;
    let written = format!("--{full}");
    let value = match (argument, value) {
        (Bare, Some(_)) => return Err(format!("option '{written}' doesn't allow an argument")),
        (Required, None) => {
            Some(rest.next().ok_or_else(|| format!("option '{written}' requires an argument"))?)
        }
        (_, value) => value,
    };
    Ok(Piece::Option(*option, written, value))
}

/// Finds the entry with this long name, or else the only one of grep's that begins with it.
fn find_long(name: &str) -> Result<(&'static str, &'static Entry), String> {
    let names = || GNU.iter().flat_map(|entry| entry.2.iter().map(move |long| (*long, entry)));
    let fleet = FLEET.iter().flat_map(|entry| entry.2.iter().map(move |long| (*long, entry)));
    if let Some(exact) = names().chain(fleet).find(|(long, _)| *long == name) {
        return Ok(exact);
    }
    let candidates: Vec<_> = names().filter(|(long, _)| long.starts_with(name)).collect();
    match candidates.as_slice() {
        [] => Err(format!("unrecognized option '--{name}'")),
        [first, others @ ..] if others.iter().all(|other| std::ptr::eq(other.1, first.1)) => {
            Ok(*first)
        }
        _ => {
            let list: Vec<String> =
                candidates.iter().map(|(long, _)| format!("'--{long}'")).collect();
            Err(format!("option '--{name}' is ambiguous; possibilities: {}", list.join(" ")))
        }
    }
}

/// Parses a cluster such as `inA3`: options without an argument, and perhaps a last one that takes
/// one. That argument is the rest of the cluster, or else the next word.
fn short_options(
    cluster: &[u8],
    rest: &mut impl Iterator<Item = Vec<u8>>,
    pieces: &mut Vec<Piece>,
) -> Result<(), String> {
    let mut cluster = cluster;
    while let [letter, after @ ..] = cluster {
        if letter.is_ascii_digit() {
            let digits = cluster.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (number, after) = cluster.split_at(digits);
            pieces.push(Piece::Digits(String::from_utf8_lossy(number).into_owned()));
            cluster = after;
            continue;
        }
        let name = first_character(cluster);
        let (option, _, _, argument) = GNU
            .iter()
            .chain(FLEET)
            .find(|entry| entry.1.contains(name))
            .ok_or_else(|| format!("invalid option -- '{name}'"))?;
        let written = format!("-{name}");
        if *argument == Bare {
            pieces.push(Piece::Option(*option, written, None));
            cluster = after;
            continue;
        }
        let value = match after {
            [] => rest.next().ok_or_else(|| format!("option requires an argument -- '{name}'"))?,
            value => value.to_vec(),
        };
        pieces.push(Piece::Option(*option, written, Some(value)));
        return Ok(());
    }
    Ok(())
}

/// The option's letter. The letters of all options are ASCII.
fn first_character(cluster: &[u8]) -> char {
    String::from_utf8_lossy(cluster).chars().next().unwrap_or_default()
}
