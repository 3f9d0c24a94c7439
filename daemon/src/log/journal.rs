//! journald: entries are told as events once more, to tracing-journald, on the thread that writes.
//! So a journald that hangs holds up nobody else, and what it gets (systemd.journal-fields(7)) is
//! made in one place.

use super::record::FIELD_END;
use super::target::Target;
use std::io;
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, dispatcher, event};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The target of events that are told once more, and of no others.
const AGAIN: &str = "memberd::log::again";

/// This machine's journald.
pub(super) struct Journal {
    subscriber: Dispatch,
}

impl Journal {
    /// Finds it.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn connect() -> io::Result<Self> {
        // syslog(3)'s meaning of the levels.
        let priorities = PriorityMappings {
            error: Priority::Error,
            warn: Priority::Warning,
            info: Priority::Informational,
            debug: Priority::Debug,
            trace: Priority::Debug,
        };
        let journald =
            tracing_journald::layer()?.with_field_prefix(None).with_priority_mappings(priorities);
        Ok(Journal::to(journald.with_syslog_identifier("memberd".to_owned())))
    }

    fn to(layer: impl Layer<Registry> + Send + Sync) -> Self {
        Journal {
            subscriber: Dispatch::new(tracing_subscriber::registry().with(layer).with(OnlyAgain)),
        }
    }
}

impl Target for Journal {
    fn name(&self) -> String {
        "journald".to_owned()
    }

    /// journald itself takes care of its files.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Sends one entry, which ends with the first newline. Whether journald took it is not known.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length =
            bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
        let entry = bytes.get(..length).unwrap_or_default().strip_suffix(b"\n").unwrap_or_default();
        let entry = String::from_utf8_lossy(entry);
        let mut fields = entry.split(char::from(FIELD_END));
        if let (Some(level), Some(words)) =
            (fields.next().and_then(|level| level.parse().ok()), fields.next())
        {
            let fields: Vec<(&str, &str)> =
                fields.filter_map(|field| field.split_once('=')).collect();
            dispatcher::with_default(&self.subscriber, || tell(level, words, &fields));
        }
        Ok(length)
    }
}

/// Tells an entry. Events have their fields fixed; those without a value are left out.
fn tell(level: Level, words: &str, fields: &[(&str, &str)]) {
    let field =
        |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
    macro_rules! tell_at {
        ($level:expr) => {
            event!(
                target: AGAIN,
                $level,
                message_id = field("message_id"),
                memberd_event = field("memberd_event"),
                memberd_name = field("memberd_name"),
                memberd_id = field("memberd_id"),
                memberd_incarnation = field("memberd_incarnation"),
                memberd_noticed_by = field("memberd_noticed_by"),
                memberd_silent_ms = field("memberd_silent_ms"),
                memberd_reason = field("memberd_reason"),
                memberd_tags = field("memberd_tags"),
                "{words}"
            )
        };
    }
    match level {
        Level::ERROR => tell_at!(Level::ERROR),
        Level::WARN => tell_at!(Level::WARN),
        Level::INFO => tell_at!(Level::INFO),
        Level::DEBUG => tell_at!(Level::DEBUG),
        Level::TRACE => tell_at!(Level::TRACE),
    }
}

/// Keeps the journal's subscriber from having a say in what else is logged.
struct OnlyAgain;

impl<S: Subscriber> Layer<S> for OnlyAgain {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if metadata.target() == AGAIN { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata, _: Context<S>) -> bool {
        metadata.target() == AGAIN
    }

    fn event_enabled(&self, event: &Event, _: Context<S>) -> bool {
        event.metadata().target() == AGAIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::{self, Write};
    use std::sync::{Arc, Mutex};
    use tracing::field::{Field, Visit};
    use tracing::info;

    struct Journald(Arc<Mutex<Vec<String>>>);

    struct Fields(String);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            write!(self.0, "{}={value:?}|", field.name()).unwrap();
        }
    }

    impl<S: Subscriber> Layer<S> for Journald {
        fn on_event(&self, event: &Event, _: Context<S>) {
            let mut fields = Fields(format!("{}|", event.metadata().level()));
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0);
        }
    }

    #[test]
    fn each_entry_is_told_with_its_level_its_words_and_its_fields() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut journal = Journal::to(Journald(Arc::clone(&told)));
        let entries = b"INFO\x1fmember failed \
        name=vm3\x1fmemberd_event=failed\x1fmemberd_name=vm3\x1f\nINFO\x1fmember \
        tagged\x1fmemberd_tags=role=web\x1f\n\
            ERROR\x1fdisk full\x1f\n";
        let mut written = 0;
        while written < entries.len() {
            written += journal.write(&entries[written..]).unwrap();
        }
        assert_eq!(
            *told.lock().unwrap(),
            [
                "INFO|message=member failed \
                name=vm3|memberd_event=\"failed\"|memberd_name=\"vm3\"|",
                "INFO|message=member tagged|memberd_tags=\"role=web\"|",
                "ERROR|message=disk full|"
            ]
        );
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut journal = Journal::to(Journald(Arc::clone(&told)));
        for entry in [&b"\n"[..], b"words\n", b"LOUD\x1fwords\x1f\n", b"INFO\n"] {
            assert_eq!(journal.write(entry).unwrap(), entry.len());
        }
        assert!(told.lock().unwrap().is_empty());
    }

    #[test]
    fn the_journals_subscriber_sees_nothing_else() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let journal = Journal::to(Journald(Arc::clone(&told)));
        dispatcher::with_default(&journal.subscriber, || info!("of another"));
        assert!(told.lock().unwrap().is_empty());
    }
}
