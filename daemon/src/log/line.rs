//! An event as one line: `2026-11-21T01:20:33.123Z INFO member failed name=vm3 id=vm3@192.0.2.13:8946/1763688033123`.

use super::writer::Writer;
use jiff::Timestamp;
use std::fmt::{self, Write};
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// The prefix of the fields that journald gets, left out in lines.
const PREFIX: &str = "memberd_";

/// Makes lines of events and hands them to the writer.
pub(super) struct LineLayer {
    writer: Arc<Writer>,
}

impl LineLayer {
    pub(super) fn new(writer: Arc<Writer>) -> Self {
        LineLayer { writer }
    }
}

impl<S: Subscriber> Layer<S> for LineLayer {
    fn on_event(&self, event: &Event, _: Context<S>) {
        self.writer.write(&line(Timestamp::now(), event));
    }
}

fn line(time: Timestamp, event: &Event) -> String {
    let mut parts = Parts::default();
    event.record(&mut parts);
    let Parts { message, fields } = parts;
    whole(time, event.metadata().level().as_str(), &format!("{message}{fields}"))
}

/// The log's own words about itself, in the shape of every line.
pub(super) fn notice(level: &str, words: &str) -> String {
    let mut message = String::new();
    escape(&mut message, words);
    whole(Timestamp::now(), level, &message)
}

fn whole(time: Timestamp, level: &str, words: &str) -> String {
    let time = time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    format!("{time} {level} {words}\n")
}

/// The message and the fields as text.
#[derive(Default)]
struct Parts {
    message: String,
    fields: String,
}

impl Parts {
    fn add(&mut self, field: &Field, value: &str) {
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
    use std::sync::Mutex;
    use tracing::subscriber::with_default;
    use tracing::{info, warn};
    use tracing_subscriber::layer::SubscriberExt;

    struct Collect(Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Collect {
        fn on_event(&self, event: &Event, _: Context<S>) {
            let time = "2026-11-21T01:20:33.123456Z".parse().unwrap();
            self.0.lock().unwrap().push(line(time, event));
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<String> {
        let lines = Arc::new(Mutex::new(Vec::new()));
        with_default(tracing_subscriber::registry().with(Collect(Arc::clone(&lines))), log);

        lines.lock().unwrap().clone()
    }

    #[test]
    fn a_membership_change_has_the_documented_shape() {
        let member = memberd_ring::Identity {
            name: memberd_ring::Name::new("vm3").unwrap(),
            address: "192.0.2.13:8946".parse().unwrap(),
            incarnation: memberd_ring::Incarnation(1_763_688_033_123),
        };
        let event = memberd_ring::MemberEvent { member, kind: memberd_ring::MemberEventKind::Joined };
        let expected = "2026-11-21T01:20:33.123Z INFO member joined name=vm3 id=vm3@192.0.2.13:8946/1763688033123 \
                        incarnation=1763688033123\n";
        assert_eq!(lines(|| crate::log::member_event(&event)), [expected]);
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
                "2026-11-21T01:20:33.123Z WARN first\\nsecond path=\"a b\" quote=\"say \\\"x\\\"\\n\" empty=\"\"\n",
                "2026-11-21T01:20:33.123Z INFO plain number=3 list=\"[1, 2]\"\n",
            ]
        );
    }
}
