//! grep's options as a clap command, from which the shells' completions are generated. The command
//! line itself is parsed by the tables in `flags`.

use clap::{Arg, ArgAction, ValueHint};

use super::control_chars::ControlChars;
use super::flags::{Argument, FLEET, Flag, GNU};
use super::help::HELP;

/// The command with all its options.
pub(crate) fn command() -> clap::Command {
    let options = GNU.iter().chain(FLEET);
    let args = options.filter(|entry| !matches!(entry.0, Flag::Refused(_))).map(
        |(_, letters, names, argument)| {
            let long = names.first().copied();
            let arg = Arg::new(long.unwrap_or(letters)).long(long).help(long.and_then(explanation));
            let arg =
                arg.short(letters.chars().next()).visible_short_aliases(letters.chars().skip(1));
            with_value(
                arg.visible_aliases(names.iter().skip(1).copied()),
                long.unwrap_or_default(),
                *argument,
            )
        },
    );
    let operands = [Arg::new("PATTERN"), Arg::new("FILE").num_args(0..)];
    clap::Command::new("grep").disable_help_flag(true).args(args).args(operands)
}

fn with_value(arg: Arg, long: &str, argument: Argument) -> Arg {
    let arg = match argument {
        Argument::None => return arg.action(ArgAction::SetTrue),
        Argument::Required => arg.action(ArgAction::Append),
        Argument::Optional => arg.action(ArgAction::Append).num_args(0..=1).require_equals(true),
    };
    match long {
        "on" | "not-on" => arg.value_hint(ValueHint::Hostname),
        "file" | "exclude-from" => arg.value_hint(ValueHint::FilePath),
        "color" => arg.value_parser(["always", "auto", "never"]),
        "control-chars" => arg.value_parser(ControlChars::VALUES),
        "binary-files" => arg.value_parser(["binary", "text", "without-match"]),
        "order" => arg.value_parser(["auto", "name", "found"]),
        "count-by" => arg.value_parser(["member", "file"]),
        _ => arg.value_hint(ValueHint::Other),
    }
}

/// The column in which the help's explanations begin.
const EXPLANATIONS: usize = 28;

/// The explanation of an option in the help, as far as it stands on the option's own line.
fn explanation(long: &str) -> Option<&'static str> {
    let is_long = |word: &str| {
        word.split(['=', '[']).next().and_then(|word| word.strip_prefix("--")) == Some(long)
    };
    let lines = HELP.lines().filter_map(|line| line.split_at_checked(EXPLANATIONS));
    let (_, text) =
        lines.into_iter().find(|(options, _)| options.split([' ', ',']).any(is_long))?;
    Some(text.trim_end_matches([',', ';', ':']))
}
