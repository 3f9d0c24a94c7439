//! What each of logrotate's ways, a deletion and a restart do to the files of a job.

mod drawn;
mod machine;
mod offer;

use super::*;
use crate::jobs::source_files::known::{FINISHED_MS, QUIET_MS};
use machine::{NONE, Told, line, machine, shown};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::time::SystemTime;

/// A file grows, is renamed, and is written to by who does not know that yet.
#[test]
fn a_rename_keeps_the_key() {
    let mut machine = machine(Start::Beginning);
    let (first, late, new) = (line(1, "a"), line(2, "late"), line(3, "b"));
    machine.append("x.log", &first);
    let old = machine.one();
    machine.rename("x.log", "x.log.1");
    machine.append("x.log", &new);
    machine.append("x.log.1", &late);
    let told = machine.told(NONE);
    let text = first + &late;
    let new_key = told[1].key;
    assert_ne!(new_key, old.key);
    assert_eq!(shown(&told), [(old.key, text.as_str()), (new_key, new.as_str())]);
    assert!(!told[0].is_finished && !told[1].is_finished);
    machine.pass(FINISHED_MS);
    let told = machine.told(NONE);
    assert_eq!((told[0].is_finished, told[1].is_finished), (true, false));
    // Its name as a field of lines is the one that it had.
    let range = machine.files.open(old.key, 0, 1).unwrap();
    assert_eq!(range.path, machine.path("x.log"));
    machine.restart();
    assert_eq!(shown(&machine.told(NONE)), shown(&told));
}

/// ext4 gives the inode of a deleted file to the next one.
#[test]
fn a_file_in_the_place_of_another_is_another() {
    let mut machine = machine(Start::Beginning);
    let mut keys = BTreeSet::new();
    for round in 0..20 {
        machine.tick();
        machine.append("x.log", &line(1, "the same text"));
        let told = machine.one();
        assert!(keys.insert(told.key), "{round}: the key came again");
        machine.remove("x.log");
        machine.pass(QUIET_MS);
        // All is durable, so nothing keeps its inode.
        machine.look(NONE);
        machine.pass(QUIET_MS);
        assert_eq!(machine.told(&[(told.key, told.text.len() as u64)]), []);
    }
}

/// While a copy is made, nothing counts twice, and after the truncation nothing is lost.
#[test]
fn a_copy_goes_on_for_a_truncated_file() {
    let mut machine = machine(Start::Beginning);
    let (first, unread, new) = (line(1, "a"), line(2, "unread"), line(3, "b"));
    machine.append("x.log", &first);
    let old = machine.one();
    machine.append("x.log", &unread);
    machine.copy("x.log", "x.log.1");
    assert_eq!(machine.one().key, old.key);
    machine.truncate("x.log");
    let text = first + &unread;
    assert_eq!(shown(&[machine.one()]), [(old.key, text.as_str())]);
    machine.append("x.log", &new);
    let told = machine.told(NONE);
    assert_eq!(told.len(), 2);
    assert_eq!(shown(&told[..1]), [(old.key, text.as_str())]);
    assert_eq!(told[1].text, new);
    // The next round, and a start of the daemon between.
    machine.rename("x.log.1", "x.log.2");
    machine.copy("x.log", "x.log.1");
    machine.truncate("x.log");
    machine.append("x.log", &line(4, "c"));
    machine.restart();
    let again = machine.told(NONE);
    assert_eq!(shown(&again[..2]), shown(&told));
    assert_eq!((again.len(), again[2].text.clone()), (3, line(4, "c")));
}

