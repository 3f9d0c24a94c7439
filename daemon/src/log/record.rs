//! One event of the log, in its two forms. A [`Record`] owns both: the line
//! `2026-11-21T01:20:33.123Z INFO member failed name=vm3 id=vm3@192.0.2.13:8946/1763688033123`, and
//! journald's entry with fields.

use jiff::Timestamp;
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// The prefix of journald's fields. Lines leave it out.
const PREFIX: &str = "memberd_";

/// The longest message for journald, in bytes. The whole entry must fit into one datagram of about
/// 200 KiB.
const LONGEST_MESSAGE: usize = 32 * 1024;

/// The bytes of a line that are not its message: time, level, spaces and newline.
const LINE_OVERHEAD: usize = 32;

/// A field of a record: its name in the journal, without capitals, and its value.
pub type LogField = (&'static str, String);

/// One event of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    time: Timestamp,
    level: Level,
    /// The event's message, and its fields as text.
    message: String,
    /// What only the file of searches has, after the message. No other line is of a search.
    private: Option<String>,
    /// The fields for journald, in addition to the message.
    fields: Vec<LogField>,
}

impl Record {
    /// Creates an event with the present time.
    pub(super) fn of(event: &Event) -> Self {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let Parts { message, fields, journal } = parts;
        Record {
            time: Timestamp::now(),
            level: *event.metadata().level(),
            message: message + &fields,
            private: None,
            fields: journal,
        }
    }

    /// Creates the record of a search, at level info. `shown` are fields of all its forms. `hidden`
    /// are in no line that members may search.
    pub(super) fn of_search(message: &str, shown: &[LogField], hidden: &[LogField]) -> Self {
        let (mut open, mut private) = (Parts::default(), Parts::default());
        open.message.push_str(message);
        for (parts, fields) in [(&mut open, shown), (&mut private, hidden)] {
            fields.iter().for_each(|(name, value)| parts.add(name, value));
        }
        Record {
            time: Timestamp::now(),
            level: Level::INFO,
            message: open.message + &open.fields,
            private: Some(private.fields),
            fields: [open.journal, private.journal].concat(),
        }
    }

    /// Creates a message of the log about itself.
    pub(super) fn notice(level: Level, text: &str) -> Self {
        let mut message = String::new();
        escape(&mut message, text);
        Record { time: Timestamp::now(), level, message, private: None, fields: Vec::new() }
    }

    /// The event as one line, with the newline.
    pub(super) fn line(&self) -> String {
        self.line_with("")
    }

    /// The same, with what only the file of searches has.
    pub(super) fn full_line(&self) -> String {
        self.line_with(self.private.as_deref().unwrap_or_default())
    }

    fn line_with(&self, private: &str) -> String {
        let time = self.time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
        format!("{time} {} {}{private}\n", self.level, self.message)
    }

    /// Whether it belongs into the file of searches, and not into `machine.i.log`.
    pub(super) fn is_of_search(&self) -> bool {
        self.private.is_some()
    }

    /// The level of the event.
    pub(super) fn level(&self) -> Level {
        self.level
    }

    /// The message for journald. A very long one is cut.
    pub(super) fn journal_message(&self) -> &str {
        let mut ends = self.message.char_indices().map(|(start, _)| start);
        let cut = ends.find(|end| *end > LONGEST_MESSAGE).and_then(|end| self.message.get(..end));
        cut.unwrap_or(&self.message)
    }

    /// The value of a field for journald, if the event has it.
    pub(super) fn journal_field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }

    /// The bytes of memory that the event counts for while it waits in a queue.
    pub(super) fn size(&self) -> usize {
        let fields: usize = self.fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        let private = self.private.as_ref().map_or(0, String::len);
        LINE_OVERHEAD + self.message.len() + private + fields
    }
}

/// The message and the fields as text.
#[derive(Default)]
struct Parts {
    message: String,
    fields: String,
    journal: Vec<LogField>,
}

