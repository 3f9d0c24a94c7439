//! Tests of how far files of the journal are from the order of time, with files as journald and
//! systemd-journal-remote write them.

use super::*;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

/// An hour, in microseconds.
const HOUR: u64 = 3_600_000_000;

/// An entry: its number, its time and its monotonic time, the last two in microseconds.
type Entry = (u64, u64, u64);

/// A file of the journal whose entries are all of one boot, with entry arrays of two. `compact` is
/// the form of newer files.
pub(in super::super) fn file(series: u8, boot: u8, entries: &[Entry], compact: bool) -> Vec<u8> {
    let item_bytes = if compact { 4 } else { 8 };
    let number = |bytes: &mut [u8], at: usize, number: u64| {
        bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
    };
    let mut file = vec![0; 264];
    file[..8].copy_from_slice(b"LPKSHHRH");
    file[12] = if compact { 0b1_1100 } else { 0b0_0100 };
    (file[24], file[72]) = (series ^ boot, series);
    number(&mut file, 88, 264);
    number(&mut file, 152, entries.len() as u64);
    let mut next = 176;
    for pair in entries.chunks(2) {
        let mut places = Vec::new();
        for (count, time_us, monotonic_us) in pair {
            let mut entry = vec![0; 64];
            entry[0] = 3;
            (entry[8], entry[40]) = (64, boot);
            number(&mut entry, 16, *count);
            number(&mut entry, 24, *time_us);
            number(&mut entry, 32, *monotonic_us);
            places.push(file.len() as u64);
            file.extend(entry);
        }
        let array_at = file.len() as u64;
        number(&mut file, next, array_at);
        next = file.len() + 16;
        let mut array = vec![0; 24 + 2 * item_bytes];
        (array[0], array[8]) = (6, u8::try_from(array.len()).unwrap());
        for (place, at) in places.iter().enumerate() {
            let at_item = 24 + place * item_bytes;
            array[at_item..at_item + item_bytes].copy_from_slice(&at.to_le_bytes()[..item_bytes]);
        }
        file.extend(array);
        file.resize(file.len().next_multiple_of(8), 0);
    }
    let arena_bytes = file.len() as u64 - 264;
    number(&mut file, 96, arena_bytes);
    file
}

/// The file with this number at this place.
fn with(mut file: Vec<u8>, at: usize, number: u64) -> Vec<u8> {
    file[at..at + 8].copy_from_slice(&number.to_le_bytes());
    file
}

struct Journal {
    directory: tempfile::TempDir,
    order: JournalOrder,
}

impl Journal {
    fn new() -> Journal {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("machine-id"), "0a0b\n").unwrap();
        fs::create_dir(directory.path().join("0a0b")).unwrap();
        let order = JournalOrder::of(directory.path());
        Journal { directory, order }
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.directory.path().join(name), bytes).unwrap();
    }

    fn look(&self) -> Option<(u64, Option<u64>)> {
        let disorder = self.order.look(None, &AtomicBool::new(false))?;
        Some((disorder.within_files_us, disorder.overall_us))
    }
}

#[test]
fn a_clock_that_was_set_back_is_measured() {
    for compact in [false, true] {
        let journal = Journal::new();
        let entries =
            [(1, 9 * HOUR, 1), (2, 9 * HOUR + 9, 10), (3, 8 * HOUR, 20), (4, 10 * HOUR, 2 * HOUR)];
        journal.write("0a0b/system.journal", &file(1, 1, &entries[..2], compact));
        assert_eq!(journal.look(), Some((0, Some(0))));
        journal.write("0a0b/system.journal", &file(1, 1, &entries, compact));
        assert_eq!(journal.look(), Some((HOUR + 9, Some(HOUR + 19))));
        assert_eq!(journal.look(), Some((HOUR + 9, Some(HOUR + 19))));
    }
}

/// journald begins another file when it sees that the clock was set back. So each file is in order,
/// and journalctl's order of the entries is not.
#[test]
fn disorder_between_files_is_measured() {
    let journal = Journal::new();
    journal.write("0a0b/a@1.journal", &file(1, 1, &[(1, 9 * HOUR, 1), (2, 9 * HOUR, 2)], true));
    journal.write("0a0b/system.journal", &file(1, 1, &[(3, 8 * HOUR, 3)], true));
    assert_eq!(journal.look(), Some((0, Some(HOUR + 2))));
    // The next boot has a clock that is behind.
    journal.write("0a0b/user-1.journal~", &file(1, 2, &[(4, 6 * HOUR, 3)], false));
    assert_eq!(journal.look(), Some((0, Some(3 * HOUR))));
}

