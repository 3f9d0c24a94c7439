//! The shadow of one partition: what its log must say, from the lines of the files alone.

mod drops;

use super::lines::{Line, LogFile};
use super::oracle::Judged;
use super::sim::{Machine, index};
use super::sums::{Counting, Group, Groups, Order, add_all, windows_of};
use memberd_jobs::{
    Cursor, Entry, FileId, FileKey, Gap, Image, JobSpec, Name, Partition, PartitionStatus, Record,
    Row, State, WindowTimes, list_bytes, partition_of, window_of,
};
use std::collections::{BTreeMap, BTreeSet};

pub struct Shadow {
    partition: Partition,
    partitions: u16,
    counting: Counting,
    times: WindowTimes,
    sequence: u64,
    cursors: BTreeMap<FileId, Cursor>,
    /// The sums of each pane that is not given up: they are what a log has.
    panes: BTreeMap<i64, Groups>,
    /// Sums and the newest revision, of windows that are not given up.
    windows: BTreeMap<i64, (Groups, Option<u32>)>,
    pub watermark: i64,
    pub late: u64,
    /// In how many windows lines are missing that came too late for them.
    pub missing: u64,
    pub rows: Vec<Row>,
    /// Of each list among the rows, by its number, all groups of its window then.
    pub tables: BTreeMap<u64, Groups>,
    /// Whether nothing follows.
    pub is_last: bool,
    /// What the last rows of each window and key must be, given up or not.
    pub last: BTreeMap<(i64, Vec<u8>), Group>,
    /// Lines that came too late, or were lost: they are in no row.
    pub lost: u64,
    pub revisions: u64,
    gaps: Vec<Gap>,
    /// The files whose cursors were dropped, and how many of their lines were counted.
    dropped: BTreeSet<FileId>,
    dropped_lines: u64,
    pub drops: u64,
}

/// What a record or an image says, in one form.
struct Said<'a> {
    cursors: &'a [(FileId, Cursor)],
    dropped: Vec<FileId>,
    sequence: u64,
    watermark: i64,
    late: u64,
    rows: &'a [Row],
    is_last: bool,
}

impl Shadow {
    pub fn new(
        partition: Partition,
        spec: &JobSpec,
        counting: Counting,
        times: WindowTimes,
    ) -> Shadow {
        Shadow {
            partition,
            partitions: spec.partitions,
            counting,
            times,
            sequence: 0,
            cursors: BTreeMap::new(),
            panes: BTreeMap::new(),
            windows: BTreeMap::new(),
            watermark: i64::MIN,
            late: 0,
            missing: 0,
            rows: Vec::new(),
            tables: BTreeMap::new(),
            is_last: false,
            last: BTreeMap::new(),
            lost: 0,
            revisions: 0,
            gaps: Vec::new(),
            dropped: BTreeSet::new(),
            dropped_lines: 0,
            drops: 0,
        }
    }

    /// An entry became durable.
    pub fn take(&mut self, machines: &[Machine], entry: &Entry) -> Judged {
        let (said, image) = match entry {
            Entry::Record(record) => (self.of_record(record), None),
            Entry::Image(image) => (self.of_image(image)?, Some(image)),
        };
        if self.is_last {
            return Err(format!("I1: record {} follows the last one", said.sequence));
        }
        if said.sequence != self.sequence + 1 {
            return Err(format!("I1: record {} follows {}", said.sequence, self.sequence));
        }
        let gaps: Vec<&Gap> = said.rows.iter().filter_map(gap_of).collect();
        let (grown, late) = self.grown(machines, &said, &gaps)?;
        if let Entry::Record(record) = entry {
            self.same_sums(record, &grown)?;
        }
        if said.late != late {
            return Err(format!("I2: {} lines are late, not {late}", said.late));
        }
        let rows = self.due_rows(grown, said.watermark, gaps.len());
        let sums: Vec<&Row> = said.rows.iter().filter(|row| gap_of(row).is_none()).collect();
        if !rows.iter().eq(sums.iter().copied()) {
            return Err(format!("I2: {:?} has rows {sums:?}, not {rows:?}", self.partition));
        }
        self.sequence = said.sequence;
        self.watermark = said.watermark;
        self.is_last = said.is_last;
        self.late += late;
        self.gaps.extend(gaps.into_iter().cloned());
        self.cursors.extend(said.cursors.iter().cloned());
        for id in &said.dropped {
            self.drop_cursor(machines, id)?;
        }
        self.rows.extend(said.rows.iter().cloned());
        self.panes.retain(|pane, _| !self.times.is_given_up(*pane, self.watermark));
        self.windows.retain(|window, _| !self.times.is_given_up(*window, self.watermark));
        image.map_or(Ok(()), |image| self.is(&State::of(self.counting, image)))
    }

