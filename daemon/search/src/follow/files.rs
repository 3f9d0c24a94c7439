//! Searches what is written to files from now on. It owns the open files.
//!
//! Files are known by device and inode, not by name. A renamed file is read further under the name
//! by which it was found, and the file that takes its place is new. A file that is gone, or has no
//! exposed name any more, is read for a while: its writer may not know yet. A file was written anew
//! if it is shorter than before, or if the bytes before the position have changed. A new file with
//! the name of a rotated one is read from its beginning, unless it is a copy of what was read.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::copies::Copies;
use super::file::{Followed, Start};
use crate::files::{
    Compression, ExposedFile, ExposedFiles, FileError, FileFilter, FileIdentity, ONLY_LINKS,
    Opened, reason, rotated_from,
};
use crate::job::Job;
use crate::output::{Output, Stopped};
use crate::scan::{Failure, PageBuffer, Scanner};
use crate::schedule::Event;
use crate::search::Totals;
use crate::searched::SearchedFile;

/// The most files that are followed at once. All of them are open.
pub(crate) const MAX_FOLLOWED: usize = 256;

/// How often files are looked at.
const EVERY: Duration = Duration::from_millis(100);

/// How many looks at the files there are for each look at their names.
const LOOKS_PER_LISTING: u32 = 5;

/// How long a file without an exposed name is read further after something was last written to it.
const GRACE: Duration = Duration::from_secs(5);

/// Which files are followed.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'s> {
    /// The files that this machine exposes.
    pub exposed: &'s ExposedFiles,
    /// Those of them that are wanted.
    pub filter: &'s FileFilter,
    /// The file to which the results are written, which is left out.
    pub output_file: Option<FileIdentity>,
}

/// Follows the selected files until the search is cancelled or stopped.
pub(crate) fn follow(job: &Job<'_>, selection: Selection<'_>, events: &SyncSender<Event>) {
    let mut output = EventOutput(events);
    let mut follow = Follow {
        job,
        selection,
        scanner: Scanner::new(job, &job.search.engine, &mut output),
        buffer: PageBuffer::default(),
        files: BTreeMap::new(),
        copies: Copies::default(),
        printed: None,
        reported: BTreeSet::new(),
        totals: Totals::default(),
    };
    // It ends only when it is stopped.
    let Err(Stopped) = follow.run();
    let totals = Totals { interrupted: true, ..follow.totals };
    // It is no error if nobody takes the totals any more.
    let _ = events.send(Event::End(totals));
}

/// The output of the thread that follows.
struct EventOutput<'s>(&'s SyncSender<Event>);

impl Output for EventOutput<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.0.send(Event::Lines(bytes)).map_err(|_| Stopped)
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.0.send(Event::Message(text)).map_err(|_| Stopped)
    }
}

struct Follow<'f> {
    job: &'f Job<'f>,
    selection: Selection<'f>,
    scanner: Scanner<'f, 'f>,
    buffer: PageBuffer,
    files: BTreeMap<FileIdentity, Followed>,
    copies: Copies,
    /// The file of which something was printed last.
    printed: Option<FileIdentity>,
    /// The paths whose problems were reported, at most [`MAX_FOLLOWED`].
    reported: BTreeSet<PathBuf>,
    totals: Totals,
}