/// A copy that is made and truncated between two looks, with lines that no look saw.
#[test]
fn a_copy_between_two_looks_is_found() {
    let mut machine = machine(Start::Beginning);
    machine.append("x.log", &line(1, "a"));
    let old = machine.one();
    for round in 2..6 {
        machine.append("x.log", &line(round, "unread"));
        machine.copy("x.log", "x.log.1");
        machine.truncate("x.log");
        machine.append("x.log", &line(round + 10, &"more than before ".repeat(9)));
        let told = machine.told(NONE);
        let copy = told.iter().find(|file| file.text.ends_with(&line(round, "unread")));
        assert!(copy.is_some(), "{told:?}");
        assert!(round > 2 || copy.is_some_and(|copy| copy.key == old.key));
        machine.remove("x.log.1");
        machine.truncate("x.log");
        machine.append("x.log", &line(round, "a"));
        machine.look(NONE);
    }
}

/// Without a copy, what was there before is gone.
#[test]
fn a_truncated_file_is_another() {
    let mut machine = machine(Start::Beginning);
    machine.append("x.log", &line(1, "a"));
    let old = machine.one();
    let file = machine.files.open(old.key, 0, 1).unwrap().file;
    machine.truncate("x.log");
    assert!(!machine.files.is_still(old.key, &file, 0));
    assert_eq!(machine.told(NONE), []);
    machine.append("x.log", &line(2, "a longer text than before"));
    assert!(!machine.files.is_still(old.key, &file, 1));
    let new = machine.one();
    assert_ne!(new.key, old.key);
    assert_eq!(new.text, line(2, "a longer text than before"));
}

/// A program that begins each of its logs with the same lines, with no time in them.
#[test]
fn a_file_written_anew_with_the_same_head_is_another() {
    let mut machine = machine(Start::Beginning);
    let head = "000001 the same head\n";
    machine.append("x.log", head);
    machine.append("x.log", &line(1, "a"));
    let old = machine.one();
    machine.truncate("x.log");
    machine.append("x.log", head);
    let new = machine.one();
    assert_ne!(new.key, old.key);
    // Nobody looked, and bytes are durable that it does not have.
    machine.restart();
    let released = [(old.key, old.text.len() as u64)];
    assert_eq!(machine.told(&released)[0].key, new.key);
    machine.append("x.log", &line(2, &"b".repeat(99)));
    assert_eq!(machine.told(&released)[0].key, new.key);
    // Without the cursor of the old one, the new one would be taken for it after the next restart.
    assert_eq!(machine.look(&released).former, [old.key]);
}

/// Who writes may notice minutes later that a log was rotated, and these lines count, too.
#[test]
fn a_renamed_file_is_written_to_minutes_later() {
    let mut machine = machine(Start::Beginning);
    machine.append("x.log", &line(1, "a"));
    let end = machine.look(NONE).files[0].end;
    machine.rename("x.log", "x.log.1");
    machine.append("x.log", &line(3, "c"));
    let key = machine.told(NONE)[0].key;
    for late in [line(1, "a minute later"), line(2, "more than that")] {
        machine.pass(FINISHED_MS - 1_000);
        // All of it is durable, and yet it is not let go.
        assert!(!machine.told(&[(key, end)])[0].is_finished);
        machine.append("x.log.1", &late);
        let told = machine.told(&[(key, end)]);
        assert!(told[0].text.ends_with(&late) && !told[0].is_finished);
    }
    machine.pass(FINISHED_MS);
    assert!(machine.told(NONE)[0].is_finished);
}

/// A last line without an end waits until nothing is written any more.
#[test]
fn a_last_line_without_an_end_waits() {
    let mut machine = machine(Start::Beginning);
    machine.append("x.log", "2026-11-21T");
    assert_eq!(machine.told(NONE), []);
    machine.append("x.log", "01:20:00Z a\n2026-11-21T01:20:01Z b");
    assert_eq!(machine.one().text, line(0, "a"));
    machine.pass(10 * QUIET_MS);
    assert_eq!(machine.one().text, line(0, "a"));
    machine.rename("x.log", "x.log.1");
    machine.append("x.log", &line(2, "c"));
    assert_eq!(machine.told(NONE)[0].text, line(0, "a"));
    machine.append("x.log.1", "b");
    machine.pass(QUIET_MS);
    assert_eq!(machine.told(NONE)[0].text, line(0, "a"));
    machine.pass(QUIET_MS);
    let told = machine.told(NONE);
    let text = line(0, "a") + "2026-11-21T01:20:01Z bb";
    assert_eq!((told[0].text.as_str(), told[0].is_finished), (text.as_str(), false));
    machine.pass(FINISHED_MS);
    let told = machine.told(NONE);
    assert_eq!((told[0].text.as_str(), told[0].is_finished), (text.as_str(), true));
}