    fn of_record<'a>(&self, record: &'a Record) -> Said<'a> {
        Said {
            cursors: &record.cursors,
            dropped: record.dropped.clone(),
            sequence: record.sequence,
            watermark: record.watermark,
            late: record.late,
            rows: &record.rows,
            is_last: record.is_last,
        }
    }

    fn of_image<'a>(&self, image: &'a Image) -> Result<Said<'a>, String> {
        let known = self.rows.len() as u64;
        let Some(skip) = known.checked_sub(image.first_row) else {
            return Err(format!("I4: an image begins at row {} of {known}", image.first_row));
        };
        let rows = image.rows.get(skip as usize..).unwrap_or_default();
        let is_there = |id: &&FileId| image.cursors.iter().any(|(there, _)| there == *id);
        let dropped = self.cursors.keys().filter(|id| !is_there(id)).cloned().collect();
        Ok(Said {
            cursors: &image.cursors,
            dropped,
            sequence: image.sequence,
            watermark: image.watermark,
            late: image.late - self.late,
            rows,
            is_last: image.is_last,
        })
    }

    /// Folds the bytes that cursors moved over: by window, what is added; and how many are late.
    fn grown(
        &mut self,
        machines: &[Machine],
        said: &Said,
        gaps: &[&Gap],
    ) -> Result<(BTreeMap<i64, Groups>, u64), String> {
        let mut grown: BTreeMap<i64, Groups> = BTreeMap::new();
        let mut late = 0;
        for (id, cursor) in said.cursors {
            let known = self.cursors.get(id).copied();
            let from = known.map_or(cursor.start, |known| known.at);
            if known.is_some_and(|known| known.start != cursor.start) || cursor.at < from {
                return Err(format!("I1: {id:?} goes from {known:?} to {cursor:?}"));
            }
            let file = file_of(machines, id);
            let is_again = self.dropped.contains(id);
            if is_again && !file.was_removed {
                return Err(format!("I1: {id:?} is counted again"));
            }
            for line in file.between(from, cursor.at) {
                let is_lost = gaps.iter().any(|gap| covers(gap, id, line));
                if partition_of(&[line.key], self.partitions) != self.partition {
                    continue;
                }
                let window = window_of(line.stamp, self.times.every_ms);
                if is_lost {
                    self.lost += 1;
                    continue;
                }
                let gone = |at: &i64| self.times.is_given_up(*at, self.watermark);
                let missing = windows_of(self.times, window).filter(gone).count() as u64;
                late += u64::from(missing > 0);
                self.missing += missing;
                if !gone(&window) {
                    if is_again {
                        return Err(format!("I1: {line:?} of {id:?} counts again"));
                    }
                    let groups = grown.entry(window).or_default();
                    groups.entry(line.key).or_default().add(Group::of(line));
                }
            }
        }
        for gap in gaps {
            self.is_true(machines, gap)?;
        }
        Ok((grown, late))
    }

    /// The sums of a record are the fold of just the bytes that its cursors moved over.
    fn same_sums(&self, record: &Record, grown: &BTreeMap<i64, Groups>) -> Judged {
        let said = record.sums.iter().map(|(window, pieces)| {
            let pieces = pieces.iter().flat_map(|piece| self.counting.decode(piece));
            (*window, pieces.collect::<Groups>())
        });
        let said: BTreeMap<i64, Groups> = said.collect();
        let encode = |sums: &BTreeMap<i64, Groups>| -> Vec<(i64, Vec<u8>)> {
            sums.iter().map(|(window, sums)| (*window, self.counting.encode(sums))).collect()
        };
        if encode(&said) == encode(grown) {
            return Ok(());
        }
        Err(format!("I2: {:?} sums {said:?}, and the bytes are {grown:?}", self.partition))
    }

    /// Adds the sums, and says which rows that makes.
    fn due_rows(&mut self, grown: BTreeMap<i64, Groups>, watermark: i64, gaps: usize) -> Vec<Row> {
        let first = self.rows.len() + gaps;
        let (times, old) = (self.times, self.watermark);
        let mut rows = Vec::new();
        for (at, groups) in self.grow_panes(grown) {
            let is_late = times.is_closed(at, old);
            let (sums, revision) = self.windows.entry(at).or_default();
            let before = sums.clone();
            for (key, group) in groups {
                sums.entry(key).or_default().add(group);
            }
            if is_late {
                let number = revision.unwrap_or(0) + 1;
                *revision = Some(number);
                self.revisions += 1;
                let changed = sums.iter().filter(|(key, group)| before.get(*key) != Some(*group));
                let counting = self.counting;
                if counting.order == Order::Nothing {
                    rows.extend(changed.map(|(key, it)| row(counting, at, *key, *it, number)));
                } else if counting.rows_of(sums) != counting.rows_of(&before) {
                    self.tables.insert((first + rows.len()) as u64, sums.clone());
                    rows.push(list(counting, at, sums));
                }
            }
        }
        for (at, (sums, revision)) in &mut self.windows {
            if revision.is_none() && times.is_closed(*at, watermark) {
                *revision = Some(0);
                let counting = self.counting;
                if counting.order == Order::Nothing {
                    rows.extend(sums.iter().map(|(key, it)| row(counting, *at, *key, *it, 0)));
                } else {
                    self.tables.insert((first + rows.len()) as u64, sums.clone());
                    rows.push(list(counting, *at, sums));
                }
            }
        }
        let begins = |at| window_of(at, times.every_ms);
        if self.counting.order != Order::Nothing && begins(watermark) > begins(old) {
            rows.push(Row::Closed(watermark));
        }
        for (at, (sums, revision)) in &self.windows {
            for (key, group) in sums.iter().filter(|_| revision.is_some()) {
                self.last.insert((*at, format!("k{key}").into_bytes()), *group);
            }
        }
        rows
    }

    /// Adds sums to panes. What they add to each window that is not given up.
    fn grow_panes(&mut self, grown: BTreeMap<i64, Groups>) -> BTreeMap<i64, Groups> {
        let mut windows: BTreeMap<i64, Groups> = BTreeMap::new();
        for (pane, groups) in grown {
            let known = windows_of(self.times, pane);
            for at in known.filter(|at| !self.times.is_given_up(*at, self.watermark)) {
                add_all(windows.entry(at).or_default(), &groups);
            }
            add_all(self.panes.entry(pane).or_default(), &groups);
        }
        windows
    }

    /// No line that is not counted yet is behind the watermark, unless it is late by itself.
    pub fn no_line_is_passed(
        &self,
        machines: &[Machine],
        excludes: bool,
        _lateness_ms: i64,
    ) -> Judged {
        for (i, machine) in machines.iter().enumerate() {
            if excludes && machine.was_excluded {
                continue;
            }
            for file in machine.files.iter().filter(|file| !file.is_deleted) {
                let id = FileId { member: super::sim::name(i), key: file.key };
                // It was counted before it went and came back.
                if self.dropped.contains(&id) {
                    continue;
                }
                let at = self.cursors.get(&id).map_or(file.first, |cursor| cursor.at);
                let at = at.max(file.lost_below);
                let is_timely = |line: &&Line| {
                    let is_old = line.is_early || machine.was_restarted;
                    line.is_tame && (line.is_ordered || !is_old)
                };
                let first = file.lines.partition_point(|line| line.begin < at);
                let passed = file.lines[first..].iter().filter(is_timely);
                if let Some(line) = passed.into_iter().find(|line| line.stamp < self.watermark) {
                    let (part, mark) = (self.partition, self.watermark);
                    return Err(format!("I6: {mark} of {part:?} passes {line:?} of {id:?}"));
                }
            }
        }
        Ok(())
    }

    /// Whether the owner says how far it is.
    pub fn is_said(&self, status: &PartitionStatus) -> Judged {
        let said = (status.late, status.gaps, status.has_ended);
        let known = (self.late, self.gaps.len() as u64, self.is_last);
        // A record may be on its way.
        let is_there = self.is_last || status.watermark >= Some(self.watermark);
        if said == known && is_there {
            Ok(())
        } else {
            Err(format!("status: {status:?}, and it is {known:?}"))
        }
    }

    pub fn cursor(&self, member: &Name, key: FileKey) -> Option<u64> {
        let id = FileId { member: member.clone(), key };
        let was_counted = || self.dropped.contains(&id).then_some(u64::MAX);
        self.cursors.get(&id).map(|cursor| cursor.at).or_else(was_counted)
    }

    pub fn has_all(&self, member: &Name, file: &LogFile) -> bool {
        let id = FileId { member: member.clone(), key: file.key };
        match self.cursors.get(&id) {
            None => file.is_deleted,
            Some(cursor) if file.is_deleted => cursor.is_finished,
            Some(cursor) => cursor.at == file.end() && cursor.is_finished == file.is_finished,
        }
    }

    /// Whether a window is open that ends before this.
    pub fn is_open_before(&self, until: i64) -> bool {
        let ends = |at: &i64| at + self.times.over_ms <= until;
        self.windows.iter().any(|(at, (_, revision))| ends(at) && revision.is_none())
    }

    /// How many lines are in rows and in open windows.
    pub fn held(&self) -> u64 {
        let open = self.windows.values().filter(|(_, revision)| revision.is_none());
        let open: u64 = open.flat_map(|(sums, _)| sums.values()).map(|group| group.count).sum();
        open + self.last.values().map(|group| group.count).sum::<u64>()
    }

    /// Whether a state that was read from the log is this.
    pub fn is(&self, state: &State<Groups>) -> Judged {
        let revision = |at: &i64| self.windows.get(at).and_then(|(_, revision)| *revision);
        let closed = self.windows.keys().filter(|at| revision(at).is_some());
        let window = |at: &i64| {
            let sums = self.panes.get(at).cloned().unwrap_or_default();
            (*at, (self.counting.encode(&sums), revision(at)))
        };
        let windows: BTreeMap<_, _> = self.panes.keys().chain(closed).map(window).collect();
        let read = state
            .windows
            .iter()
            .map(|(at, window)| (*at, (self.counting.encode(&window.table), window.revision)));
        let read: BTreeMap<_, _> = read.collect();
        let same = state.cursors == self.cursors
            && state.next_row() == self.rows.len() as u64
            && state.watermark == self.watermark
            && state.late == self.late
            && state.gaps == self.gaps.len() as u64
            && read == windows;
        if same { Ok(()) } else { Err(format!("I2: a log says {read:?}, and it is {windows:?}")) }
    }
}

