//! `memberctl stream watch`: prints the rows of a job as they come. It owns the pace.

use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use memberd_control::streams::StreamState;

use super::ask;
use super::rows::Shape;
use super::sink::Row;
use super::sink_file::SinkFile;
use crate::connection::Daemon;
use crate::exit::{Exit, Failure, print_message};
use crate::format;
use crate::interrupted;
use crate::output::Output;

/// How long to wait at the end of the sink.
const PAUSE: Duration = Duration::from_millis(500);

/// After how long without a row the job is asked whether it runs.
const QUIET: Duration = Duration::from_secs(10);

/// Prints the rows.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A row is a line: its number, when its window begins, the keys, the figures and the revision, with \
a tab between. Rows come once their window has closed. If late lines change a row, it comes again \
with a larger revision: the last revision of a window and key is exact. If the query has top or \
sort, all rows of the window come again instead: those with its last revision count. A row whose \
second column is gap says which bytes of which file were lost before they were counted.

Each row is printed once. At the end of watch, standard error says with which --from the next one \
goes on, so that no row is missed and none comes twice. The rows are those of the sink, which \
memberctl file cat prints as well.

An object of --json has schema, type (row), seq, rev and row, which has a field for each column as \
with stats: window in milliseconds since 1970, keys as texts, figures as numbers or null. \
estimates has the names of columns with a ~. An object of type gap has seq, member, file, bytes \
(FROM-TO), partition and reason.

It ends with status 0 once the job was cancelled, and with 1 if the job has stopped.")]
pub(crate) struct Watch {
    /// The job
    #[arg(value_name = "NAME", value_parser = ask::name)]
    name: String,

    /// The number of the first row; the first one of all is 0
    #[arg(long, value_name = "SEQ", default_value_t)]
    from: u64,

    /// Print a JSON object for each row
    #[arg(long)]
    json: bool,
}

impl Watch {
    /// Prints them until the job ends.
    pub(super) fn run(&self, daemon: &Daemon) -> Result<(), Failure> {
        let next = Arc::new(Mutex::new(self.from));
        let (told, name) = (Arc::clone(&next), self.name.clone());
        interrupted::before_the_end(move || tell_next(&name, &told));
        let status = ask::status(daemon, &self.name)?;
        let mut watching = Watching {
            daemon,
            sink: SinkFile::new(status.job.sink, self.from),
            printer: Printer::new(self.json, &status.job.query)?,
            next: Arc::clone(&next),
            is_over: false,
        };
        let ended = watching.until_ended(&self.name);
        let is_over = watching.is_over || matches!(ended, Err(Failure::OutputClosed));
        if !is_over {
            tell_next(&self.name, &next);
        }
        ended
    }
}

/// How a job has ended, by the last line of its sink: `# stopped SEQ REASON`, or `# cancelled SEQ`.
fn end(name: &str, line: &str) -> Result<(), Failure> {
    let words = line.trim_start_matches("# ");
    match words.strip_prefix("stopped ") {
        Some(stopped) => {
            let reason = stopped.split_once(' ').map_or("nobody says why", |(_, reason)| reason);
            Err(Failure::new(Exit::Failed, format!("{name} has stopped: {reason}")))
        }
        None => {
            print_message(&format!("{name} has ended: {words}"));
            Ok(())
        }
    }
}

/// Says where another watch goes on. If a row is being printed, that is waited for, but not for
/// long: its reader may have stopped reading.
fn tell_next(name: &str, next: &Mutex<u64>) {
    for _ in 0..100 {
        if let Ok(next) = next.try_lock() {
            let next = *next;
            let line = format!("to go on from here: memberctl stream watch {name} --from {next}");
            return print_message(&line);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// A sink that is read as it grows.
struct Watching<'d> {
    daemon: &'d Daemon,
    sink: SinkFile,
    printer: Printer,
    /// The number of the first row that was not printed. It is locked while a row is printed.
    next: Arc<Mutex<u64>>,
    /// The sink has its last line.
    is_over: bool,
}

impl Watching<'_> {
    fn until_ended(&mut self, name: &str) -> Result<(), Failure> {
        let mut quiet_since = Instant::now();
        loop {
            let before = self.sink.offset();
            if let Some(line) = self.read()? {
                self.is_over = true;
                return end(name, &String::from_utf8_lossy(&line));
            }
            if self.sink.offset() != before {
                quiet_since = Instant::now();
                continue;
            }
            if quiet_since.elapsed() >= QUIET {
                self.check_state(name)?;
                quiet_since = Instant::now();
            }
            self.printer.output.pause(PAUSE)?;
        }
    }

    /// Prints what has been written since. Returns the line that ends the sink, if it is there.
    fn read(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let Watching { daemon, sink, printer, next, .. } = self;
        sink.read(daemon, |row| {
            let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
            printer.print(row)?;
            printer.output.flush()?;
            *next = row.number.saturating_add(1);
            Ok(())
        })
    }

    /// Ends if no row can come any more.
    fn check_state(&self, name: &str) -> Result<(), Failure> {
        let job = ask::status(self.daemon, name)?.job;
        if job.state != StreamState::Stopped {
            return Ok(());
        }
        let reason = job.reason.unwrap_or_else(|| "nobody says why".to_owned());
        Err(Failure::new(Exit::Failed, format!("{name} has stopped: {reason}")))
    }
}

/// Prints rows as people or programs read them.
struct Printer {
    output: Output,
    /// For JSON.
    shape: Option<Shape>,
    is_terminal: bool,
}

impl Printer {
    fn new(json: bool, query: &str) -> Result<Printer, Failure> {
        let shape = json.then(|| Shape::of(query)).transpose().map_err(|error| {
            let words = format!("the query of this job needs a newer memberctl: {error}");
            Failure::new(Exit::Version, words)
        })?;
        let is_terminal = std::io::stdout().is_terminal();
        Ok(Printer { output: Output::new(), shape, is_terminal })
    }

    fn print(&mut self, row: &Row) -> Result<(), Failure> {
        if let Some(shape) = &self.shape {
            let object = shape.object(row)?.ok_or_else(|| {
                let words = format!("row {} has other columns than the query", row.number);
                Failure::new(Exit::Failed, words)
            })?;
            return self.output.bytes(object.as_bytes());
        }
        // A log may have anything in it, so a terminal gets no control characters.
        let safe = self.is_terminal.then(|| {
            let text = String::from_utf8_lossy(&row.text);
            text.split('\t').map(format::printable).collect::<Vec<_>>().join("\t")
        });
        self.output.bytes(safe.as_ref().map_or(row.text.as_slice(), String::as_bytes))?;
        self.output.bytes(b"\n")
    }
}
