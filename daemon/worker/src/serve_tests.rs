use super::*;
use crate::{AskError, Counts, OpenFile, Told, ask};
use memberd_control::frame::write_frame;
use memberd_control::grep::GrepPattern;
use memberd_streams::{Gather, Limits, Plan, Query, Value};
use std::fs::File;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use tempfile::TempDir;

const QUERY: &str = "x | count";

struct Worker {
    directory: TempDir,
}

/// A worker that waits for questions until the tests end. So no test has to be quick.
fn worker(users: Vec<u32>) -> Worker {
    let directory = TempDir::new().unwrap();
    let listener = bind(&directory.path().join("socket")).unwrap();
    let settings = Settings { users, idle: None };
    std::thread::spawn(move || serve(&listener, &settings));
    Worker { directory }
}

/// A worker that ends soon after its last question, and the first one, which has no end.
struct Ending {
    worker: Worker,
    first: UnixStream,
    thread: JoinHandle<io::Result<()>>,
}

fn ending() -> Ending {
    let worker = Worker { directory: TempDir::new().unwrap() };
    let listener = bind(&worker.socket()).unwrap();
    // It is there before the worker looks for one.
    let mut first = UnixStream::connect(worker.socket()).unwrap();
    write_frame(&mut first, &question()).unwrap();
    let settings = Settings { users: own(), idle: Some(Duration::from_millis(100)) };
    let thread = std::thread::spawn(move || serve(&listener, &settings));
    Ending { worker, first, thread }
}

impl Ending {
    /// Takes the first question back, and waits for the worker's end.
    fn end(self) {
        drop(self.first);
        self.thread.join().unwrap().unwrap();
    }
}

fn own() -> Vec<u32> {
    vec![rustix::process::geteuid().as_raw()]
}

fn question() -> Question {
    let patterns = vec![b"x".to_vec()];
    Question {
        member: "vm1".to_owned(),
        query: QUERY.to_owned(),
        pattern: GrepPattern { patterns, ..GrepPattern::default() },
        groups: 10,
        threads: 2,
        ..Question::default()
    }
}

impl Worker {
    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn file(&self, name: &str, text: &[u8]) -> PathBuf {
        let path = self.directory.path().join(name);
        File::create(&path).unwrap().write_all(text).unwrap();
        path
    }

    /// Asks about these files, a batch for each.
    fn ask(&self, question: &Question, files: &[PathBuf]) -> (Result<Counts, AskError>, Vec<Told>) {
        let (mut files, mut told) = (files.iter(), Vec::new());
        let next = || {
            let open =
                |path: &PathBuf| OpenFile { path: path.clone(), file: File::open(path).unwrap() };
            files.next().map(open).into_iter().collect()
        };
        let take = |what| {
            told.push(what);
            Ok(())
        };
        let counts = ask(&self.socket(), question, next, take, &AtomicBool::new(false));
        (counts, told)
    }
}

/// The number in the answer's first row.
fn count(told: &[Told]) -> String {
    let plan = Arc::new(Plan::new(&Query::parse(QUERY).unwrap()).unwrap());
    let mut gather = Gather::new(plan, Limits { groups: 10, bytes: 1 << 20 });
    for told in told {
        if let Told::Partial(bytes) = told {
            gather.partial("vm1", bytes).unwrap();
        }
    }
    let rows = gather.finish().unwrap().rows;
    match rows.first().and_then(|row| row.values.last()) {
        Some(Value::Number(number)) => number.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn lines_of_all_files_are_counted() {
    let worker = worker(own());
    // Large enough for several chunks, which two threads share.
    let many = b"a line with an x\nand one without\n".repeat(100_000);
    let files = [
        worker.file("many", &many),
        worker.file("nul", b"x\0\nx"),
        worker.file("none", b"nothing\n"),
    ];
    let (counts, told) = worker.ask(&question(), &files);
    let counts = counts.unwrap();
    assert_eq!((counts.files, counts.lines, counts.errors), (3, 100_002, 0));
    assert_eq!(counts.bytes, many.len() as u64 + 4 + 8);
    assert_eq!(count(&told), "100002");
}

#[test]
fn a_worker_ends_after_its_last_question() {
    let ending = ending();
    let (counts, told) = ending.worker.ask(&question(), &[ending.worker.file("log", b"x\n")]);
    assert_eq!((counts.unwrap().lines, count(&told).as_str()), (1, "1"));
    ending.end();
}

#[test]
fn a_window_of_time_is_counted_as_grep_would() {
    let worker = worker(own());
    let text = b"2026-11-21T01:20:33Z x\n x\n2026-11-21T01:20:35Z x\n2026-11-21T01:20:36Z x\n";
    let files = [worker.file("log", text)];
    let (since, until) = (Some(1_795_224_033_000), Some(1_795_224_036_000));
    let (counts, told) = worker.ask(&Question { since, until, ..question() }, &files);
    assert_eq!(counts.unwrap().lines, 3);
    assert_eq!(count(&told), "3");
}

/// Any file can be handed over, but only regular ones are read.
#[test]
fn what_cannot_be_read_is_told_and_is_an_error() {
    let worker = worker(own());
    let files = [worker.directory.path().to_owned(), worker.file("log", b"x\n")];
    let (counts, told) = worker.ask(&question(), &files);
    assert_eq!((counts.unwrap().errors, count(&told).as_str()), (1, "1"));
    let words = format!("{}: is not a regular file", worker.directory.path().display());
    assert!(told.contains(&Told::Message(words)), "{told:?}");
}

#[test]
fn a_long_line_is_counted_once() {
    let worker = worker(own());
    let long = [b"x".repeat(5 << 20), b"\nx\n".to_vec()].concat();
    let longer = [b"x".repeat(9 << 20), b"\nx\n".to_vec()].concat();
    let (counts, told) = worker.ask(&question(), &[worker.file("long", &long)]);
    assert_eq!((counts.unwrap().errors, count(&told).as_str()), (0, "2"));
    let (counts, told) = worker.ask(&question(), &[worker.file("longer", &longer)]);
    assert_eq!((counts.unwrap().errors, count(&told).as_str()), (1, "1"));
}

#[test]
fn a_bad_question_is_refused_in_words() {
    let worker = worker(own());
    let refused = |question| match worker.ask(&question, &[]).0 {
        Err(AskError::Refused(words)) => words,
        other => panic!("{other:?}"),
    };
    let mut bad = question();
    bad.pattern.patterns = vec![b"\\(".to_vec()];
    assert!(refused(bad).contains("Unmatched"));
    assert!(!refused(Question { query: "count".to_owned(), ..question() }).contains('\n'));
}

#[test]
fn other_users_are_refused() {
    let worker = worker(vec![u32::MAX - 1]);
    let words = worker.ask(&question(), &[]).0.unwrap_err().to_string();
    assert_eq!(words, "its worker answers memberd alone");
}

#[test]
fn who_is_not_there_is_told_apart() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    let said = || {
        let never = AtomicBool::new(false);
        ask(&path, &question(), Vec::new, |_| Ok(()), &never).unwrap_err().to_string()
    };
    assert_eq!(said(), "streams are off there (no memberd-worker.socket)");
    drop(bind(&path).unwrap());
    assert_eq!(
        said(),
        "its worker does not start: see systemctl status memberd-worker.socket there"
    );
    let listener = bind(&path).unwrap();
    let thread = std::thread::spawn(move || drop(listener.accept()));
    assert_eq!(said(), "the worker ended (out of memory?)");
    thread.join().unwrap();
}

/// A worker without questions ends. Who asks it then asks the next one.
#[test]
fn a_question_that_meets_the_end_is_asked_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    let listener = bind(&path).unwrap();
    let settings = Settings { users: own(), idle: None };
    std::thread::spawn(move || {
        drop(listener.accept());
        serve(&listener, &settings)
    });
    let asked = ask(&path, &question(), Vec::new, |_| Ok(()), &AtomicBool::new(false));
    assert_eq!(asked.unwrap(), Counts::default());
}

