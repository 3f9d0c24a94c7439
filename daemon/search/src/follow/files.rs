//! What is written to files from now on.
//!
//! Files are known by device and inode, not by name: one that is renamed is read on under the name
//! by which it was found, and the one that takes its place is new. One that is gone, or is not
//! offered under its new name, is read on for a while, as whoever writes it may not know yet. A
//! file that is shorter than before, or does not have before the end what it had, was truncated.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::file::Followed;
use crate::files::{Narrow, Offer, OfferedFile, is_rotated_of, reason};
use crate::output::{Output, Stopped};
use crate::print::{OutputBuffer, Printer};
use crate::scan::{ChunkSink, Failure, MemorySearcher, PageBuffer, ScanError, TextSize};
use crate::schedule::{Event, Job};
use crate::search::Totals;

/// The most files that are followed at once: so many are open.
pub(crate) const MAX_FOLLOWED: usize = 256;

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(100);

/// After how many looks at the files their names are looked at as well.
const LOOKS_PER_SCAN: u32 = 5;

/// How long a file is read on that is not there any more under a name that is offered, after
/// something was last written to it.
const GRACE: Duration = Duration::from_secs(5);

/// Follows what `offer` and `narrow` give, until cancelled or stopped.
pub(crate) fn follow(job: &Job<'_>, offer: &Offer, narrow: &Narrow, found: &SyncSender<Event>) {
    let mut output = Sent(found);
    let printer = Printer::new(
        &job.search.query,
        job.search.extents.as_ref(),
        job.budget,
        OutputBuffer::new(&mut output),
    );
    let mut follow = Follow {
        job,
        printer: RefCell::new(printer),
        memory: MemorySearcher::new(job.search, &job.search.engine, job.budget),
        buffer: PageBuffer::default(),
        files: BTreeMap::new(),
        printed: None,
        told: BTreeSet::new(),
        totals: Totals::default(),
    };
    // It ends only so.
    let Err(Stopped) = follow.run(offer, narrow);
    let totals = Totals { interrupted: true, ..follow.totals };
    // Nobody may be waiting any more.
    let _ = found.send(Event::End(totals));
}

/// The output of the thread that follows.
struct Sent<'s>(&'s SyncSender<Event>);

impl Output for Sent<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.0.send(Event::Lines(bytes)).map_err(|_| Stopped)
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.0.send(Event::Message(text)).map_err(|_| Stopped)
    }
}

struct Follow<'f> {
    job: &'f Job<'f>,
    printer: RefCell<Printer<'f, 'f>>,
    memory: MemorySearcher<'f>,
    buffer: PageBuffer,
    files: BTreeMap<(u64, u64), Followed>,
    /// The file of which something was printed last.
    printed: Option<(u64, u64)>,
    /// What was complained about already; at most [`MAX_FOLLOWED`].
    told: BTreeSet<PathBuf>,
    totals: Totals,
}

