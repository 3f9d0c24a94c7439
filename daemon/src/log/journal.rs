//! Sends records to journald, and owns the connection. The writing thread turns each record into an
//! event for tracing-journald. So a hanging journald delays nobody else, and one place lists its
//! fields (systemd.journal-fields(7)).

use super::record::Record;
use super::target::{Failed, Target};
use std::io;
use std::sync::Arc;
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, dispatcher, event};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The tracing target of these events only.
const AGAIN: &str = "memberd::log::again";

/// This machine's journald.
pub(super) struct Journal {
    subscriber: Dispatch,
}

impl Journal {
    /// Connects to journald.
    ///
    /// # Errors
    /// When journald does not run.
    pub(super) fn connect() -> io::Result<Self> {
        // The priorities have the meaning that syslog(3) gives them.
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

    /// Sends records. The result does not say whether journald took them.
    fn write(&mut self, records: &[Arc<Record>]) -> Result<(), Failed> {
        dispatcher::with_default(&self.subscriber, || {
            for record in records {
                send(record);
            }
        });
        Ok(())
    }
}

/// Makes an event of a record. Events have a fixed set of fields. Fields without a value are left
/// out.
fn send(record: &Record) {
    let message = record.journal_message();
    let field = |name: &str| record.journal_field(name);
    macro_rules! send_at {
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
                memberd_user = field("memberd_user"),
                memberd_uid = field("memberd_uid"),
                memberd_socket = field("memberd_socket"),
                memberd_member = field("memberd_member"),
                memberd_from = field("memberd_from"),
                memberd_outcome = field("memberd_outcome"),
                memberd_options = field("memberd_options"),
                memberd_files = field("memberd_files"),
                memberd_pattern = field("memberd_pattern"),
                memberd_by = field("memberd_by"),
                memberd_suspected_by = field("memberd_suspected_by"),
                memberd_last_sent_ms = field("memberd_last_sent_ms"),
                memberd_after_ms = field("memberd_after_ms"),
                memberd_told_by = field("memberd_told_by"),
                memberd_to = field("memberd_to"),
                memberd_view = field("memberd_view"),
                memberd_term = field("memberd_term"),
                memberd_leader = field("memberd_leader"),
                memberd_added = field("memberd_added"),
                memberd_removed = field("memberd_removed"),
                memberd_operations = field("memberd_operations"),
                memberd_missing = field("memberd_missing"),
                "{message}"
            )
        };
    }
    match record.level() {
        Level::ERROR => send_at!(Level::ERROR),
        Level::WARN => send_at!(Level::WARN),
        Level::INFO => send_at!(Level::INFO),
        Level::DEBUG => send_at!(Level::DEBUG),
        Level::TRACE => send_at!(Level::TRACE),
    }
}

/// Keeps the journal's subscriber from seeing other events.
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
    use std::sync::Mutex;
    use tracing::field::{Field, Visit};
    use tracing::{error, info};

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

    /// Stores all events as records.
    struct Records(Arc<Mutex<Vec<Arc<Record>>>>);

    impl<S: Subscriber> Layer<S> for Records {
        fn on_event(&self, event: &Event, _: Context<S>) {
            self.0.lock().unwrap().push(Arc::new(Record::of(event)));
        }
    }

    #[test]
    fn each_record_is_sent_with_its_level_message_and_fields() {
        let records = Arc::new(Mutex::new(Vec::new()));
        let subscriber = tracing_subscriber::registry().with(Records(Arc::clone(&records)));
        dispatcher::with_default(&Dispatch::new(subscriber), || {
            info!(memberd_event = "failed", memberd_name = "vm3", "member failed");
            info!(memberd_tags = "role=web", "member tagged");
            info!(memberd_suspected_by = "vm2", memberd_last_sent_ms = 9, "member suspected");
            info!(memberd_told_by = "vm2", memberd_to = 9, "failure told");
            error!("disk full");
        });
        let sent = Arc::new(Mutex::new(Vec::new()));
        let mut journal = Journal::to(Journald(Arc::clone(&sent)));
        journal.write(&records.lock().unwrap()).unwrap();
        assert_eq!(
            *sent.lock().unwrap(),
            [
                "INFO|message=member failed \
                name=vm3|memberd_event=\"failed\"|memberd_name=\"vm3\"|",
                "INFO|message=member tagged tags=\"role=web\"|memberd_tags=\"role=web\"|",
                "INFO|message=member suspected suspected_by=vm2 \
                last_sent_ms=9|memberd_suspected_by=\"vm2\"|memberd_last_sent_ms=\"9\"|",
                "INFO|message=failure told told_by=vm2 \
                to=9|memberd_told_by=\"vm2\"|memberd_to=\"9\"|",
                "ERROR|message=disk full|"
            ]
        );
    }

    #[test]
    fn the_journals_subscriber_sees_nothing_else() {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let journal = Journal::to(Journald(Arc::clone(&sent)));
        dispatcher::with_default(&journal.subscriber, || info!("of another"));
        assert!(sent.lock().unwrap().is_empty());
    }
}
