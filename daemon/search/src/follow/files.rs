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

use memberd_control::grep::{GrepFollow, GrepPosition};

use super::copies::Copies;
use super::file::{Followed, READ_BYTES, Start};
use super::resume::{Positions, in_order};
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

/// How many bytes are searched at once where positions are told: their lines mostly fit into one
/// frame with the position after them.
pub(super) const STEP_BYTES: u64 = 32 * 1024;

/// How often positions are told of files without a line to print.
const TELL_EVERY: Duration = Duration::from_secs(10);

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
    /// From where they are followed. Positions are told only if it is given.
    pub from: Option<&'s GrepFollow>,
    /// Whether each look is told, and the file of the lines that follow: see [`Output::looked`] and
    /// [`Output::begin_file`].
    pub tells_looks: bool,
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
        told_at: Instant::now(),
    };
    // It ends only when it is stopped.
    let Err(Stopped) = follow.run();
    let totals = Totals { interrupted: true, ..follow.totals };
    // It is no error if nobody takes the totals any more.
    let _ = events.send(Event::End(totals));
}

/// The output of the thread that follows.
pub(super) struct EventOutput<'s>(pub(super) &'s SyncSender<Event>);

impl Output for EventOutput<'_> {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.0.send(Event::Lines(bytes)).map_err(|_| Stopped)
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        self.0.send(Event::Message(text)).map_err(|_| Stopped)
    }

    fn positions(&mut self, positions: Vec<GrepPosition>, has_lines: bool) -> Result<(), Stopped> {
        self.0.send(Event::Positions(positions, has_lines)).map_err(|_| Stopped)
    }

    fn begin_file(&mut self, path: &Path, modified: i64) {
        // Who has gone takes no lines of it either.
        let _ = self.0.send(Event::File(path.to_owned(), modified));
    }

    fn looked(&mut self) -> Result<(), Stopped> {
        self.0.send(Event::Looked).map_err(|_| Stopped)
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
    /// When the positions of all files were told.
    told_at: Instant,
}

impl Follow<'_> {
    fn run(&mut self) -> Result<Infallible, Stopped> {
        match self.selection.from.filter(|from| from.again) {
            Some(from) => {
                self.resume(&from.positions)?;
                self.list(false)?;
            }
            None => self.list(true)?,
        }
        self.tell_positions(true)?;
        loop {
            for _ in 0..LOOKS_PER_LISTING {
                self.job.check()?;
                sleep(EVERY);
                self.look()?;
                if self.selection.tells_looks {
                    self.scanner.printer().out().looked()?;
                }
            }
            self.list(false)?;
            if self.told_at.elapsed() >= TELL_EVERY {
                self.tell_positions(false)?;
            }
        }
    }

    /// Goes on with the files of an earlier follow, also with those that were rotated away since.
    fn resume(&mut self, positions: &[GrepPosition]) -> Result<(), Stopped> {
        let Selection { exposed, filter, .. } = self.selection;
        let found = exposed.files_unless(self.job.cancel, &filter.clone().rotated(true));
        self.job.check()?;
        let mut positions = Positions::new(positions);
        let (own, others) = in_order(&found.files, &positions);
        for (file, is_own) in
            own.iter().map(|file| (file, true)).chain(others.iter().map(|file| (file, false)))
        {
            let begun = self.resume_file(file, is_own, &mut positions);
            if let Err(error) = begun {
                self.report_once(file.path(), &reason(&error))?;
            }
            self.job.check()?;
        }
        Ok(())
    }

    fn resume_file(
        &mut self,
        file: &ExposedFile,
        is_own: bool,
        positions: &mut Positions,
    ) -> io::Result<()> {
        if self.files.len() >= MAX_FOLLOWED {
            return Ok(());
        }
        let Some(opened) = file.open()? else { return Ok(()) };
        let start = match is_own {
            true => positions.take_own(&opened)?,
            false => positions.take_by_text(&opened)?,
        };
        let is_known = self.files.contains_key(&opened.identity);
        let is_output = self.selection.output_file == Some(opened.identity);
        let Some(start) = start.filter(|_| !is_known && !is_output) else { return Ok(()) };
        let Job { search, cancel, .. } = *self.job;
        if let Some(followed) = Followed::begin(file, opened, start, search, cancel)? {
            self.totals.files += 1;
            self.files.insert(followed.opened.identity, followed);
        }
        Ok(())
    }

    /// Tells up to where files were searched, if that is wanted and was not told. The first time
    /// says that they are followed, even if there are none.
    fn tell_positions(&mut self, is_first: bool) -> Result<(), Stopped> {
        if self.selection.from.is_none() {
            return Ok(());
        }
        self.told_at = Instant::now();
        let untold = self.files.values_mut().filter(|followed| !followed.is_told());
        let positions = untold.map(|followed| {
            let position = followed.position();
            followed.told = Some(position.offset);
            position
        });
        let positions: Vec<GrepPosition> = positions.collect();
        if positions.is_empty() && !is_first {
            return Ok(());
        }
        self.scanner.printer().out().positions(positions, false)
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
        if self.selection.from.is_none() {
            return self.read_step(followed, is_last, READ_BYTES);
        }
        for _ in 0..READ_BYTES / STEP_BYTES {
            // What is last is all that is left.
            let most = if is_last { READ_BYTES } else { STEP_BYTES };
            self.read_step(followed, is_last, most)?;
            if is_last || !followed.has_unread {
                break;
            }
        }
        Ok(())
    }

    fn read_step(
        &mut self,
        followed: &mut Followed,
        is_last: bool,
        most: u64,
    ) -> Result<(), Stopped> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let result = followed.lines(&mut buffer, self.job.search.line_end(), is_last, most);
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
        if self.selection.tells_looks {
            self.scanner.printer().out().begin_file(file.path(), followed.modified)?;
        }
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
        if step.has_printed && self.selection.from.is_some() {
            let position = followed.position();
            followed.told = Some(position.offset);
            self.scanner.printer().out().positions(vec![position], true)?;
        }
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