impl Parts {
    fn add(&mut self, name: &'static str, value: &str) {
        if name == "message_id" || name.starts_with(PREFIX) {
            let mut text = String::new();
            escape(&mut text, value);
            self.journal.push((name, text));
        }
        match name {
            "message" => escape(&mut self.message, value),
            // Only journald gets these fields. The message of the line has the same information.
            "message_id" | "memberd_event" => {}
            name => {
                self.fields.push(' ');
                // In a line, a view is said by its number.
                let shown = if name == "memberd_view" { "number" } else { name };
                self.fields.push_str(shown.strip_prefix(PREFIX).unwrap_or(shown));
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

/// One event is one line, even if its text has control characters.
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
        self.add(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a string does not fail. A value whose formatting fails is left out.
        let _ = write!(text, "{value:?}");
        self.add(field.name(), &text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::subscriber::with_default;
    use tracing::{Subscriber, error, info, warn};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    struct Collect(Arc<Mutex<Vec<Record>>>);

    impl<S: Subscriber> Layer<S> for Collect {
        fn on_event(&self, event: &Event, _: Context<S>) {
            let time = "2026-11-21T01:20:33.123456Z".parse().unwrap();
            self.0.lock().unwrap().push(Record { time, ..Record::of(event) });
        }
    }

    fn records(log: impl FnOnce()) -> Vec<Record> {
        let records = Arc::new(Mutex::new(Vec::new()));
        let collect = Collect(Arc::clone(&records));
        with_default(tracing_subscriber::registry().with(collect), log);
        records.lock().unwrap().clone()
    }

    fn lines(log: impl FnOnce()) -> Vec<String> {
        records(log).iter().map(Record::line).collect()
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
            told_by: None,
        }
    }

    #[test]
    fn a_membership_change_has_the_documented_shape() {
        let expected = "2026-11-21T01:20:33.123Z INFO member joined name=vm3 \
            id=vm3@192.0.2.13:8946/1763688033123 incarnation=1763688033123\n";
        assert_eq!(lines(|| crate::log::member_event(&joined())), [expected]);
    }

    /// The log shows the way of the news: who noticed a failure, and who told this machine.
    #[test]
    fn the_lines_of_a_failure_and_of_a_refutation_name_the_others() {
        use memberd_membership::{Event, FailureEvidence, MemberEventKind, Name};
        let named = |name| Name::new(name).unwrap();
        let mut failed = joined();
        let evidence = FailureEvidence { detected_by: named("vm1"), silent_ms: 1_751 };
        failed.kind = MemberEventKind::Failed(evidence);
        failed.told_by = Some(named("vm2"));
        let (member, by) = (failed.member.clone(), named("vm4"));
        let last_sent = std::time::Duration::from_millis(4_100);
        let refuted = Event::Refuted { member: member.clone(), by, last_sent };
        let told = Event::FailureTold { member, told: vec![named("vm5"), named("vm6")] };
        let lines = lines(|| {
            crate::log::member_event(&failed);
            [refuted, told].iter().for_each(crate::log::detection);
        });
        let of_vm3 = "name=vm3 id=vm3@192.0.2.13:8946/1763688033123 incarnation=1763688033123";
        let expected = [
            format!("INFO member failed {of_vm3} noticed_by=vm1 silent_ms=1751 told_by=vm2"),
            format!("INFO suspicion refuted {of_vm3} suspected_by=vm4 last_sent_ms=4100"),
            format!("INFO failure told {of_vm3} to=2"),
            "DEBUG failure told to a member name=vm3 to=vm5".to_owned(),
            "DEBUG failure told to a member name=vm3 to=vm6".to_owned(),
        ];
        let expected = expected.map(|line| format!("2026-11-21T01:20:33.123Z {line}\n"));
        assert_eq!(lines, expected);
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
    fn journald_gets_a_membership_change_with_its_fields() {
        let records = records(|| crate::log::member_event(&joined()));
        let [record] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(record.level(), Level::INFO);
        let message =
            "member joined name=vm3 id=vm3@192.0.2.13:8946/1763688033123 incarnation=1763688033123";
        assert_eq!(record.journal_message(), message);
        let fields: Vec<(&str, &str)> =
            record.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let expected = [
            ("message_id", "095275bdbc6a4466b0eb9cc32a1b7e33"),
            ("memberd_event", "joined"),
            ("memberd_name", "vm3"),
            ("memberd_id", "vm3@192.0.2.13:8946/1763688033123"),
            ("memberd_incarnation", "1763688033123"),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn no_value_of_a_journal_field_has_control_characters() {
        let records = records(|| {
            error!(memberd_name = "a\nPRIORITY=0\x1fb", "first\nsecond");
        });
        let [record] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(record.level(), Level::ERROR);
        let message = record.journal_message();
        assert!(message.starts_with(r"first\nsecond name="), "{message}");
        let fields = [("memberd_name", r"a\nPRIORITY=0\u{1f}b".to_owned())];
        assert_eq!(record.fields, fields);
        assert_eq!(record.journal_field("memberd_name"), Some(r"a\nPRIORITY=0\u{1f}b"));
        assert_eq!(record.journal_field("memberd_id"), None);
    }

    #[test]
    fn a_very_long_message_is_cut_to_fit_a_datagram() {
        let long = "\u{e9}".repeat(1 << 20);
        let record = records(|| warn!("{long}")).remove(0);
        let length = record.journal_message().len();
        assert!((LONGEST_MESSAGE..LONGEST_MESSAGE + 100).contains(&length), "{length}");
    }

    #[test]
    fn only_the_file_of_searches_and_a_field_have_the_pattern() {
        let shown = [("memberd_event", "searched".to_owned()), ("memberd_user", "a b".to_owned())];
        let hidden = [("memberd_pattern", "x\u{1b}y\n\"z".to_owned())];
        let record = Record::of_search("logs searched", &shown, &hidden);
        assert!(record.is_of_search());
        assert!(record.line().ends_with("Z INFO logs searched user=\"a b\"\n"), "{record:?}");
        assert_eq!(record.journal_message(), "logs searched user=\"a b\"");
        let ending = "Z INFO logs searched user=\"a b\" pattern=\"x\\u{1b}y\\n\\\"z\"\n";
        assert!(record.full_line().ends_with(ending), "{record:?}");
        assert_eq!(record.journal_field("memberd_pattern"), Some("x\\u{1b}y\\n\"z"));
    }

    #[test]
    fn a_record_counts_for_at_least_its_line() {
        let mut records = records(|| {
            error!("long level");
            info!(memberd_name = "vm3", "with a field");
        });
        records.push(Record::of_search("logs searched", &[], &[("pattern", "x".to_owned())]));
        for record in records {
            assert!(record.size() >= record.full_line().len(), "{record:?}");
        }
    }
}
