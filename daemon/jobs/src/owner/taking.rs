//! How an owner takes deltas: each at the cursor of its file, and what it then says of cursors.

use super::Owner;
use crate::cursor::{Cursor, Verdict, judge};
use crate::ids::{FileId, FileKey, Now};
use crate::message::{Cursors, CursorsKind, Delta, Frame, MAX_TOLD, Message, ToldCursor};
use crate::output::{Note, Output};
use crate::record::{Gap, GapReason};
use crate::settings::Mutant;
use crate::sums::{Sums, SumsError};
use crate::table::SourceState;
use memberd_membership::Name;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Bound;

impl<S: Sums> Owner<S> {
    pub(crate) fn handle_frame(
        &mut self,
        now: Now,
        from: &Name,
        frame: Frame,
        out: &mut VecDeque<Output>,
    ) {
        let is_source =
            matches!(self.job.sources.get(from), Some(SourceState::Live | SourceState::Failed));
        let has_ended = self.job.is_cancelled || self.state.is_last;
        if frame.epoch != self.epoch || !self.log.is_open() || !is_source || has_ended {
            return;
        }
        let parts = frame.deltas.iter().flat_map(|delta| &delta.parts);
        let mut checked = parts.map(|part| self.sums.check(from, part.window, &part.sums));
        if let Some(error) = checked.find_map(Result::err) {
            let note = Note::BadSums(self.job_id, from.clone(), error.to_string());
            out.push_back(Output::Note(note));
            return;
        }
        let known = frame.dropped_at;
        match self.take_all(from, frame.deltas, known) {
            Ok(mut files) => {
                files[0].extend(self.take_gone(from, frame.gone, known));
                if let Some(presence) = frame.presence {
                    self.pending.presence(from, presence);
                }
                self.answer(now, from, files, out);
            }
            Err(error) => self.stop(&error, out),
        }
    }

    /// Takes what begins at a cursor. The files whose deltas were duplicates, those that go back,
    /// and those without room.
    fn take_all(
        &mut self,
        from: &Name,
        deltas: Vec<Delta>,
        known: Option<u64>,
    ) -> Result<[Vec<FileId>; 3], SumsError> {
        let (mut again, mut rewind, mut full) = (Vec::new(), Vec::new(), Vec::new());
        for delta in deltas {
            let file = FileId { member: from.clone(), key: delta.file };
            let cursor = self.cursor(&file);
            let at = cursor.map_or(delta.start, |cursor| cursor.at);
            let ignores = self.settings.is(Mutant::IgnoreCursor);
            match judge(at, delta.from, delta.to) {
                _ if cursor.is_none() && !self.may_be_new(&file, known) => rewind.push(file),
                _ if cursor.is_some_and(|cursor| cursor.is_finished) => {
                    self.set_gone(&file, false, known);
                    again.push(file);
                }
                Verdict::Apply if !self.take_room(&delta) => full.push(file),
                Verdict::Apply => self.apply(file, cursor, &delta)?,
                _ if ignores => self.apply(file, cursor, &delta)?,
                Verdict::Duplicate => again.push(file),
                Verdict::Cut | Verdict::Beyond => rewind.push(file),
            }
        }
        Ok([again, rewind, full])
    }

    /// Hears that files are gone, and says which of them are to be told again.
    fn take_gone(&mut self, from: &Name, gone: Vec<FileKey>, known: Option<u64>) -> Vec<FileId> {
        let file = |key| FileId { member: from.clone(), key };
        let mut again = Vec::new();
        for file in gone.into_iter().map(file) {
            if !self.set_gone(&file, true, known) {
                again.push(file);
            }
        }
        again
    }

    /// Whether a file without a cursor may get one. Who does not know which cursors were dropped
    /// may speak of a file that was. What is dropped just now is not told yet.
    fn may_be_new(&self, file: &FileId, known: Option<u64>) -> bool {
        let is_dropped = || self.writing.as_ref().is_some_and(|it| it.dropped.contains(file));
        known.is_none_or(|known| {
            known == self.state.dropped_at || known == self.durable_dropped_at && !is_dropped()
        })
    }