/// A deleted file is read from its descriptor, until all of it is durable.
#[test]
fn a_deleted_file_is_read_to_its_end() {
    let mut machine = machine(Start::Beginning);
    machine.append("x.log", &line(1, "a"));
    let key = machine.one().key;
    let mut writer = File::options().append(true).open(machine.path("x.log")).unwrap();
    machine.remove("x.log");
    writer.write_all((line(2, "b") + "no end").as_bytes()).unwrap();
    let text = line(1, "a") + &line(2, "b");
    assert_eq!(machine.one(), Told { key, text: text.clone(), is_finished: false });
    machine.pass(QUIET_MS);
    let all = text + "no end";
    assert_eq!(machine.one(), Told { key, text: all.clone(), is_finished: true });
    let end = all.len() as u64;
    assert_eq!(machine.told(&[(key, end - 1)]).len(), 1);
    assert_eq!(machine.told(&[(key, end)]), []);
    assert!(machine.files.files.is_empty(), "its descriptor is closed");
}

/// A writer that never stops does not keep a file without a name open for ever.
#[test]
fn a_file_without_a_name_is_read_for_a_minute() {
    let mut machine = machine(Start::Beginning);
    machine.append("x.log", &line(1, "a"));
    machine.look(NONE);
    machine.rename("x.log", "elsewhere");
    for second in 0..59 {
        machine.append("elsewhere", &line(second, "b"));
        assert!(!machine.one().is_finished, "{second}");
        machine.pass(900);
    }
    machine.append("elsewhere", &line(60, "b"));
    machine.pass(10_000);
    machine.append("elsewhere", &line(61, "b"));
    assert!(machine.one().is_finished);
}

/// Files without a name are held up to a bound.
#[test]
fn more_than_a_gibibyte_is_not_held() {
    let mut machine = machine(Start::Beginning);
    for name in ["a.log", "b.log"] {
        machine.append(name, &line(1, name));
        let file = File::options().write(true).open(machine.path(name)).unwrap();
        // It takes no room on the disk.
        file.set_len(MAX_HELD_BYTES / 2 + 100).unwrap();
        file.write_all_at(b"\n", MAX_HELD_BYTES / 2 + 99).unwrap();
    }
    assert_eq!(machine.look(NONE).files.len(), 2);
    machine.remove("a.log");
    machine.look(NONE);
    machine.remove("b.log");
    let left = machine.look(NONE).files;
    assert_eq!(left.len(), 1);
    // What is durable counts for nothing.
    assert_eq!(machine.look(&[(left[0].key, left[0].end)]).files, left);
}

/// A compressed file is not read, and what it was made of is read from its descriptor.
#[test]
fn compression_takes_nothing_away() {
    let mut machine = machine(Start::Beginning);
    machine.append("x.log", &line(1, "a"));
    let key = machine.one().key;
    machine.rename("x.log", "x.log.1");
    machine.append("x.log", &line(2, "b"));
    machine.look(NONE);
    let text = std::fs::read(machine.path("x.log.1")).unwrap();
    let compressed = zstd::encode_all(text.as_slice(), 1).unwrap();
    std::fs::write(machine.path("x.log.1.zst"), compressed).unwrap();
    machine.remove("x.log.1");
    let told = machine.told(NONE);
    assert_eq!(told.len(), 2);
    assert_eq!(shown(&told[..1]), [(key, line(1, "a").as_str())]);
}

