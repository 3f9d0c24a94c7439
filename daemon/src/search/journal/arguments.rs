//! Makes the arguments of journalctl(1). It owns no state.
//!
//! Another machine has sent the values. Each stands behind the name of its option, or begins with
//! the name of a field. So none can be an option itself.

use super::boot::Boot;
use super::export::FIELDS;
use memberd_control::grep::GrepJournal;

/// The most values of one option.
const MAX_VALUES: usize = 256;

/// The longest value in bytes, which is also the longest name of a unit in systemd.
const MAX_VALUE_BYTES: usize = 256;

/// The fields with which a unit of a user is written about: those of the unit itself, of its
/// manager, of its crashes, and of programs that report on it (systemd.journal-fields(7)).
const USER_UNIT_FIELDS: [&str; 4] =
    ["_SYSTEMD_USER_UNIT", "USER_UNIT", "COREDUMP_USER_UNIT", "OBJECT_SYSTEMD_USER_UNIT"];

/// The arguments of journalctl for a search.
///
/// # Errors
/// When a value cannot be one of its option. The error is one line.
pub(super) fn arguments(
    journal: &GrepJournal,
    this: &Boot,
    since_us: Option<u64>,
    follow: bool,
) -> Result<Vec<String>, String> {
    check(journal)?;
    let GrepJournal { units, priority, identifiers, dmesg, user_units, .. } = journal;
    let mut arguments: Vec<String> =
        ["--no-pager", "--quiet", "--output=export"].map(str::to_owned).to_vec();
    arguments.push(format!("--output-fields={FIELDS}"));
    let mut option = |name: &str, value: &str| arguments.push(format!("--{name}={value}"));
    units.iter().for_each(|unit| option("unit", unit));
    priority.iter().for_each(|priority| option("priority", priority));
    identifiers.iter().for_each(|identifier| option("identifier", identifier));
    journal.facilities.iter().for_each(|facility| option("facility", facility));
    journal.namespace.iter().for_each(|namespace| option("namespace", namespace));
    if let Some(since_us) = since_us {
        option("since", &moment(since_us));
    }
    if *dmesg {
        arguments.push("--dmesg".to_owned());
    }
    // Behind --dmesg, which means the current boot unless another one is named.
    arguments.extend(boot(journal, follow, this).map(|boot| format!("--boot={boot}")));
    if follow {
        arguments.extend(["--follow", "--no-tail"].map(str::to_owned));
    }
    arguments.extend(matches(user_units, &journal.matches));
    Ok(arguments)
}

/// The boot that is named to journalctl, if any. Of this one it gets the id, if it would take
/// another boot for it. With --dmesg, and with --follow too, it takes none but this one.
fn boot<'b>(journal: &'b GrepJournal, follow: bool, this: &'b Boot) -> Option<&'b str> {
    let named = journal.boot.as_deref();
    let is_this = named.map_or(journal.dmesg || follow, |boot| matches!(boot, "0" | "-0" | "+0"));
    this.hidden().filter(|_| is_this).or(named)
}

/// The matches of fields. A plus sign stands between alternatives, and each of them has all
/// matches that were asked for. journalctl's own --user-unit finds only units of its own user.
fn matches(user_units: &[String], matches: &[String]) -> Vec<String> {
    if user_units.is_empty() {
        return matches.to_vec();
    }
    let alternatives = USER_UNIT_FIELDS.map(|field| {
        let units = user_units.iter().map(|unit| format!("{field}={}", with_suffix(unit)));
        units.chain(matches.iter().cloned()).collect::<Vec<_>>()
    });
    alternatives.join(&"+".to_owned())
}

/// The whole name of a unit: without a suffix a service is meant, as in journalctl.
fn with_suffix(unit: &str) -> String {
    const SUFFIXES: [&str; 11] = [
        ".automount",
        ".device",
        ".mount",
        ".path",
        ".scope",
        ".service",
        ".slice",
        ".socket",
        ".swap",
        ".target",
        ".timer",
    ];
    let has_suffix = SUFFIXES.iter().any(|suffix| unit.ends_with(suffix));
    if has_suffix { unit.to_owned() } else { format!("{unit}.service") }
}

/// Refuses values that no option can have.
fn check(journal: &GrepJournal) -> Result<(), String> {
    let GrepJournal { units, priority, identifiers, boot, user_units, .. } = journal;
    let GrepJournal { facilities, namespace, matches, .. } = journal;
    let texts = |values: &[String], option: &str, what: &str| {
        if values.len() > MAX_VALUES {
            return Err(format!("{option}: more than {MAX_VALUES} values: give fewer"));
        }
        let bad = |value: &&String| {
            value.is_empty() || value.len() > MAX_VALUE_BYTES || value.contains(char::is_control)
        };
        match values.iter().find(bad) {
            Some(value) => Err(format!("{value:?}: not a {what}")),
            None => Ok(()),
        }
    };
    texts(units, "-u", "unit")?;
    texts(priority.as_slice(), "-p", "priority")?;
    texts(identifiers, "--identifier", "syslog identifier")?;
    texts(user_units, "--user-unit", "unit of a user")?;
    texts(facilities, "--facility", "facility")?;
    texts(matches, "FIELD=VALUE", "match of a field")?;
    let is_glob = |unit: &&String| unit.contains(['*', '?', '[']);
    if let Some(unit) = user_units.iter().find(is_glob) {
        return Err(format!("{unit:?}: --user-unit takes no glob"));
    }
    if let Some(list) = facilities.iter().find(|list| !GrepJournal::is_facilities(list)) {
        return Err(format!("{list:?}: not a facility"));
    }
    if let Some(boot) = boot.as_ref().filter(|boot| !GrepJournal::is_boot(boot)) {
        return Err(format!("{boot:?}: not a boot"));
    }
    if let Some(name) = namespace.as_ref().filter(|name| !GrepJournal::is_namespace(name)) {
        return Err(format!("{name:?}: not a namespace of the journal"));
    }
    match matches.iter().find(|text| !GrepJournal::is_match(text)) {
        Some(text) => Err(format!("{text:?}: not a match of a field: write FIELD=VALUE")),
        None => Ok(()),
    }
}

/// A moment in the format of systemd.time(7): seconds since the epoch. No journal is older than the
/// epoch.
fn moment(time_us: u64) -> String {
    format!("@{}.{:06}", time_us / 1_000_000, time_us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::super::boot::tests::hidden;
    use super::*;

    #[test]
    fn this_boot_has_its_id_where_journalctl_takes_another_one() {
        let id = "0123456789abcdef0123456789abcdef";
        let named = |boot: Option<&str>, dmesg, follow, this: &Boot| {
            let boot = boot.map(str::to_owned);
            let journal = GrepJournal { boot, dmesg, ..GrepJournal::default() };
            let arguments = arguments(&journal, this, None, follow).unwrap();
            let named = arguments.iter().find_map(|word| word.strip_prefix("--boot="));
            named.map(str::to_owned)
        };
        let (plain, hidden) = (Boot::of_this_machine(), hidden(id));
        for (boot, dmesg, follow, expected) in [
            (None, false, false, None),
            (None, true, false, Some(id)),
            (None, false, true, Some(id)),
            (Some("0"), false, false, Some(id)),
            (Some("-0"), true, false, Some(id)),
            (Some("-1"), true, true, Some("-1")),
            (Some("all"), false, false, Some("all")),
        ] {
            assert_eq!(named(boot, dmesg, follow, &hidden).as_deref(), expected, "{boot:?}");
            assert_eq!(named(boot, dmesg, follow, &plain).as_deref(), boot, "{boot:?}");
        }
    }
}