impl Follow<'_> {
    fn run(&mut self, offer: &Offer, narrow: &Narrow) -> Result<Infallible, Stopped> {
        self.scan(offer, narrow, true)?;
        loop {
            for _ in 0..LOOKS_PER_SCAN {
                if self.job.cancel.load(Ordering::Relaxed) {
                    return Err(Stopped);
                }
                sleep(EVERY);
                self.look()?;
            }
            self.scan(offer, narrow, false)?;
        }
    }

    /// Looks at which files there are. At first they are followed from their ends, later ones from
    /// their beginnings.
    fn scan(&mut self, offer: &Offer, narrow: &Narrow, first: bool) -> Result<(), Stopped> {
        let found = offer.files(narrow);
        for problem in found.problems {
            self.tell(&problem.path, &problem.reason)?;
        }
        let mut there = BTreeSet::new();
        let mut new = Vec::new();
        for file in &found.files {
            match file.identity() {
                Ok(Some(identity)) => {
                    there.insert(identity);
                    new.extend((!self.files.contains_key(&identity)).then_some(file));
                }
                Ok(None) => {}
                Err(error) => self.tell(file.path(), &reason(&error))?,
            }
        }
        for file in new {
            if self.files.len() >= MAX_FOLLOWED {
                self.tell(
                    file.path(),
                    &format!("{MAX_FOLLOWED} files are followed already: name fewer"),
                )?;
                break;
            }
            // What is rotated away by copying was read under its own name.
            if first || !found.files.iter().any(|other| is_rotated_of(file.path(), other.path())) {
                self.begin(file, first)?;
            }
        }
        let now = Instant::now();
        for (identity, followed) in &mut self.files {
            followed.gone =
                if there.contains(identity) { None } else { followed.gone.or(Some(now)) };
        }
        self.end_the_gone()
    }

    /// Ends files that are gone for long enough; their last line needs no end.
    fn end_the_gone(&mut self) -> Result<(), Stopped> {
        let gone =
            |followed: &Followed| followed.gone.is_some_and(|since| since.elapsed() >= GRACE);
        let ended: Vec<_> = self
            .files
            .iter()
            .filter(|(_, followed)| gone(followed))
            .map(|(identity, _)| *identity)
            .collect();
        for identity in ended {
            if let Some(mut followed) = self.files.remove(&identity) {
                self.read(&mut followed, true)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, file: &OfferedFile, at_end: bool) -> Result<(), Stopped> {
        let Job { search, cancel, .. } = *self.job;
        let followed = match file.open() {
            Ok(Some(opened)) => Followed::begin(file, opened, at_end, search, cancel),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        match followed {
            Ok(Some(followed)) => {
                self.totals.files += 1;
                self.files.insert(followed.opened.identity, followed);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => self.tell(file.path(), &reason(&error)),
        }
    }

    /// Searches what was written to the files.
    fn look(&mut self) -> Result<(), Stopped> {
        let mut files = std::mem::take(&mut self.files);
        let result = files.values_mut().try_for_each(|followed| self.read(followed, false));
        self.files = files;
        result
    }

    /// Searches what was written to a file. `is_last`: it gets no more, so that its last line needs
    /// no end.
    fn read(&mut self, followed: &mut Followed, is_last: bool) -> Result<(), Stopped> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = followed.lines(&mut buffer, self.job.search.line_end(), is_last);
        let searched = match result {
            Ok(()) => self.search(followed, buffer.bytes_mut()),
            Err(error) => {
                followed.over = true;
                self.tell(followed.file.path(), &reason(&error))
            }
        };
        buffer.clear();
        self.buffer = buffer;
        searched
    }

    fn search(&mut self, followed: &mut Followed, lines: &mut [u8]) -> Result<(), Stopped> {
        if followed.over || lines.is_empty() {
            return Ok(());
        }
        let search = self.job.search;
        let size = TextSize { bytes: lines.len() as u64, lines: search.lines_in(lines) };
        self.totals.bytes += size.bytes;
        // Its size is not known in the end.
        self.printer.borrow_mut().set_file(search.name(self.job.machine, &followed.file), u64::MAX);
        // It goes on for ever, so each look has all of it.
        self.job.budget.renew();
        if self.printed != Some(followed.opened.identity) {
            followed.progress.start_group();
        }
        let (done, selected, printed) =
            (Cell::new(false), followed.progress.selected, followed.progress.printed_up_to());
        let (told, cut) = (followed.progress.binary_matches, followed.progress.is_cut);
        let mut sink = ChunkSink::new(
            &search.query,
            &self.printer,
            &done,
            &followed.positions,
            &mut followed.progress,
        );
        let ended = self.memory.search(lines, &mut sink);
        let ended = sink.finish(ended, lines);
        // A NUL byte may have taken back what was selected.
        self.totals.lines = self.totals.lines - selected + followed.progress.selected;
        followed.positions.go_on(size);
        let first = followed.progress.binary_matches && !told;
        followed.over = done.get();
        if followed.progress.printed_up_to() != printed {
            self.printed = Some(followed.opened.identity);
        }
        self.printer.borrow_mut().out().flush()?;
        if followed.progress.is_cut && !cut {
            self.say(&followed.file, &Failure::Cut)?;
        }
        match ended {
            Ok(()) if first => {
                let text = format!("{}: binary file matches", followed.file.path().display());
                self.printer.borrow_mut().out().message(text)
            }
            Ok(()) => Ok(()),
            Err(ScanError::Stopped) => Err(Stopped),
            Err(ScanError::Read(error)) => self.fail(&followed.file, &Failure::reading(&error)),
            Err(ScanError::Match(_)) if self.job.cancel.load(Ordering::Relaxed) => Err(Stopped),
            Err(ScanError::Match(words)) => {
                followed.over = true;
                self.fail(&followed.file, &Failure::matching(words))
            }
        }
    }

    /// Says once what is the matter with a file.
    fn tell(&mut self, path: &Path, reason: &str) -> Result<(), Stopped> {
        if self.told.len() >= MAX_FOLLOWED || !self.told.insert(path.to_owned()) {
            return Ok(());
        }
        self.totals.errors += 1;
        if self.job.search.query.no_messages {
            return Ok(());
        }
        self.printer.borrow_mut().out().message(format!("{}: {reason}", path.display()))
    }

    fn fail(&mut self, file: &OfferedFile, failure: &Failure) -> Result<(), Stopped> {
        self.totals.errors += 1;
        self.say(file, failure)
    }

    fn say(&mut self, file: &OfferedFile, failure: &Failure) -> Result<(), Stopped> {
        match failure.words(file.path().display()) {
            Some(words) => self.printer.borrow_mut().out().message(words),
            None => Ok(()),
        }
    }
}