/// Logs of several programs may be named like rotated ones.
#[test]
fn a_name_like_a_rotated_one_is_not_finished_soon() {
    let mut machine = machine(Start::Beginning);
    machine.append("x.log", &line(1, "a"));
    machine.append("x.1.log", &line(2, "b"));
    machine.look(NONE);
    machine.pass(10 * QUIET_MS);
    let told = machine.told(NONE);
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|file| !file.is_finished));
    machine.append("x.1.log", &line(3, "b"));
    assert_eq!(machine.told(NONE)[1].text, line(2, "b") + &line(3, "b"));
}

/// From now on: the ends of the first look, and all of what appears later.
#[test]
fn files_count_from_the_first_look_on() {
    let mut machine = machine(Start::Now);
    machine.append("x.log", &(line(1, "a") + "begun"));
    let first = |look: Look| look.files.iter().map(|file| file.first).collect::<Vec<u64>>();
    let end = line(1, "a").len() as u64;
    assert_eq!(first(machine.look(NONE)), [end]);
    machine.append("x.log", " ended\n");
    machine.append("y.log", &line(2, "b"));
    let mut firsts = first(machine.look(NONE));
    firsts.sort_unstable();
    assert_eq!(firsts, [0, end]);
}

/// From a time on: whatever is older does not count, also after a restart.
#[test]
fn files_count_from_a_time_on() {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let since = i64::try_from(now.as_millis()).unwrap() - 10_000;
    let at = |after: i64| memberd_streams::time_text(since + after) + " x\n";
    // The files are younger than the time, so they count from their beginning, ...
    let mut machine = machine(Start::At(since));
    machine.append("x.log", &(at(-2) + &at(0)));
    assert_eq!(machine.look(NONE).files[0].first, 0);
    // ... but for what is older than the files.
    let later = since + 20_000;
    machine.start = Start::At(later);
    machine.restart();
    machine.append("x.log", &at(20_000));
    let old = File::options().write(true).open(machine.path("x.log")).unwrap();
    let modified = SystemTime::now() + std::time::Duration::from_secs(60);
    old.set_modified(modified).unwrap();
    let end = (at(-2) + &at(0)).len() as u64;
    assert_eq!(machine.look(NONE).files[0].first, end);
    // Nothing was written since then.
    old.set_modified(SystemTime::now()).unwrap();
    machine.restart();
    assert_eq!(machine.look(NONE).files[0].first, end + at(20_000).len() as u64);
}

/// A directory is read again only if something in it was created, renamed or removed. One that is
/// not there is looked for.
#[test]
fn directories_are_read_when_they_have_changed() {
    let mut machine = machine(Start::Beginning);
    let globs = ["*.log", "later/*.log"].map(|glob| machine.path(glob));
    let globs = globs.map(|glob| glob.to_str().unwrap().to_owned());
    machine.offer = Arc::new(ExposedFiles::new(&globs).unwrap());
    machine.append("x.log", &line(1, "a"));
    // Its stamp is old enough that the next change has another one.
    let began = std::time::Instant::now();
    loop {
        machine.look(NONE);
        let listing = machine.files.listing.as_ref().unwrap();
        assert_eq!(listing.directories.as_ref().map(Vec::len), Some(2));
        let began_ms = listing.began.boot_ms;
        machine.look(NONE);
        if machine.files.listing.as_ref().unwrap().began.boot_ms == began_ms {
            break;
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "it is read at each look");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    machine.append("y.log", &line(2, "b"));
    assert_eq!(machine.told(NONE).len(), 2);
    std::fs::create_dir(machine.path("later")).unwrap();
    machine.append("later/z.log", &line(3, "c"));
    assert_eq!(machine.told(NONE).len(), 3);
}
