//! The journal, with a stand-in for journalctl.

use super::*;
use memberd_search::{Query, Stopped};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Instant;

/// Scripts are written and run one test at a time: what another thread has open for writing cannot be run.
static TURN: Mutex<()> = Mutex::new(());

struct Fake {
    directory: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Fake {
    /// A journalctl that does this, in the words of sh(1).
    fn new(does: &str) -> Fake {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let fake = Fake { directory: tempfile::tempdir().unwrap(), _turn: turn };
        let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" > \"$0.arguments\"\nset > \"$0.environment\"\n{does}\n");
        fs::write(fake.program(), script).unwrap();
        fs::set_permissions(fake.program(), fs::Permissions::from_mode(0o755)).unwrap();
        fake
    }

    fn program(&self) -> PathBuf {
        self.directory.path().join("journalctl")
    }

    fn arguments(&self) -> Vec<String> {
        let text = fs::read_to_string(self.program().with_extension("arguments")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn search(&self, files: &GrepFiles, output: &mut dyn Output, cancel: &AtomicBool) -> Result<GrepTotals, String> {
        let query = Query { patterns: vec!["error".into()], ..Query::default() };
        let journal = files.journal.clone().unwrap_or_default();
        search(&self.program(), "vm1", &query.compile().unwrap(), (&journal, files), output, cancel)
    }
}

/// Keeps all, and tells of each.
#[derive(Default)]
struct Kept {
    lines: String,
    messages: Vec<String>,
    told: Option<mpsc::Sender<String>>,
}

impl Output for Kept {
    fn lines(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.lines.push_str(&text);
        self.told.as_ref().map_or(Ok(()), |told| told.send(text).map_err(|_| Stopped))
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.messages.push(text);
        Ok(())
    }
}

#[test]
fn the_journal_is_searched_as_a_file_of_that_name() {
    let fake = Fake::new("echo 'a error'; echo 'b'; echo 'c error'");
    let mut kept = Kept::default();
    let totals = fake.search(&GrepFiles::default(), &mut kept, &AtomicBool::new(false)).unwrap();
    assert_eq!(kept.lines, "vm1:journal:a error\nvm1:journal:c error\n");
    assert_eq!((totals.files, totals.lines, totals.errors, totals.bytes), (1, 2, 0, 18));
    assert!(kept.messages.is_empty());
}

#[test]
fn journalctl_gets_fixed_arguments_and_nothing_of_the_environment() {
    let fake = Fake::new("");
    let journal = GrepJournal { units: vec!["--vacuum-size=1".to_owned(), "ssh".to_owned()], priority: Some("err".to_owned()) };
    let files = GrepFiles { journal: Some(journal), since: Some(1_500), until: Some(2_000), ..GrepFiles::default() };
    fake.search(&files, &mut Kept::default(), &AtomicBool::new(false)).unwrap();
    assert_eq!(
        fake.arguments(),
        [
            "--no-pager",
            "--quiet",
            "--utc",
            "--output=short-iso-precise",
            "--unit=--vacuum-size=1",
            "--unit=ssh",
            "--priority=err",
            "--since=@1.500000",
            "--until=@1.999999",
        ]
    );
    let environment = fs::read_to_string(fake.program().with_extension("environment")).unwrap();
    assert!(!environment.contains("HOME=") && !environment.contains("CARGO"), "{environment}");
    let hostile = GrepFiles { journal: Some(GrepJournal { units: vec!["a\0b".to_owned()], priority: None }), ..files };
    assert!(
        fake.search(&hostile, &mut Kept::default(), &AtomicBool::new(false))
            .unwrap_err()
            .ends_with("neither a unit nor a priority")
    );
}

#[test]
fn what_journalctl_complains_of_is_an_error_in_its_words() {
    let fake = Fake::new("echo 'x error'; echo 'Failed to open the journal' >&2; exit 1");
    let mut kept = Kept::default();
    let totals = fake.search(&GrepFiles::default(), &mut kept, &AtomicBool::new(false)).unwrap();
    assert_eq!((totals.lines, totals.errors), (1, 1));
    assert_eq!(kept.messages, ["journal: Failed to open the journal"]);
    let absent = Path::new("/nowhere/journalctl");
    let query = Query::default().compile().unwrap();
    let asked = (&GrepJournal::default(), &GrepFiles::default());
    let error = search(absent, "vm1", &query, asked, &mut kept, &AtomicBool::new(false)).unwrap_err();
    assert!(error.starts_with("the journal cannot be read: /nowhere/journalctl: No such file"), "{error}");
}

#[test]
fn a_journal_that_is_followed_is_told_line_by_line_and_let_go_when_cancelled() {
    // It waits for ever after what it says.
    let fake = Fake::new("echo 'one error'; echo 'two'; exec /bin/sleep 1000");
    let files = GrepFiles { follow: true, ..GrepFiles::default() };
    let (told, hears) = mpsc::channel();
    let cancel = AtomicBool::new(false);
    let started = Instant::now();
    thread::scope(|scope| {
        let searching = scope.spawn(|| fake.search(&files, &mut Kept { told: Some(told), ..Kept::default() }, &cancel));
        assert_eq!(hears.recv_timeout(Duration::from_secs(10)).unwrap(), "vm1:journal:one error\n");
        cancel.store(true, Ordering::Relaxed);
        assert!(searching.join().unwrap().is_err());
    });
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(fake.arguments().ends_with(&["--follow".to_owned(), "--lines=0".to_owned()]));
}

#[test]
fn a_search_that_has_enough_ends_journalctl() {
    let fake = Fake::new("while :; do echo error; done");
    let query = Query { patterns: vec!["error".into()], print: memberd_search::Print::Nothing, ..Query::default() };
    let asked = (&GrepJournal::default(), &GrepFiles::default());
    let search = search(&fake.program(), "vm1", &query.compile().unwrap(), asked, &mut Kept::default(), &AtomicBool::new(false));
    assert_eq!(search.unwrap().errors, 0);
}
