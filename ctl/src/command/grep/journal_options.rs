//! The options of `--journal`, as journalctl(1) has them. Its `-b` is `--boot` only, since GNU grep
//! has that letter.

use memberd_control::grep::GrepJournal;

use super::flags::FleetOption;

/// The options about the journal that were parsed so far.
#[derive(Debug, Default)]
pub(super) struct JournalOptions {
    is_given: bool,
    selection: GrepJournal,
    /// The first option that needs `--journal`.
    first: Option<&'static str>,
}

impl JournalOptions {
    /// Whether the journal is searched.
    pub(super) fn is_given(&self) -> bool {
        self.is_given
    }

    /// Adds an option, with its argument if it has one. The options of files are ignored.
    ///
    /// # Errors
    /// When the argument has no valid value.
    pub(super) fn take(&mut self, option: FleetOption, value: String) -> Result<(), String> {
        let selection = &mut self.selection;
        let name = match option {
            FleetOption::Unit => {
                selection.units.push(value);
                "-u"
            }
            FleetOption::Priority => {
                selection.priority = Some(priority(value)?);
                "-p"
            }
            FleetOption::Identifier => {
                selection.identifiers.push(value);
                "-t"
            }
            FleetOption::Boot => {
                selection.boot = Some(boot(value)?);
                "--boot"
            }
            FleetOption::Dmesg => {
                selection.dmesg = true;
                "-k"
            }
            FleetOption::UserUnit => {
                selection.user_units.push(user_unit(value)?);
                "--user-unit"
            }
            FleetOption::Facility => {
                selection.facilities.push(facilities(value)?);
                "--facility"
            }
            FleetOption::Namespace => {
                selection.namespace = Some(namespace(value)?);
                "--namespace"
            }
            _ => {
                self.is_given |= option == FleetOption::Journal;
                return Ok(());
            }
        };
        self.first.get_or_insert(name);
        Ok(())
    }

    /// Takes the operands that are `FIELD=VALUE`. Others stay.
    pub(super) fn take_matches(&mut self, operands: &mut Vec<String>) {
        let is_match = |text: &mut String| GrepJournal::is_match(text);
        self.selection.matches = operands.extract_if(.., is_match).collect();
    }

    /// The selected part of the journal, if the journal is searched.
    ///
    /// # Errors
    /// When options need `--journal` and it was not given, or when two of them exclude each other.
    pub(super) fn take_selection(self) -> Result<Option<GrepJournal>, String> {
        let GrepJournal { units, user_units, .. } = &self.selection;
        match self.first {
            Some(option) if !self.is_given => Err(format!("option '{option}' needs '--journal'")),
            _ if !units.is_empty() && !user_units.is_empty() => {
                Err("option '-u' cannot be combined with '--user-unit'".to_owned())
            }
            _ => Ok(self.is_given.then_some(self.selection)),
        }
    }
}

/// A priority as journalctl(1) takes it: a syslog level by name or number, or `FROM..TO`.
fn priority(text: String) -> Result<String, String> {
    const LEVELS: [&str; 16] = [
        "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "0", "1", "2", "3",
        "4", "5", "6", "7",
    ];
    let known = match text.split_once("..") {
        Some((from, to)) => LEVELS.contains(&from) && LEVELS.contains(&to),
        None => LEVELS.contains(&text.as_str()),
    };
    known.then_some(()).ok_or_else(|| {
        format!("invalid priority '{text}': one of {}, or FROM..TO", LEVELS[..8].join(", "))
    })?;
    Ok(text)
}

/// A boot as journalctl(1) takes it. Without a value the current one is meant.
fn boot(text: String) -> Result<String, String> {
    match text.is_empty() {
        true => Ok("0".to_owned()),
        false if GrepJournal::is_boot(&text) => Ok(text),
        false => Err(format!(
            "invalid boot '{text}': -1 for the one before the current one, 1 for the first, or \
            an id"
        )),
    }
}

/// A unit of a user's service manager, without globs.
fn user_unit(text: String) -> Result<String, String> {
    match text.contains(['*', '?', '[']) {
        false => Ok(text),
        true => Err(format!("invalid unit '{text}': '--user-unit' takes no glob")),
    }
}

/// Syslog facilities as journalctl(1) takes them.
fn facilities(text: String) -> Result<String, String> {
    match GrepJournal::is_facilities(&text) {
        true => Ok(text),
        false => Err(format!(
            "invalid facility '{text}': names such as auth,authpriv,local0, or numbers from 0 to 23"
        )),
    }
}

/// A namespace as journalctl(1) takes it.
fn namespace(text: String) -> Result<String, String> {
    match GrepJournal::is_namespace(&text) {
        true => Ok(text),
        false => Err(format!("invalid namespace '{text}': NAME, +NAME or *")),
    }
}
