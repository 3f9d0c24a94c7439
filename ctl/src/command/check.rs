//! `memberctl check [FILE]`: has memberd check its settings, or show them.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::exit::{Exit, Failure};
use crate::format;
use crate::json;
use crate::output::Output;
use crate::program;

/// Checks settings with the daemon's own loader.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 the settings are good, 1 they are not. Each problem is printed \
    with its file, line and key. A warning is no problem of the settings: it names missing \
    introducers, one that has no address now, a glob that finds only links, a unit bound to \
    memberd-leader.service that may outlive the lease, or what this machine does not have yet.

--effective also shows what is not in the file: defaults, and what is derived, such as the name \
from the host name. A running daemon may still have other values: memberctl reload tells which. \
An object of --json has file and settings. Each of these has key, value (null without one), and \
source: file with line, default, or derived with from."
)]
pub(crate) struct Check {
    /// The settings file
    #[arg(default_value = "/etc/memberd/memberd.toml")]
    file: PathBuf,

    /// Print nothing if the settings are good
    #[arg(long, short)]
    quiet: bool,

    /// Print each setting, its value, and where it comes from
    #[arg(long, conflicts_with = "quiet")]
    effective: bool,

    /// Print the settings as a JSON object
    #[arg(long, requires = "effective")]
    json: bool,
}

impl Check {
    /// Runs `memberd --check`, which prints what is wrong, and says so if nothing is.
    pub(super) fn run(&self) -> Result<(), Failure> {
        let Some(program) = program::memberd() else {
            return Err(Failure::new(
                Exit::Failed,
                "found no memberd beside memberctl, in /usr/sbin or in PATH: install it",
            ));
        };
        let mut command = Command::new(&program);
        command.arg("--check").arg("--config").arg(&self.file);
        // The settings may be /dev/stdin.
        command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
        if self.effective {
            command.arg("--effective");
        }
        let ended = command.output().map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("cannot start {}: {error}: install it again", program.display()),
            )
        })?;
        if !ended.status.success() {
            return Err(Failure::Reported);
        }
        let said = String::from_utf8_lossy(&ended.stdout);
        let file = self.file.display().to_string();
        let mut output = Output::new();
        match (self.effective, self.json) {
            (true, true) => output.object(&json::Settings::of(&file, settings(&said))),
            (true, false) => output.text(&table(settings(&said).collect())),
            (false, _) if self.quiet => Ok(()),
            (false, _) => {
                output.line(&format!("the settings in {} are good", format::printable(&file)))
            }
        }
    }
}

/// The key, the value and the origin of each setting that memberd prints.
fn settings(said: &str) -> impl Iterator<Item = [&str; 3]> {
    said.lines().filter_map(|line| {
        let mut fields = line.splitn(3, '\t');
        Some([fields.next()?, fields.next()?, fields.next()?])
    })
}

/// An aligned table. The values come last, since they may be long.
fn table(settings: Vec<[&str; 3]>) -> String {
    let titles = std::iter::once(["SETTING", "VALUE", "FROM"]);
    let rows: Vec<[String; 3]> = titles
        .chain(settings)
        .map(|[key, value, origin]| {
            [key, origin, if value == "null" { "not set" } else { value }].map(format::printable)
        })
        .collect();
    let widths = [0, 1].map(|column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    let [first, second] = widths;
    let lines = rows
        .iter()
        .map(|[key, origin, value]| format!("{key:first$}  {origin:second$}  {value}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "node.name\t\"vm3\"\t/etc/m.toml:2\nmetrics.listen\tnull\tdefault\n";

    #[test]
    fn the_table_has_a_line_for_each_setting() {
        assert_eq!(
            table(settings(SAID).collect()),
            "SETTING         FROM           VALUE\n\
             node.name       /etc/m.toml:2  \"vm3\"\n\
             metrics.listen  default        not set\n"
        );
    }

    #[test]
    fn the_object_has_values_and_sources() {
        let object = json::object(&json::Settings::of("/etc/m.toml", settings(SAID))).unwrap();
        assert_eq!(
            object,
            "{\"schema\":1,\"file\":\"/etc/m.toml\",\"settings\":[\
             {\"key\":\"node.name\",\"value\":\"vm3\",\"source\":\"file\",\"line\":2},\
             {\"key\":\"metrics.listen\",\"value\":null,\"source\":\"default\"}]}\n"
        );
    }
}
