//! `memberctl list`: prints the members for people and for other programs.

mod ansible;
mod csv;
mod hosts;
mod json;
mod names;
mod prometheus_sd;
mod select;
mod table;

use std::time::Duration;

use clap::ValueEnum;
use memberd_control::message::MemberRecord;

use self::prometheus_sd::{METRICS_PORT, Port};
use self::select::{Selected, Selection};
use crate::arguments;
use crate::connection::Daemon;
use crate::exit::{Exit, Failure, print_message};
use crate::format;
use crate::output::{ColorChoice, Output, Style};

/// The pause between two fetches of `--watch`.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// What stands below the help.
const DETAILS: &str = "\
SINCE, and since in json and csv, is when the member joined, failed or left. It is the same on \
every machine. A join and a leave are timed by the member's own clock. A failure is timed by the \
clock of who noticed it. If an older memberd did not say the time, it is when this machine \
learned of it.

An object of --json has id (name@address:port/incarnation), name, address, port, status (alive, \
failed or left), incarnation and since (both in milliseconds since 1970) and this_machine (true or \
false). A failed member has evidence: accuser is who noticed the failure, and silent_for is how \
many milliseconds before that the member was last heard. An alive member that is suspected has \
suspected_by, who suspects it. tags is there if the member has any.

With the detector swim, a member that was not heard for a while is suspected before it is declared \
failed. It is alive in every format and for every option meanwhile.

A GLOB over names has * for any characters, ? for one, [abc] or [a-c] for one of a set, [!a-c] for \
one that is not in it, and {web,db} for one of several texts. [08-12], [1,3-5], [1-9/2] and {1..9} \
are ranges of numbers as in ClusterShell: 08 has its zero, and 1 has none. Digits alone are a set: \
[12] is 1 or 2. What could be either is refused, such as [1-35-7]. A comma separates globs.

The list does not know which members serve metrics: [metrics] listen is each machine's own. If not \
all do, give those a tag with their port, such as node.tags = { metrics = \"9946\" }, and list \
them with --port-tag metrics.

In hosts, localhost and names like it are left out. In ansible, a member whose name means \
something else there (localhost, all, or a group's name) is the host member_NAME. The group of a \
tag is tag_KEY_VALUE, with _ for other characters. If one of those was neither - nor ., the first \
8 digits of BLAKE3 of KEY=VALUE follow. Standard error tells what is left out, renamed, or in one \
group with another tag.

Exit status 1 if no member matches. Then json, csv, hosts, ansible and prometheus-sd are valid and \
empty.

Examples:
  memberctl list --all --sort since         the newest changes last
  memberctl list --format hosts             a block for /etc/hosts
  memberctl list --tag role=web --tag zone  members of that role whose zone is set
  memberctl list --format names | xargs -I{} ssh {} uptime
  memberctl list --tag role=web --format prometheus-sd --port 9100 > /etc/prometheus/fleet.json";

/// Shows the list.
#[derive(Debug, Default, clap::Args)]
#[command(after_help = DETAILS)]
pub(crate) struct List {
    #[command(flatten)]
    selection: Selection,

    /// Print an array of JSON objects, as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// The format of the list
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    format: Format,

    /// Show each member's tags in the table instead of SINCE
    #[arg(long, conflicts_with_all = ["json", "format"])]
    tags: bool,

    /// The port of the targets of --format prometheus-sd [default: 9946]
    #[arg(long, value_name = "PORT", value_parser = arguments::number(1..=u16::MAX))]
    port: Option<u16>,

    /// With --format prometheus-sd, list only members with this tag, each at the port that is the
    /// tag's value
    #[arg(long, value_name = "KEY", conflicts_with = "port")]
    port_tag: Option<String>,

    /// Keep showing the list: on a terminal every second, else whenever it has changed
    #[arg(long)]
    watch: bool,

    #[command(flatten)]
    color: ColorChoice,
}

/// The formats of the list. Each has its own file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// An aligned table for people
    #[default]
    Table,
    /// An array of JSON objects
    Json,
    /// Comma-separated values with a header (RFC 4180)
    Csv,
    /// One name a line
    Names,
    /// A block for /etc/hosts
    Hosts,
    /// A dynamic inventory for Ansible
    Ansible,
    /// Targets for Prometheus' file_sd_configs
    PrometheusSd,
}

