//! Generates the synopsis of a command's page, with the names of the options' values.

use clap::{Arg, ArgAction, Command};
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

/// The section. A command with a usage of its own has that one.
pub(super) fn section(command: &Command) -> Roff {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let mut line = vec![bold(name)];
    let shown = |arg: &&Arg| !arg.is_hide_set();
    for option in command.get_arguments().filter(|arg| !arg.is_positional()).filter(shown) {
        line.extend(written(option, option_name(option)));
    }
    for operand in command.get_positionals().filter(shown) {
        line.extend(written(operand, Vec::new()));
    }
    if command.has_subcommands() {
        let (begin, end) =
            if command.is_subcommand_required_set() { (" ", "") } else { (" [", "]") };
        line.extend([roman(begin), italic("COMMAND"), roman(end)]);
    }
    let mut section = Roff::new();
    section.control("SH", ["SYNOPSIS"]).text(line);
    section
}

/// `--name`, or `-s` and `--name` as one of two.
fn option_name(option: &Arg) -> Vec<Inline> {
    let short = option.get_short().map(|short| bold(format!("-{short}")));
    let long = option.get_long().map(|long| bold(format!("--{long}")));
    match (short, long) {
        (Some(short), Some(long)) => vec![short, roman("|"), long],
        (short, long) => short.into_iter().chain(long).collect(),
    }
}

/// ` [NAME VALUE]...`
fn written(arg: &Arg, name: Vec<Inline>) -> Vec<Inline> {
    let (begin, end) = if arg.is_required_set() { (" ", "") } else { (" [", "]") };
    let mut text = vec![roman(begin)];
    let is_option = !name.is_empty();
    text.extend(name);
    if arg.get_action().takes_values() {
        let names = arg.get_value_names().unwrap_or_default();
        let names = names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        text.extend(is_option.then(|| roman(" ")));
        text.push(italic(names));
    }
    let again = matches!(arg.get_action(), ArgAction::Append);
    text.extend([roman(end), roman(if again { "..." } else { "" })]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the fonts.
    fn plain(command: &str) -> String {
        let mut line = memberctl::command_line();
        line.build();
        let command = line.find_subcommand(command).unwrap();
        let page = section(command).to_roff().replace("\\-", "-");
        ["\\fB", "\\fI", "\\fR"].iter().fold(page, |page, font| page.replace(font, ""))
    }

    #[test]
    fn every_value_has_its_name() {
        let page = plain("wait");
        for words in
            ["memberctl wait ", "[--members N]", "[--tag KEY[=VALUE]]...", "[--socket PATH]"]
        {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(plain("list").contains("[-a|--all]") && plain("list").contains("[NAME]..."));
        assert!(plain("join").ends_with("[HOST:PORT]...\n"));
        assert!(plain("key").ends_with(" COMMAND\n") && plain("view").ends_with(" [COMMAND]\n"));
    }
}