    /// Writes down whether the member has a file that was counted to its end. False if that is
    /// known, or who says it may not.
    fn set_gone(&mut self, file: &FileId, is_gone: bool, known: Option<u64>) -> bool {
        let knows = known.is_none_or(|known| known == self.state.dropped_at);
        let is_news = |cursor: &Cursor| cursor.is_finished && cursor.is_gone != is_gone;
        let Some(cursor) = self.cursor(file).filter(is_news).filter(|_| knows) else {
            return false;
        };
        self.pending.cursors.insert(file.clone(), Cursor { is_gone, ..cursor });
        self.pending.has_news = true;
        true
    }

    fn answer(
        &mut self,
        now: Now,
        from: &Name,
        [again, rewind, full]: [Vec<FileId>; 3],
        out: &mut VecDeque<Output>,
    ) {
        self.is_full = !full.is_empty();
        if self.is_full {
            out.push_back(Output::Note(Note::Full(self.job_id, self.partition)));
            self.commit(now, out);
        }
        let mut kinds = vec![
            (CursorsKind::Acknowledged, again),
            (CursorsKind::Rewind, rewind),
            (CursorsKind::Full, full),
        ];
        if self.settings.is(Mutant::AckBeforeAppend) {
            let moved = self.pending.cursors.keys().filter(|file| file.member == *from);
            kinds.push((CursorsKind::Acknowledged, moved.cloned().collect()));
        }
        for (kind, files) in kinds {
            self.tell(from, kind, &files, out);
        }
    }

    /// Whether the sums of a delta have room: in the record to come, in the state, and on this
    /// member; and whether the sink is not too far behind. If so they take it.
    fn take_room(&mut self, delta: &Delta) -> bool {
        let bytes: usize = delta.parts.iter().map(|part| part.sums.len()).sum();
        if bytes == 0 {
            return true;
        }
        let fits = self.weight() + 4 * bytes <= self.settings.sums_bytes;
        let is_behind = self.state.rows.len() >= self.settings.waiting_rows;
        if !fits || is_behind || 4 * bytes > self.room {
            return false;
        }
        self.room -= 4 * bytes;
        true
    }

    /// Counts a delta. Lines of a window that was given up count as late, and in those of their
    /// windows that were not. After an error what is pending is void.
    fn apply(
        &mut self,
        file: FileId,
        cursor: Option<Cursor>,
        delta: &Delta,
    ) -> Result<(), SumsError> {
        let times = self.times();
        for part in &delta.parts {
            if times.misses(part.window, self.state.watermark) {
                self.pending.late += part.lines;
            }
            if !times.is_given_up(part.window, self.state.watermark) {
                self.pending.add(&*self.sums, part)?;
            }
        }
        self.pending.uncounted += delta.uncounted;
        if let Some(reason) = delta.gap {
            let to = (delta.to > delta.from).then_some(delta.to);
            let (partition, from) = (self.partition, delta.from);
            self.pending.gaps.push(Gap { partition, file: file.clone(), from, to, reason });
        }
        let before = cursor.unwrap_or(Cursor::new(delta.start));
        let last = delta.parts.iter().map(|part| part.window).max();
        let moved = Cursor {
            last_window: before.last_window.max(last.unwrap_or(i64::MIN)),
            at: delta.to,
            watermark: before.watermark.max(delta.watermark),
            is_finished: delta.is_finished,
            ..before
        };
        let is_news = cursor.is_none() || moved.at != before.at || moved.is_finished;
        self.pending.has_news |= is_news || delta.gap.is_some();
        self.pending.cursors.insert(file, moved);
        Ok(())
    }

