//! Carries out `memberd --check`: says what is wrong with the settings, and warns of what this
//! machine does not have yet. It owns no state.

mod bound_units;

use crate::config::{Config, ConfigError, Origin, Setting};
use crate::exit;
use crate::resolve::{Own, resolve};
use memberd_search::{FileFilter, NEVER, ONLY_LINKS};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// What becomes of a machine whose settings name nobody to join.
const FOUNDS: &str = "not set, so this machine founds a new group when it joins and remembers no \
members: set the same introducers on all machines, also on the first";

/// Prints the problems of the settings on standard error, and returns the exit status. Warnings do
/// not count: the same settings are good as soon as the network is there.
///
/// `loaded` are the settings, and the text of their file. With the path of that file, it prints on
/// standard output what each of them is.
pub fn report(loaded: Result<(Config, String), ConfigError>, effective: Option<&Path>) -> ExitCode {
    let (lines, status) = match loaded {
        Ok((config, text)) => {
            if let Some(file) = effective {
                print_settings(config.origins(&text), file);
            }
            (warnings(&config), ExitCode::SUCCESS)
        }
        Err(ConfigError { lines, only_not_yet: true }) if effective.is_none() => {
            (lines, ExitCode::SUCCESS)
        }
        Err(ConfigError { lines, only_not_yet }) => {
            for line in lines {
                eprintln!("memberd: {line}");
            }
            // What is not there yet has no value that could be printed.
            return if only_not_yet {
                ExitCode::FAILURE
            } else {
                ExitCode::from(exit::BAD_SETTINGS)
            };
        }
    };
    for line in lines {
        eprintln!("memberd: warning: {line}");
    }
    status
}

/// Prints a line for each setting: the key, the value, and where it comes from.
fn print_settings(settings: Vec<(Setting, Origin)>, file: &Path) {
    let mut output = io::stdout().lock();
    for (Setting { key, value }, origin) in settings {
        let value = value.as_deref().unwrap_or("null");
        let origin = match origin {
            Origin::Line(line) => format!("{}:{line}", file.display()),
            Origin::Default => "default".to_owned(),
            Origin::Derived(from) => format!("derived from {from}"),
        };
        // A reader that has gone has read enough.
        let _ = writeln!(output, "{key}\t{value}\t{origin}");
    }
}

/// Missing introducers, those without an address, the globs that find only links, those that find
/// what is never searched, and units that may outlive the leader's lease. Addresses of the machine
/// are not looked at, since settings are often checked elsewhere. For the same reason a glob that
/// finds nothing is none of the warnings.
fn warnings(config: &Config) -> Vec<String> {
    let found = config.offer().map(|offer| offer.files(&FileFilter::default())).unwrap_or_default();
    let mut warnings: Vec<String> =
        found.only_links.iter().map(|glob| format!("logs.files: {glob}: {ONLY_LINKS}")).collect();
    let never = found.problems.iter().filter(|problem| problem.reason.starts_with(NEVER));
    warnings.extend(never.map(|problem| {
        format!("logs.files: {problem}: every search of it ends with an error; narrow the glob")
    }));
    if config.introducers.is_empty() {
        warnings.push(format!("group.introducers: {FOUNDS}"));
    }
    if config.agreement.enabled {
        warnings.extend(bound_units::warnings(Path::new(bound_units::UNITS)));
    }
    if config.files.webhdfs.is_some() && !config.files.enabled {
        let why = "nothing is served there: set files.enabled = true, or take it out";
        warnings.push(format!("files.webhdfs: {why}"));
    }
    let own = Own { address: config.address, name: config.name.to_string() };
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let resolved = runtime.block_on(resolve(&config.introducers, &own));
            // A resolver that hangs must not delay the end.
            runtime.shutdown_background();
            let problems = resolved.problems.into_iter();
            warnings.extend(problems.map(|problem| format!("group.introducers: {problem}")));
        }
        Err(error) => warnings.push(format!("the introducers are not looked up: {error}")),
    }
    warnings
}
