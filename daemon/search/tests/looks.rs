//! A follow that tells of which file lines are, and each of its looks.

#![cfg(test)]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use memberd_control::grep::{GrepFollow, GrepPosition};
use memberd_search::{ExposedFiles, FileFilter, Output, Query, Selection, Stopped};
use tempfile::TempDir;

/// How long what is waited for may take. It comes far sooner.
const LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Lines(String),
    File(String, i64),
    Positions(Vec<u64>),
    Looked,
}

struct Sent<'s>(&'s Sender<Told>);

impl Sent<'_> {
    fn send(&self, told: Told) -> Result<(), Stopped> {
        self.0.send(told).map_err(|_| Stopped)
    }
}

impl Output for Sent<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.send(Told::Lines(String::from_utf8(bytes).unwrap()))
    }

    fn positions(&mut self, positions: Vec<GrepPosition>, _: bool) -> Result<(), Stopped> {
        self.send(Told::Positions(positions.iter().map(|position| position.offset).collect()))
    }

    fn begin_file(&mut self, path: &Path, modified: i64) {
        let name = path.file_name().unwrap().to_str().unwrap();
        // A test that has failed hears nothing.
        let _ = self.send(Told::File(name.to_owned(), modified));
    }

    fn looked(&mut self) -> Result<(), Stopped> {
        self.send(Told::Looked)
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        panic!("{text}")
    }
}

/// The lines of a file come behind its name, and its position behind them, all within one look.
#[test]
fn each_look_tells_files_lines_and_positions_in_order() {
    let directory = TempDir::new().unwrap();
    let mut files = ["a.log", "b.log"].map(|name| {
        let file = File::create(directory.path().join(name)).unwrap();
        // Without a fraction of a second, every file system keeps it.
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(5)).unwrap();
        (name, file)
    });
    let exposed = ExposedFiles::new(&[directory.path().join("*.log").to_str().unwrap()]).unwrap();
    let search = Query::default()
        .with(|query| {
            query.pattern.patterns = vec!["x".into()];
            query.printing.no_names = true;
        })
        .compile()
        .unwrap();
    let (sender, told) = channel();
    let cancel = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let followed = scope.spawn(|| {
            let (filter, from) = (&FileFilter::default(), Some(&GrepFollow::default()));
            let (exposed, output_file, tells_looks) = (&exposed, None, true);
            let selection = Selection { exposed, filter, output_file, from, tells_looks };
            search.follow("m", selection, &mut Sent(&sender), &cancel)
        });
        let next = || told.recv_timeout(LIMIT).unwrap();
        let next_but_looks = || std::iter::repeat_with(next).find(|told| *told != Told::Looked);
        assert_eq!(next(), Told::Positions(vec![0, 0]), "both are followed");
        assert_eq!(next(), Told::Looked);
        for (name, file) in &mut files {
            file.write_all(b"an x\nnone\nx\n").unwrap();
            let Some(Told::File(found, modified)) = next_but_looks() else { panic!("no file") };
            assert!(found == *name && modified > 5_000, "{found} {modified}");
            assert_eq!(next(), Told::Lines("an x\nx\n".to_owned()));
            assert_eq!(next(), Told::Positions(vec![12]));
            assert_eq!(next(), Told::Looked);
        }
        cancel.store(true, Ordering::Relaxed);
        assert!(followed.join().unwrap().interrupted);
    });
}