/// What an image says, as a state.
trait OfImage {
    fn of(counting: Counting, image: &Image) -> Self;
}

impl OfImage for State<Groups> {
    fn of(counting: Counting, image: &Image) -> Self {
        let times = WindowTimes { every_ms: 1, over_ms: 1, retain_ms: 1 };
        let bytes = super::image_log(image);
        State::read(&counting, times, &bytes).unwrap()
    }
}

fn gap_of(row: &Row) -> Option<&Gap> {
    match row {
        Row::Gap(gap) => Some(gap),
        Row::Sum { .. } | Row::List { .. } | Row::Closed(_) => None,
    }
}

fn covers(gap: &Gap, id: &FileId, line: &Line) -> bool {
    gap.file == *id && gap.from <= line.begin && gap.to.is_none_or(|to| line.end <= to)
}

fn file_of<'a>(machines: &'a [Machine], id: &FileId) -> &'a LogFile {
    let files = &machines[index(&id.member)].files;
    files.iter().find(|file| file.key == id.key).unwrap()
}

fn list(counting: Counting, window: i64, sums: &Groups) -> Row {
    Row::List { window, rows: list_bytes(counting.rows_of(sums)) }
}

fn row(counting: Counting, window: i64, key: u8, group: Group, revision: u32) -> Row {
    let row = counting.row(key, group);
    Row::Sum { window, key: row.key, values: row.values, revision }
}