/// The worker does not answer, and waits for files.
#[test]
fn a_question_that_is_not_wanted_any_more_ends() {
    let ending = ending();
    let cancel = AtomicBool::new(false);
    let next = || {
        cancel.store(true, Ordering::Relaxed);
        vec![OpenFile { path: "/dev/zero".into(), file: File::open("/dev/zero").unwrap() }]
    };
    let asked = ask(&ending.worker.socket(), &question(), next, |_| Ok(()), &cancel);
    assert!(matches!(asked, Err(AskError::Stopped)));
    ending.end();
}

#[test]
fn paths_are_bytes() {
    let worker = worker(own());
    let path = worker.directory.path().join(std::ffi::OsStr::from_bytes(b"\xff"));
    std::fs::write(&path, "x\n").unwrap();
    assert_eq!(count(&worker.ask(&question(), &[path]).1), "1");
}

/// What does not fit is said by name, and nothing is cut.
#[test]
fn too_many_groups_are_told() {
    let worker = worker(own());
    let text: String = (0..100).map(|number| format!("x n={number}\n")).collect();
    let files = [worker.file("log", text.as_bytes())];
    let query = "x | logfmt | count by n".to_owned();
    let asked = |groups, bytes| {
        let question = Question { query: query.clone(), groups, bytes, ..question() };
        worker.ask(&question, &files).0
    };
    assert_eq!(asked(100, 0).unwrap().lines, 100);
    let groups = asked(99, 0).unwrap_err().to_string();
    assert!(groups.contains("99 groups"), "{groups}");
    let bytes = asked(100, 100).unwrap_err().to_string();
    assert!(bytes.contains("100 bytes") && !bytes.contains("worker"), "{bytes}");
    // The worker has given back what it took.
    assert_eq!(asked(100, 0).unwrap().lines, 100);
}

/// Windows are those of the lines' own times, whichever thread has found them.
#[test]
fn lines_count_in_the_windows_of_their_times() {
    let worker = worker(own());
    let line = |second: usize| format!("2026-11-21T01:20:{second:02}Z x\n");
    let text: String = (0..60_000).map(|number| line(number % 60)).collect();
    let files = [worker.file("log", text.as_bytes()), worker.file("other", line(7).as_bytes())];
    let query = "x | count every 10s";
    let question = Question { query: query.to_owned(), ..question() };
    let (counts, told) = worker.ask(&question, &files);
    assert_eq!(counts.unwrap().lines, 60_001);
    let plan = Arc::new(Plan::new(&Query::parse(query).unwrap()).unwrap());
    let mut gather = Gather::new(plan, Limits { groups: 10, bytes: 1 << 20 });
    for told in told {
        if let Told::Partial(bytes) = told {
            gather.partial("vm1", &bytes).unwrap();
        }
    }
    let rows: Vec<String> = gather
        .finish()
        .unwrap()
        .rows
        .iter()
        .map(|row| match row.values.as_slice() {
            [Value::Time(window), Value::Number(count)] => format!("{window} {count}"),
            other => panic!("{other:?}"),
        })
        .collect();
    let windows = (0..6_i64).map(|window| {
        let begins = 1_795_224_000_000 + window * 10_000;
        format!("{begins} {}", 10_000 + i64::from(window == 0))
    });
    assert_eq!(rows, windows.collect::<Vec<_>>());
}
