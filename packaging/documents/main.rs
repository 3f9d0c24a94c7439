//! Writes the manual pages and the completions of memberd and memberctl, made of the definitions that their command lines are parsed by
//! and of the settings as they are shipped:
//! `cargo run -p memberd --example documents -- DIRECTORY`.

mod completions;
mod settings;

use clap::{Command, CommandFactory};
use clap_complete::{Generator, Shell, generate_to};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use memberd::options::Options;
use std::io::{self, Write};
use std::path::Path;
use std::{env, fs};

/// The shells that have completions.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// What the pages belong to.
const SOURCE: &str = concat!("memberd ", env!("CARGO_PKG_VERSION"));

fn main() -> io::Result<()> {
    let [_, directory] = <[_; 2]>::try_from(env::args_os().collect::<Vec<_>>()).map_err(|_| wrong_usage())?;
    let directory = Path::new(&directory);
    fs::create_dir_all(directory)?;
    pages(directory, Options::command(), "8", "memberd.toml(5), memberctl(1)")?;
    pages(directory, memberctl::command_line(), "1", "memberd(8), memberd.toml(5)")?;
    let settings = settings::page(include_str!("../memberd.toml"), SOURCE);
    fs::write(directory.join("memberd.toml.5"), settings)?;
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

/// A page for the command and one for each of its subcommands: `memberctl.1`, `memberctl-list.1`, `memberctl-key-list.1`.
fn pages(directory: &Path, command: Command, section: &str, see_also: &str) -> io::Result<()> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    page_with_subcommands(directory, &command, section, see_also)
}

fn page_with_subcommands(directory: &Path, command: &Command, section: &str, see_also: &str) -> io::Result<()> {
    page(directory, command, section, see_also)?;
    let parent = format!("{}({section}), {see_also}", name(command));
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set() && subcommand.get_name() != "help")
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
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    if let Some(details) = command.get_after_help() {
        as_it_stands(&details.to_string(), &mut page)?;
    }
    let mut end = Roff::new();
    end.control("SH", ["SEE ALSO"]).text([roman(see_also)]);
    end.to_writer(&mut page)?;
    fs::write(directory.join(format!("{name}.{section}")), page)
}

/// The help's tables are laid out already.
fn as_it_stands(details: &str, page: &mut Vec<u8>) -> io::Result<()> {
    let mut section = Roff::new();
    section.control("SH", ["DETAILS"]).control("nf", []);
    for line in details.lines() {
        section.text([roman(line)]);
    }
    section.control("fi", []);
    section.to_writer(page)?;
    page.flush()
}