/// A list in its format.
struct Rendered {
    text: String,
    /// What the format cannot express, a line each.
    notes: Vec<String>,
}

impl From<String> for Rendered {
    fn from(text: String) -> Rendered {
        Rendered { text, notes: Vec::new() }
    }
}

impl Rendered {
    /// Prints the list, and the notes on standard error.
    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        output.text(&self.text)?;
        self.notes.iter().for_each(|note| print_message(note));
        Ok(())
    }
}

impl Format {
    /// Whether a program reads it as a whole. A list of nobody is then printed as a valid document.
    fn is_a_document(self) -> bool {
        !matches!(self, Format::Table | Format::Names)
    }
}

impl List {
    /// The list that the demo shows.
    pub(super) fn plain(all: bool) -> List {
        List { selection: Selection::of(all), ..List::default() }
    }

    /// Prints the list. Nothing is printed unless the list is complete. A list of nobody is a
    /// failure.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let ports = [("--port", self.port.is_some()), ("--port-tag", self.port_tag.is_some())];
        if let Some((option, _)) = ports.iter().find(|(_, given)| *given)
            && self.format() != Format::PrometheusSd
        {
            return Err(Failure::usage(format!(
                "{option} needs --format prometheus-sd: try memberctl list --help"
            )));
        }
        let mut output = Output::with(self.color);
        if self.watch {
            return self.follow(daemon, &mut output);
        }
        let nobody = match self.selection.fetch(daemon, self.for_people(&output)) {
            Ok(selected) if selected.members.is_empty() => {
                Failure::new(Exit::Failed, self.selection.nobody(&selected))
            }
            Ok(selected) => return self.shown(&selected, &output)?.print(&mut output),
            Err(Failure::NotInGroup) => Failure::NotInGroup,
            Err(failure) => return Err(failure),
        };
        if self.format().is_a_document() {
            self.render(&[], &output)?.print(&mut output)?;
        }
        Err(nobody)
    }

    /// Whether the output is a table on a terminal.
    fn for_people(&self, output: &Output) -> bool {
        self.format() == Format::Table && output.is_terminal()
    }

    /// The list as printed. On a terminal it says how many members are not shown.
    fn shown(&self, selected: &Selected, output: &Output) -> Result<Rendered, Failure> {
        let mut rendered = self.render(&selected.members, output)?;
        if let Some(note) = self.selection.not_shown(selected).filter(|_| self.for_people(output)) {
            rendered.text += &output.styled(Style::Dim, &note);
            rendered.text.push('\n');
        }
        Ok(rendered)
    }

    fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }

    fn render(&self, members: &[MemberRecord], output: &Output) -> Result<Rendered, Failure> {
        Ok(match self.format() {
            Format::Table => table::render(members, self.tags, output).into(),
            Format::Json => json::render(members)?.into(),
            Format::Csv => csv::render(members).into(),
            Format::Names => names::render(members).into(),
            Format::Hosts => hosts::render(members),
            Format::Ansible => ansible::render(members)?,
            Format::PrometheusSd => {
                let port = Port::Same(self.port.unwrap_or(METRICS_PORT));
                prometheus_sd::render(members, self.port_tag.as_deref().map_or(port, Port::OfTag))?
            }
        })
    }

    /// Prints the list again and again, until the daemon or the reader goes away.
    fn follow(&self, daemon: &Daemon, output: &mut Output) -> Result<(), Failure> {
        let mut shown = None;
        loop {
            let selected = self.selection.fetch(daemon, self.for_people(output))?;
            if output.is_terminal() {
                output.clear_screen()?;
                self.shown(&selected, output)?.print(output)?;
            } else if shown.as_ref() != Some(&selected.members) {
                self.render(&selected.members, output)?.print(output)?;
                shown = Some(selected.members);
            }
            output.pause(WATCH_EVERY)?;
        }
    }
}

/// `address:port`, an IPv6 address in brackets.
fn socket_address(address: &str, port: u16) -> String {
    let host = format::printable(address);
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
