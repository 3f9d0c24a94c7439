//! An event as it is written down: as one line, `2026-11-21T01:20:33.123Z INFO member failed
//! name=vm3 id=vm3@192.0.2.13:8946/1763688033123`, and as an entry of journald.

use jiff::Timestamp;
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// The prefix of the fields that journald gets, left out in lines.
const PREFIX: &str = "memberd_";

/// Between the fields of a journal entry, until it is sent; control characters never stand in
/// values.
pub(super) const FIELD_END: u8 = b'\x1f';

/// The longest text of a journal entry, in bytes: the whole is to fit one datagram, of about 200
/// KiB.
const LONGEST: usize = 32 * 1024;

/// What is written down of an event.
pub(super) struct Record {
    time: Timestamp,
    level: Level,
    /// The message and the fields.
    words: String,
    /// What journald gets beside the words.
    fields: Vec<(&'static str, String)>,
}

impl Record {
    /// An event, now.
    pub(super) fn of(event: &Event) -> Self {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let Parts { message, fields, journal } = parts;
        Record {
            time: Timestamp::now(),
            level: *event.metadata().level(),
            words: message + &fields,
            fields: journal,
        }
    }

    /// The log's own words about itself.
    pub(super) fn notice(level: Level, words: &str) -> Self {
        let mut message = String::new();
        escape(&mut message, words);
        Record { time: Timestamp::now(), level, words: message, fields: Vec::new() }
    }

    /// One line, newline included.
    pub(super) fn line(&self) -> String {
        let time = self.time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        format!("{time} {} {}\n", self.level, self.words)
    }

    /// An entry for journald: level, words and fields, with [`FIELD_END`] after each, and a newline
    /// at the end.
    pub(super) fn journal_entry(&self) -> String {
        let words = self
            .words
            .char_indices()
            .find(|(start, _)| *start > LONGEST)
            .and_then(|(end, _)| self.words.get(..end));
        let words = words.unwrap_or(&self.words);
        let end = char::from(FIELD_END);
        let mut entry = format!("{}{end}{words}{end}", self.level);
        for (name, value) in &self.fields {
            entry.extend([name, "=", value.as_str()]);
            entry.push(end);
        }
        entry.push('\n');
        entry
    }
}

/// The message and the fields as text.
#[derive(Default)]
struct Parts {
    message: String,
    fields: String,
    journal: Vec<(&'static str, String)>,
}

impl Parts {
    fn add(&mut self, field: &Field, value: &str) {
        if field.name() == "message_id" || field.name().starts_with(PREFIX) {
            let mut text = String::new();
            escape(&mut text, value);
            self.journal.push((field.name(), text));
        }
        match field.name() {
            "message" => escape(&mut self.message, value),
            // These are for journald: the words of the line say the same.
            "message_id" | "memberd_event" => {}
            name => {
                self.fields.push(' ');
                self.fields.push_str(name.strip_prefix(PREFIX).unwrap_or(name));
                self.fields.push('=');
                let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=';
                if value.is_empty() || !value.chars().all(plain) {
                    self.fields.push('"');
                    escape(&mut self.fields, &value.replace('\\', "\\\\").replace('"', "\\\""));
                    self.fields.push('"');
                } else {
                    self.fields.push_str(value);
                }
            }
        }
    }
}

/// One event is one line, whatever is in it.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a string does not fail; a value whose own formatting does is left out.
        let _ = write!(text, "{value:?}");
        self.add(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::subscriber::with_default;
    use tracing::{Subscriber, error, info, warn};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    struct Collect(fn(&Record) -> String, Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Collect {
        fn on_event(&self, event: &Event, _: Context<S>) {
            let record = Record {
                time: "2026-11-21T01:20:33.123456Z".parse().unwrap(),
                ..Record::of(event)
            };
            self.1.lock().unwrap().push((self.0)(&record));
        }
    }

    fn written(form: fn(&Record) -> String, log: impl FnOnce()) -> Vec<String> {
        let written = Arc::new(Mutex::new(Vec::new()));
        with_default(tracing_subscriber::registry().with(Collect(form, Arc::clone(&written))), log);
        written.lock().unwrap().clone()
    }

    fn lines(log: impl FnOnce()) -> Vec<String> {
        written(Record::line, log)
    }

    fn joined() -> memberd_membership::MemberEvent {
        let member = memberd_membership::Identity {
            name: memberd_membership::Name::new("vm3").unwrap(),
            address: "192.0.2.13:8946".parse().unwrap(),
            incarnation: memberd_membership::Incarnation(1_763_688_033_123),
        };
        memberd_membership::MemberEvent {
            member,
            kind: memberd_membership::MemberEventKind::Joined,
        }
    }

    #[test]
    fn a_membership_change_has_the_documented_shape() {
        let expected = "2026-11-21T01:20:33.123Z INFO member joined name=vm3 \
        id=vm3@192.0.2.13:8946/1763688033123 \
                        incarnation=1763688033123\n";
        assert_eq!(lines(|| crate::log::member_event(&joined())), [expected]);
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let logged = lines(|| {
            warn!(path = "a b", quote = "say \"x\"\n", empty = "", "first\nsecond");
            info!(number = 3, list = ?[1, 2], "plain");
        });
        assert_eq!(
            logged,
            [
                "2026-11-21T01:20:33.123Z WARN first\\nsecond path=\"a b\" \
                quote=\"say \\\"x\\\"\\n\" empty=\"\"\n",
                "2026-11-21T01:20:33.123Z INFO plain number=3 list=\"[1, 2]\"\n",
            ]
        );
    }

    #[test]
    fn journald_gets_a_membership_change_with_fields_and_the_same_words() {
        let entries = written(Record::journal_entry, || crate::log::member_event(&joined()));
        let expected = "INFO|member joined name=vm3 id=vm3@192.0.2.13:8946/1763688033123 \
        incarnation=1763688033123|\
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        \
                        message_id=095275bdbc6a4466b0eb9cc32a1b7e33|memberd_event=joined|memberd_name=vm3|\
                        memberd_id=vm3@192.0.2.13:8946/1763688033123|memberd_incarnation=1763688033123|\n";
        assert_eq!(entries, [expected.replace('|', "\x1f")]);
    }

    #[test]
    fn no_value_ends_a_field_or_an_entry_of_journald() {
        let entries = written(Record::journal_entry, || {
            error!(memberd_name = "a\nPRIORITY=0\x1fb", "first\nsecond");
        });
        let [entry] = entries.as_slice() else { panic!("{entries:?}") };
        let fields: Vec<&str> =
            entry.trim_end_matches('\n').trim_end_matches('\x1f').split('\x1f').collect();
        let [level, message, name] = fields.as_slice() else { panic!("{fields:?}") };
        assert_eq!(*level, "ERROR");
        assert!(message.starts_with(r"first\nsecond name="), "{message}");
        assert_eq!(*name, r"memberd_name=a\nPRIORITY=0\u{1f}b");
    }

    #[test]
    fn a_very_long_text_is_cut_to_fit_a_datagram() {
        let long = "\u{e9}".repeat(1 << 20);
        let entry = written(Record::journal_entry, || warn!("{long}")).remove(0);
        assert!((LONGEST..LONGEST + 100).contains(&entry.len()), "{}", entry.len());
    }
}