#[test]
fn what_is_not_understood_has_no_known_order() {
    let entries = [(1, HOUR, 1), (2, HOUR, 2), (3, HOUR, 3)];
    let good = file(1, 1, &entries, true);
    let mut other_number = entries;
    other_number[2].0 = 2;
    for (bytes, expected) in [
        (good.clone(), Some((0, Some(2)))),
        (file(1, 1, &other_number, true), Some((0, None))),
        // The type of the first entry is wrong, or the header tells of one entry too many.
        (with(good.clone(), 264, 9), None),
        (with(good.clone(), 152, 4), None),
        // A feature of a later systemd, which its journalctl reads.
        ([&good[..12], &[0b11_1100], &good[13..]].concat(), None),
    ] {
        let journal = Journal::new();
        journal.write("0a0b/system.journal", &bytes);
        assert_eq!(journal.look(), expected);
    }
    let journal = Journal::new();
    journal.write("0a0b/system.journal", &good);
    journal.write("0a0b/system@2.journal", &file(2, 1, &entries, true));
    assert_eq!(journal.look(), Some((0, None)));
    assert_eq!(journal.order.look(None, &AtomicBool::new(true)), None);
}

/// What journalctl leaves out must not hide the order of the others. It requires each of these of a
/// file since the first systemd that had it (`journal_file_open` and `journal_file_verify_header`
/// in journal-file.c).
#[test]
fn files_that_journalctl_leaves_out_are_passed_over() {
    let entries = [(1, 9 * HOUR, 1), (2, 8 * HOUR, 2)];
    let good = file(1, 1, &entries, true);
    let end = good.len() as u64 - 264;
    for bytes in [
        Vec::new(),
        vec![0; 4096],
        good[..207].to_vec(),
        good[..good.len() - 1].to_vec(),
        [&b"XXXXXXXX"[..], &good[8..]].concat(),
        with(good.clone(), 88, 207),
        with(good.clone(), 96, end + 1),
        with(good.clone(), 96, u64::MAX),
    ] {
        let journal = Journal::new();
        journal.write("0a0b/system@1.journal~", &bytes);
        assert_eq!(journal.look(), Some((0, None)));
        journal.write("0a0b/system.journal", &file(2, 2, &[(1, HOUR, 1)], true));
        assert_eq!(journal.look(), Some((0, Some(0))));
    }
    let journal = Journal::new();
    fs::create_dir(journal.directory.path().join("0a0b/system.journal")).unwrap();
    assert_eq!(journal.look(), Some((0, None)));
    assert_eq!(journal.order.files(None), Files { readable: 0, denied: 0 });
    // A file may be longer than its header tells.
    let longer = [&good[..], &[0; 100]].concat();
    journal.write("0a0b/user-1.journal", &longer);
    assert_eq!(journal.look(), Some((HOUR, Some(HOUR + 1))));
}

/// A file that is damaged within is read by journalctl. So there is no order, and still the other
/// files are not walked again.
#[test]
fn a_damaged_file_makes_no_other_be_forgotten() {
    let journal = Journal::new();
    let good = file(1, 1, &[(1, HOUR, 1)], true);
    journal.write("0a0b/system.journal", &good);
    assert_eq!(journal.look(), Some((0, Some(0))));
    for name in ["a", "b", "c", "d"] {
        journal.write(&format!("0a0b/{name}.journal"), &with(good.clone(), 264, 9));
        assert_eq!(journal.look(), None);
    }
    assert_eq!(lock(&journal.order.known).len(), 1);
}

/// The walk has an end whatever the arrays of entries say.
#[test]
fn arrays_of_entries_that_lead_nowhere_are_refused() {
    let entries = [(1, HOUR, 1), (2, HOUR, 2), (3, HOUR, 3)];
    for compact in [false, true] {
        let good = file(1, 1, &entries, compact);
        let first = u64::from_le_bytes(good[176..184].try_into().unwrap());
        let at = usize::try_from(first).unwrap();
        let many = with(good.clone(), 152, u64::MAX);
        for bytes in [
            // Of no item, with itself behind it.
            with(with(many.clone(), at + 8, 24), at + 16, first),
            with(with(many.clone(), at + 8, 27), at + 16, first),
            with(many.clone(), at + 8, 0),
            // Behind each other in a circle, or too early.
            with(many.clone(), at + 16, first),
            with(many.clone(), at + 16, first + 8),
            with(many.clone(), at + 16, 0),
            with(many.clone(), at + 16, u64::MAX),
            // Longer than the file.
            with(many.clone(), at + 8, u64::MAX),
            with(many.clone(), 176, u64::MAX),
            many,
        ] {
            let journal = Journal::new();
            journal.write("0a0b/system.journal", &bytes);
            assert_eq!(journal.look(), None);
        }
    }
}