    /// The files of members whose disk will not come back have ended.
    pub(super) fn close_forgotten(&mut self) {
        let mut sources = self.job.sources.values();
        if !sources.any(|source| *source == SourceState::Forgotten) {
            return;
        }
        let known: BTreeSet<&FileId> =
            self.state.cursors.keys().chain(self.pending.cursors.keys()).collect();
        let ended: Vec<FileId> =
            known.into_iter().filter(|file| self.is_forgotten(file)).cloned().collect();
        for file in ended {
            let Some(cursor) = self.cursor(&file).filter(|cursor| !cursor.is_finished) else {
                continue;
            };
            let reason = GapReason::Forgotten;
            let (partition, from) = (self.partition, cursor.at);
            self.pending.gaps.push(Gap { partition, file: file.clone(), from, to: None, reason });
            self.pending.cursors.insert(file, Cursor { is_finished: true, ..cursor });
            self.pending.has_news = true;
        }
    }

    /// Whether the disk of the member will not come back.
    pub(super) fn is_forgotten(&self, file: &FileId) -> bool {
        self.job.sources.get(&file.member) == Some(&SourceState::Forgotten)
    }

    pub(crate) fn handle_hello(
        &mut self,
        from: &Name,
        after: Option<FileKey>,
        out: &mut VecDeque<Output>,
    ) {
        if self.log.is_open() {
            self.tell_all(from.clone(), after, out);
        } else {
            self.greeters.insert(from.clone(), after);
        }
    }

    /// Answers a hello: the files behind the one that it names, as many as a message has.
    pub(super) fn tell_all(&self, name: Name, after: Option<FileKey>, out: &mut VecDeque<Output>) {
        let file = |key: u128| FileId { member: name.clone(), key: FileKey(key) };
        let first = after.map_or(Bound::Included(file(0)), |after| Bound::Excluded(file(after.0)));
        let range = (first, Bound::Included(file(u128::MAX)));
        let known = self.state.cursors.range(range.clone());
        let known: BTreeSet<&FileId> =
            known.chain(self.pending.cursors.range(range)).map(|(file, _)| file).collect();
        let most = self.settings.told.clamp(1, MAX_TOLD);
        let has_more = known.len() > most;
        let files: Vec<FileId> = known.into_iter().take(most).cloned().collect();
        let cursors = self.cursors(CursorsKind::All, &files);
        let cursors = Cursors { after, has_more, ..cursors };
        out.push_back(Output::Send(name, Message::Cursors(cursors)));
    }

    pub(super) fn tell(
        &self,
        to: &Name,
        kind: CursorsKind,
        files: &[FileId],
        out: &mut VecDeque<Output>,
    ) {
        for files in files.chunks(self.settings.told.clamp(1, MAX_TOLD)) {
            let cursors = self.cursors(kind, files);
            out.push_back(Output::Send(to.clone(), Message::Cursors(cursors)));
        }
    }

    fn cursors(&self, kind: CursorsKind, files: &[FileId]) -> Cursors {
        let told = |file: &FileId| {
            let mut durable = self.durable.get(file).copied();
            let next = self.cursor(file);
            // A mutant: the cursor in memory is said to be that of the log.
            if self.settings.is(Mutant::AckBeforeAppend) {
                durable = next;
            }
            ToldCursor {
                file: file.key,
                start: next.map_or(0, |cursor| cursor.start),
                durable: durable.map(|cursor| cursor.at),
                next: next.map(|cursor| cursor.at),
                is_finished: durable.is_some_and(|cursor| cursor.is_finished),
                is_gone: [durable, next].iter().all(|it| it.is_some_and(|it| it.is_gone)),
            }
        };
        Cursors {
            job: self.job_id,
            partition: self.partition,
            epoch: self.epoch,
            kind,
            after: None,
            has_more: false,
            dropped_at: self.durable_dropped_at,
            files: files.iter().map(told).collect(),
        }
    }

    /// Where the next delta of a file must begin. None: the file is not known.
    fn cursor(&self, file: &FileId) -> Option<Cursor> {
        self.pending.cursors.get(file).or_else(|| self.state.cursors.get(file)).copied()
    }
}
