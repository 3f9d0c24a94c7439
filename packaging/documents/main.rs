//! Generates the manual pages and the completions of memberd and memberctl: `cargo run -p memberd
//! --example documents -- DIRECTORY`. They come from the definitions that parse the command lines,
//! and from the shipped settings.

mod completions;
mod differences;
mod language;
mod settings;
mod synopsis;
mod texts;

use clap::{Command, CommandFactory};
use clap_complete::{Generator, Shell, generate_to};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use memberd::options::Options;
use std::io;
use std::path::Path;
use std::{env, fs};
use texts::Section;

/// The shells that have completions.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// The terminal's width that text with a fixed layout fits.
const COLUMNS: usize = 80;

/// The source of the pages, in their footer.
const SOURCE: &str = concat!("memberd ", env!("CARGO_PKG_VERSION"));

fn main() -> io::Result<()> {
    let [_, directory] =
        <[_; 2]>::try_from(env::args_os().collect::<Vec<_>>()).map_err(|_| wrong_usage())?;
    let directory = Path::new(&directory);
    fs::create_dir_all(directory)?;
    pages(directory, Options::command(), "8", "memberd.toml(5), memberctl(1)")?;
    pages(directory, memberctl::command_line(), "1", "memberd(8), memberd.toml(5)")?;
    let settings = settings::page(include_str!("../memberd.toml"), SOURCE);
    fs::write(directory.join("memberd.toml.5"), settings)?;
    fs::write(directory.join(format!("{}.7", language::NAME)), language::page(SOURCE))?;
    for shell in SHELLS {
        generate_to(shell, &mut Options::command(), "memberd", directory)?;
        let text = completions::of_memberctl(shell, memberctl::completed_line());
        fs::write(directory.join(shell.file_name("memberctl")), text)?;
    }
    Ok(())
}

fn wrong_usage() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "name the one directory to write to")
}

/// A page for the command and one for each of its subcommands: `memberctl.1`, `memberctl-list.1`,
/// `memberctl-key-list.1`.
fn pages(directory: &Path, command: Command, section: &str, see_also: &str) -> io::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    page_with_subcommands(directory, &command, section, see_also)
}

fn page_with_subcommands(
    directory: &Path,
    command: &Command,
    section: &str,
    see_also: &str,
) -> io::Result<()> {
    page(directory, command, section, see_also)?;
    let parent = format!("{}({section}), {see_also}", name(command));
    for subcommand in command
        .get_subcommands()
        .filter(|subcommand| !subcommand.is_hide_set() && subcommand.get_name() != "help")
    {
        page_with_subcommands(directory, subcommand, section, &parent)?;
    }
    Ok(())
}

fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn page(directory: &Path, command: &Command, section: &str, see_also: &str) -> io::Result<()> {
    let name = name(command);
    let man = Man::new(command.clone()).section(section).source(SOURCE).manual("memberd manual");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    match command.get_overridden_usage() {
        Some(_) => man.render_synopsis_section(&mut page)?,
        None => synopsis::section(command).to_writer(&mut page)?,
    }
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let whole = name == "memberctl";
    let sections = if whole { texts::sections(texts::MEMBERCTL) } else { Vec::new() };
    for Section { title, lines } in sections {
        as_it_stands(
            title,
            lines.into_iter().map(|line| line.strip_prefix("    ").unwrap_or(line)),
            &mut page,
        )?;
    }
    if let Some(details) = command.get_after_help().filter(|_| !whole) {
        as_it_stands("DETAILS", details.to_string().lines(), &mut page)?;
    }
    if name == "memberctl-grep" {
        differences::times().to_writer(&mut page)?;
        differences::section().to_writer(&mut page)?;
    }
    let examples = texts::examples(texts::EXAMPLES);
    let examples = examples.into_iter().filter(|Section { title, .. }| {
        let of_this = title.replace(' ', "-") == name;
        of_this || whole && title.starts_with("memberctl ")
    });
    worked(&examples.collect::<Vec<_>>(), &mut page)?;
    let see_also = match name {
        "memberctl-stats" => format!("{}(7), memberctl-grep(1), {see_also}", language::NAME),
        "memberctl-stream" => format!("{}(7), memberctl-stats(1), {see_also}", language::NAME),
        _ => see_also.to_owned(),
    };
    let mut end = Roff::new();
    end.control("SH", ["SEE ALSO"]).text([roman(see_also)]);
    end.to_writer(&mut page)?;
    fs::write(directory.join(format!("{name}.{section}")), page)
}

/// A section with a fixed layout. Lines that are wider than a terminal are paragraphs, which the
/// reader's pager breaks.
fn as_it_stands<'a>(
    title: &str,
    lines: impl Iterator<Item = &'a str>,
    page: &mut Vec<u8>,
) -> io::Result<()> {
    let mut section = Roff::new();
    section.control("SH", [title]).control("nf", []);
    for line in lines {
        let paragraph = line.len() > COLUMNS && line.starts_with(char::is_alphabetic);
        if paragraph {
            section.control("fi", []);
        }
        section.text([roman(line)]);
        if paragraph {
            section.control("nf", []);
        }
    }
    section.control("fi", []);
    section.to_writer(page)
}

/// The examples: text as paragraphs, and sessions with a fixed layout.
fn worked(examples: &[Section], page: &mut Vec<u8>) -> io::Result<()> {
    if examples.is_empty() {
        return Ok(());
    }
    let mut section = Roff::new();
    section.control("SH", ["EXAMPLES"]);
    for Section { title, lines } in examples {
        if examples.len() > 1 {
            section.control("SS", [*title]);
        }
        language::parts(lines, &mut section);
    }
    section.to_writer(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The names of the commands that can be typed: without `key`, which needs another word.
    fn commands(command: &Command) -> Vec<String> {
        let below = command.get_subcommands().filter(|below| below.get_name() != "help");
        let own = (!command.is_subcommand_required_set()).then(|| name(command).to_owned());
        own.into_iter().chain(below.flat_map(commands)).collect()
    }

    #[test]
    fn every_command_has_an_example_on_its_page_and_on_memberctl_1() {
        let mut line = memberctl::command_line();
        line.build();
        let shown = texts::examples(texts::EXAMPLES);
        let shown: BTreeSet<String> =
            shown.iter().map(|section| section.title.replace(' ', "-")).collect();
        let there: BTreeSet<String> =
            commands(&line).into_iter().chain(["memberd".to_owned()]).collect();
        assert_eq!(shown, there);
        let directory = tempfile::tempdir().unwrap();
        pages(directory.path(), memberctl::command_line(), "1", "").unwrap();
        let page = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        for words in ["three are up", "EXIT STATUS", "ENVIRONMENT", "FILES"] {
            assert!(page("memberctl.1").contains(words), "{words}");
        }
        assert!(
            page("memberctl-wait.1").contains("three are up")
                && !page("memberctl-wait.1").contains("ENVIRONMENT")
        );
        assert!(page("memberctl-key-list.1").contains("accepted"));
        let events = page("memberctl-events.1");
        assert!(
            events.contains(".fi\nWithout \\-\\-since, "),
            "paragraphs are broken where the page ends: {events}"
        );
        assert!(
            events.contains(".nf\n\nExamples:\n  memberctl events"),
            "examples stay as they stand: {events}"
        );
    }
}