/// Only the entries that came since are walked: a change of an old one goes unnoticed.
#[test]
fn what_was_walked_is_not_walked_again() {
    for compact in [false, true] {
        let journal = Journal::new();
        let entries = [(1, 9 * HOUR, 1), (2, 9 * HOUR, 2), (3, 9 * HOUR, 3), (4, 9 * HOUR, 4)];
        for count in 1..=entries.len() {
            // Two are noted in each array.
            let bytes = with(file(1, 1, &entries, compact), 152, count as u64);
            let bytes = if count > 1 { with(bytes, 264, 9) } else { bytes };
            journal.write("0a0b/system.journal", &bytes);
            let set_us = count as u64 - 1;
            assert_eq!(journal.look(), Some((0, Some(set_us))));
        }
        // Another file in the same place, with fewer entries.
        journal.write("0a0b/system.journal", &file(1, 1, &[(1, HOUR, 1)], compact));
        assert_eq!(journal.look(), Some((0, Some(0))));
    }
}

#[test]
fn a_walk_is_cancelled_within_a_file() {
    let mut bytes = tempfile::tempfile().unwrap();
    bytes.write_all(&file(1, 1, &[(1, HOUR, 1)], true)).unwrap();
    let error = walk(&bytes, None, &AtomicBool::new(true)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::Interrupted);
    assert!(walk(&bytes, None, &AtomicBool::new(false)).unwrap().is_some());
}

#[test]
fn only_files_of_this_machine_count() {
    let journal = Journal::new();
    assert_eq!(journal.order.files(Some("*")), Files { readable: 0, denied: 0 });
    assert_eq!(journal.look(), Some((0, None)));
    for directory in ["0a0b.name", "remote", "0a0bc"] {
        fs::create_dir(journal.directory.path().join(directory)).unwrap();
    }
    for name in [
        "x.journal",
        "0a0b/a.journal",
        "0a0b.name/b.journal~",
        "remote/c.journal",
        "0a0bc/d.journal",
    ] {
        journal.write(name, &file(1, 1, &[(1, HOUR, 1)], true));
    }
    journal.write("0a0b/e.log", b"");
    assert_eq!(journal.order.files(Some("*")), Files { readable: 3, denied: 0 });
    let path = journal.directory.path().join("0a0b/a.journal");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    if File::open(&path).is_err() {
        assert_eq!(journal.order.files(Some("*")), Files { readable: 2, denied: 1 });
    }
    let disorder = journal.order.look(Some("*"), &AtomicBool::new(false));
    assert_eq!(disorder.map(|disorder| disorder.within_files_us), Some(0));
}

/// journalctl opens the files of the namespaces that were asked for, and those beside the
/// directories (`add_directory` in sd-journal.c).
#[test]
fn only_files_of_the_asked_namespace_count() {
    let journal = Journal::new();
    for (name, lateness_us) in [("0a0b", 1), ("0a0b.web", 20), ("0a0b.db", 300)] {
        let _ = fs::create_dir(journal.directory.path().join(name));
        let entries = [(1, HOUR + lateness_us, 1), (2, HOUR, 2)];
        journal.write(&format!("{name}/system.journal"), &file(1, 1, &entries, true));
    }
    for (asked, readable, within_us) in [
        (None, 1, 1),
        (Some("web"), 1, 20),
        (Some("+web"), 2, 20),
        (Some("we"), 0, 0),
        (Some("+we"), 1, 1),
        (Some("*"), 3, 300),
    ] {
        assert_eq!(journal.order.files(asked), Files { readable, denied: 0 }, "{asked:?}");
        let disorder = journal.order.look(asked, &AtomicBool::new(false)).unwrap();
        assert_eq!(disorder.within_files_us, within_us, "{asked:?}");
    }
    // Those of the other namespaces were not forgotten meanwhile.
    assert_eq!(lock(&journal.order.known).len(), 3);
    journal.write("x.journal", &file(1, 1, &[], true));
    journal.write("0a0b.journal", &file(1, 1, &[], true));
    for asked in ["we", "journal"] {
        assert_eq!(journal.order.files(Some(asked)), Files { readable: 2, denied: 0 });
    }
}

/// Such as one that the machine had before its own was known.
#[test]
fn each_machine_below_run_is_this_one() {
    let other = "3d1219c7c4c5404aaa1f6d2a48adfda4";
    for (directory, asked, is_ours) in [
        (format!("/run/log/journal/{other}"), None, true),
        (format!("/run/log/journal/{other}.web"), Some("web"), true),
        (format!("/run/log/journal/{other}.web"), None, false),
        (format!("/var/log/journal/{other}"), None, false),
        ("/run/log/journal/remote".to_owned(), None, false),
        ("/run/log/journal/0a0b".to_owned(), None, true),
    ] {
        assert_eq!(is_of(Path::new(&directory), "0a0b", asked), is_ours, "{directory}");
    }
}