impl Follow<'_> {
    fn run(&mut self) -> Result<Infallible, Stopped> {
        self.list(true)?;
        loop {
            for _ in 0..LOOKS_PER_LISTING {
                self.job.check()?;
                sleep(EVERY);
                self.look()?;
            }
            self.list(false)?;
        }
    }

    /// Finds out which files there are. The first ones are followed from their ends, later ones
    /// from their beginnings.
    fn list(&mut self, first: bool) -> Result<(), Stopped> {
        let Selection { exposed, filter, .. } = self.selection;
        let found = exposed.files_unless(self.job.cancel, filter);
        // Files that a listing lacks since it was cancelled are not gone.
        self.job.check()?;
        for problem in found.problems {
            self.report_once(&problem.path, &problem.reason)?;
        }
        for glob in found.only_links {
            self.report_once(Path::new(&glob), ONLY_LINKS)?;
        }
        let mut there = BTreeSet::new();
        let mut new = Vec::new();
        for file in &found.files {
            match file.look() {
                Ok(Some((identity, _))) if self.selection.output_file == Some(identity) => {
                    self.report_once(file.path(), &FileError::IsOutput.to_string())?;
                }
                Ok(Some((identity, size))) => {
                    there.insert(identity);
                    match self.files.get_mut(&identity) {
                        Some(followed) => file.path().clone_into(&mut followed.path),
                        None => new.push((file, identity, size)),
                    }
                }
                Ok(None) => {}
                Err(error) => self.report_once(file.path(), &reason(&error))?,
            }
        }
        let mut origins: BTreeSet<PathBuf> =
            self.files.values().map(|followed| followed.path.clone()).collect();
        origins.extend(found.files.iter().map(|file| file.path().to_owned()));
        for (file, identity, size) in new {
            let origins = if first { Vec::new() } else { rotated_from(file.path(), &origins) };
            let may_be_copy = !origins.is_empty();
            // An empty file may become a copy.
            if may_be_copy && (size == 0 || self.copies.is_known(identity, size)) {
                continue;
            }
            if self.files.len() >= MAX_FOLLOWED {
                self.report_once(
                    file.path(),
                    &format!(
                        "already following {MAX_FOLLOWED} files, which is the limit: name fewer"
                    ),
                )?;
                break;
            }
            self.begin(file, &origins, first)?;
        }
        for path in self.copies.end_listing(&there) {
            self.report_once(&path, "was truncated before it was read: lines are missing")?;
        }
        let now = Instant::now();
        for (identity, followed) in &mut self.files {
            followed.gone_since =
                if there.contains(identity) { None } else { followed.gone_since.or(Some(now)) };
        }
        self.end_the_gone()
    }

    /// Ends files that are gone for long enough. Their last line may have no end.
    fn end_the_gone(&mut self) -> Result<(), Stopped> {
        let gone =
            |followed: &Followed| followed.gone_since.is_some_and(|since| since.elapsed() >= GRACE);
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

    /// Follows a file, which may be a copy of one of `origins`.
    fn begin(
        &mut self,
        file: &ExposedFile,
        origins: &[PathBuf],
        at_end: bool,
    ) -> Result<(), Stopped> {
        match self.opened(file, origins, at_end) {
            Ok(Some(followed)) => {
                self.totals.files += 1;
                self.files.insert(followed.opened.identity, followed);
                Ok(())
            }
            Ok(None) => Ok(()),
            // It was truncated meanwhile. The next listing finds it.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => self.report_once(file.path(), &reason(&error)),
        }
    }

    fn opened(
        &mut self,
        file: &ExposedFile,
        origins: &[PathBuf],
        at_end: bool,
    ) -> io::Result<Option<Followed>> {
        let Job { search, cancel, .. } = *self.job;
        // The name may be another file's by now.
        let known = |opened: &Opened| self.files.contains_key(&opened.identity);
        let Some(opened) = file.open()?.filter(|opened| !known(opened)) else { return Ok(None) };
        if self.selection.output_file == Some(opened.identity) {
            return Ok(None);
        }
        let start = match (at_end, origins) {
            (true, _) => Some(Start::End),
            (false, []) => Some(Start::LineAt(0)),
            (false, _) => {
                if Compression::of(&opened.file, file.path())?.is_some() {
                    self.copies.note(&opened);
                    return Ok(None);
                }
                self.copies.start(&opened, origins, self.files.values())?
            }
        };
        let Some(start) = start else { return Ok(None) };
        Followed::begin(file, opened, start, search, cancel)
    }

    /// Searches what was appended to the files.
    fn look(&mut self) -> Result<(), Stopped> {
        let mut files = std::mem::take(&mut self.files);
        let result = files.values_mut().try_for_each(|followed| self.read(followed, false));
        self.files = files;
        result
    }

    /// Searches what was appended to a file. With `is_last`, the file gets no more, so that its
    /// last line needs no end.
    fn read(&mut self, followed: &mut Followed, is_last: bool) -> Result<(), Stopped> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = followed.lines(&mut buffer, self.job.search.line_end(), is_last);
        if let Some(former) = followed.take_former() {
            self.copies.note_former(former);
        }
        let searched = match result {
            Ok(()) => self.search(followed, buffer.bytes_mut()),
            Err(error) => {
                followed.is_over = true;
                self.report_once(followed.file.path(), &reason(&error))
            }
        };
        buffer.clear();
        self.buffer = buffer;
        searched
    }

    fn search(&mut self, followed: &mut Followed, lines: &mut [u8]) -> Result<(), Stopped> {
        if followed.is_over || lines.is_empty() {
            return Ok(());
        }
        let (file, identity) = (&followed.file, followed.opened.identity);
        // The size that it will have is not known.
        self.scanner.printer().set_file(
            self.job.search.name(self.job.machine, SearchedFile::Exposed(file)),
            u64::MAX,
        );
        // The search has no end, so that each look may take the whole time.
        self.job.budget.renew();
        if self.printed != Some(identity) {
            followed.scan.start_group();
        }
        let step = self.scanner.step(&mut followed.scan, lines)?;
        step.add_to(&mut self.totals);
        if step.has_printed {
            self.printed = Some(identity);
        }
        self.scanner.flush()?;
        followed.is_over = step.is_last;
        if step.first_cut {
            self.report(file, &Failure::Cut)?;
        }
        match &step.failure {
            None if step.first_binary_match => {
                self.scanner.message(format!("{}: binary file matches", file.path().display()))
            }
            None => Ok(()),
            Some(failure) => {
                followed.is_over |= !matches!(failure, Failure::Unread(_));
                self.totals.errors += 1;
                self.report(file, failure)
            }
        }
    }

    /// Reports the first problem with a file. Later ones are not reported.
    fn report_once(&mut self, path: &Path, reason: &str) -> Result<(), Stopped> {
        if self.reported.len() >= MAX_FOLLOWED || !self.reported.insert(path.to_owned()) {
            return Ok(());
        }
        self.totals.errors += 1;
        if self.job.search.query.printing.no_messages {
            return Ok(());
        }
        self.scanner.message(format!("{}: {reason}", path.display()))
    }

    fn report(&self, file: &ExposedFile, failure: &Failure) -> Result<(), Stopped> {
        let message = failure.message(file.path().display());
        message.map_or(Ok(()), |message| self.scanner.message(message))
    }
}
