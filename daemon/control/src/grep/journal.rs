//! Selects a part of the journal, with the options of journalctl(1).

use crate::bounded::at_most;
use serde::{Deserialize, Serialize};
use std::ops::Not as _;

/// The most values of one option in one search.
const MAX_VALUES: usize = 1024;

/// Selects a part of the journal. The fields after the first two are left out of an encoded request
/// when they select nothing, so that older programs get what they know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrepJournal {
    /// `-u`: these units only, in the syntax of journalctl(1).
    #[serde(deserialize_with = "at_most::<_, _, MAX_VALUES>")]
    pub units: Vec<String>,
    /// `-p`: this priority and more important ones, in the syntax of journalctl(1).
    pub priority: Option<String>,
    /// `--identifier`: these syslog identifiers only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "at_most::<_, _, MAX_VALUES>")]
    pub identifiers: Vec<String>,
    /// `--boot`: this boot only, see [`GrepJournal::is_boot`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// `--dmesg`: messages of the kernel only, of the current boot unless `boot` names another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dmesg: bool,
    /// `--user-unit`: these units of users' own service managers only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "at_most::<_, _, MAX_VALUES>")]
    pub user_units: Vec<String>,
    /// `--facility`: these syslog facilities only, see [`GrepJournal::is_facilities`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "at_most::<_, _, MAX_VALUES>")]
    pub facilities: Vec<String>,
    /// `--namespace`: the journals of this namespace instead of the default one, see
    /// [`GrepJournal::is_namespace`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// `FIELD=VALUE`: entries with these fields only, see [`GrepJournal::is_match`]. Several values
    /// of one field are alternatives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(deserialize_with = "at_most::<_, _, MAX_VALUES>")]
    pub matches: Vec<String>,
}

/// The syslog facilities (syslog(3)), from number 0 on. Those without a name have none.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

impl GrepJournal {
    /// The first option that programs before 0.2 do not know. They would leave it out.
    pub(super) fn narrowing_option(&self) -> Option<&'static str> {
        let GrepJournal { identifiers, boot, dmesg, user_units, .. } = self;
        let GrepJournal { facilities, namespace, matches, .. } = self;
        let options = [
            ("--identifier", identifiers.is_empty().not()),
            ("--boot", boot.is_some()),
            ("--dmesg", *dmesg),
            ("--user-unit", user_units.is_empty().not()),
            ("--facility", facilities.is_empty().not()),
            ("--namespace", namespace.is_some()),
            ("FIELD=VALUE", matches.is_empty().not()),
        ];
        options.into_iter().find_map(|(option, given)| given.then_some(option))
    }

    /// Whether a text names a boot: `all`, an offset such as `-1` from the current boot or `1` from
    /// the first, or an id of 32 hexadecimal digits with or without an offset.
    pub fn is_boot(text: &str) -> bool {
        let (id, offset) = match text.split_at_checked(32) {
            Some((id, offset)) if id.bytes().all(|byte| byte.is_ascii_hexdigit()) => (id, offset),
            _ => ("", text),
        };
        let digits = offset.strip_prefix(['+', '-']);
        let number = digits.or(id.is_empty().then_some(offset)).unwrap_or_default();
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        text == "all" || is_number && number.len() <= 6 || offset.is_empty() && !id.is_empty()
    }

    /// Whether a text lists syslog facilities: names or numbers with commas between.
    pub fn is_facilities(text: &str) -> bool {
        text.split(',').all(|word| {
            let is_number = || word.parse().is_ok_and(|number: usize| number < FACILITIES.len());
            !word.is_empty() && (FACILITIES.contains(&word) || is_number())
        })
    }

    /// Whether a text names journals: a namespace, `*` for all journals, or `+` before a namespace
    /// for that and the default one.
    pub fn is_namespace(text: &str) -> bool {
        text == "*" || Self::is_namespace_name(text.strip_prefix('+').unwrap_or(text))
    }

    /// Whether a text is the name of one namespace (systemd.exec(5), `LogNamespace=`), of up to 128
    /// letters, digits and `_.:-`.
    pub fn is_namespace_name(text: &str) -> bool {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
        (1..=128).contains(&text.len()) && text.bytes().all(is_part)
    }

    /// Whether a text is `FIELD=VALUE` with the name of a field that journald stores
    /// (systemd.journal-fields(7)): up to 64 capital letters, digits and underscores, not a digit
    /// first. Names with two underscores first are addresses of entries and match nothing.
    pub fn is_match(text: &str) -> bool {
        let is_part = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
        text.split_once('=').is_some_and(|(field, _)| {
            let starts_well = field.starts_with(|first: char| !first.is_ascii_digit());
            starts_well
                && !field.starts_with("__")
                && field.len() <= 64
                && field.bytes().all(is_part)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boots_facilities_and_matches_are_known() {
        let id = "0123456789abcdef0123456789ABCDEF";
        let with_offset = format!("{id}-1");
        for boot in ["0", "-0", "-1", "+2", "12", "all", id, &with_offset] {
            assert!(GrepJournal::is_boot(boot), "{boot}");
        }
        let (short, long) = (&id[1..], format!("{id}1"));
        for boot in ["", "-", "+", "--file=x", "1 ", "x", "-1-1", "1234567", "ALL", short, &long] {
            assert!(!GrepJournal::is_boot(boot), "{boot}");
        }
        for list in ["kern", "auth,authpriv", "0", "23", "local7,4"] {
            assert!(GrepJournal::is_facilities(list), "{list}");
        }
        for list in ["", "help", "kern,", "24", "-1", "KERN", "kern user"] {
            assert!(!GrepJournal::is_facilities(list), "{list}");
        }
        for name in ["web", "a.b_c:d-e", "+web", "*"] {
            assert!(GrepJournal::is_namespace(name), "{name}");
        }
        for name in ["", "+", "++a", "a/b", "../x", "a*", "a b", "+*"] {
            assert!(!GrepJournal::is_namespace(name), "{name}");
        }
        for text in ["_PID=1", "MESSAGE_ID=", "A=b=c", "A1=--x"] {
            assert!(GrepJournal::is_match(text), "{text}");
        }
        let long = format!("{}=", "A".repeat(65));
        for text in ["", "=x", "PID", "pid=1", "1A=x", "__CURSOR=x", "A B=x", "-A=x", "+", &long] {
            assert!(!GrepJournal::is_match(text), "{text}");
        }
    }

    #[test]
    fn only_options_that_older_programs_leave_out_are_named() {
        let known = GrepJournal {
            units: vec!["a".to_owned()],
            priority: Some("err".to_owned()),
            ..GrepJournal::default()
        };
        assert_eq!(known.narrowing_option(), None);
        let narrowed = GrepJournal { dmesg: true, matches: vec!["A=b".to_owned()], ..known };
        assert_eq!(narrowed.narrowing_option(), Some("--dmesg"));
    }
}
