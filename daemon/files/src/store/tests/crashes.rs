//! The power goes at any operation: what was acknowledged is there, and nothing half.

use super::model::{Model, Step, Story, content, story};
use super::*;
use crate::store::sim_disk::{Fault, Random, Which};

/// Opens a store after the power went, and asserts what must be so, also if the power goes again
/// while it opens. Then it is used.
fn check_restart(disk: &SimDisk, story: &Story, seed: u64, what: &str) {
    disk.restart(seed);
    for operation in [1, 2, 3, 5, 8, 13, 21] {
        disk.fail_at(Which::Changes, operation, Fault::Power);
        if Store::open(disk.clone(), SETTINGS).is_ok() {
            break;
        }
        disk.restart(seed + operation);
    }
    disk.restart(seed + 99);
    let mut store = open(disk.clone());
    story.check(&mut store, what);
    let shown = Model::of(&mut store);
    assert_eq!(store.take_notes(), Vec::<String>::new(), "{what}");
    let end = store.shares().iter().find(|of| of.share == share("a")).map_or(1, |of| of.end);
    assert_eq!(ask(&mut store, append("a", end, 2)), Ok(Done::Durable), "{what}");
    put(&mut store, id(9), &content(9));
    disk.restart(seed);
    let mut store = open(disk.clone());
    assert_eq!(log(&mut store, "a", end).1, entries(end, 2), "{what}");
    assert!(read(&mut store, id(9)).unwrap() == content(9));
    let extents = Model::of(&mut store).extents;
    assert_eq!(extents.len(), shown.extents.len() + 1, "{what}");
}

/// The power goes at each operation of the story, and at some of each restart.
#[test]
fn acknowledged_jobs_survive_a_crash_anywhere() {
    let steps = story();
    for operation in 1.. {
        for seed in 0..8 {
            let disk = SimDisk::default();
            disk.fail_at(Which::Changes, operation, Fault::Power);
            let mut story = Story::default();
            let opened = Store::open(disk.clone(), SETTINGS);
            let is_over = opened.is_ok_and(|mut store| {
                story.run(&mut store, &steps);
                store.state == StoreState::Open
            });
            let what = format!("operation {operation}, seed {seed}");
            check_restart(&disk, &story, operation * 1_000 + seed, &what);
            if is_over {
                assert!(operation > 100, "{operation}");
                return;
            }
        }
    }
}

/// Random stories with random crashes, several after each other.
#[test]
fn random_stories_survive_random_crashes() {
    let seeds = std::env::var("MEMBERD_SIM_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    for seed in 0..seeds.unwrap_or(300) {
        let mut random = Random(seed);
        let disk = SimDisk::default();
        let mut next = 1;
        let mut model = Model::default();
        for round in 0..4 {
            disk.fail_at(Which::Changes, 1 + random.below(150), Fault::Power);
            let mut told = Story::of(model.clone());
            if let Ok(mut store) = Store::open(disk.clone(), SETTINGS) {
                let steps = random_steps(&mut random, &mut store, &mut next);
                told.run(&mut store, &steps);
            }
            disk.restart(seed * 7 + round);
            let mut store = open(disk.clone());
            told.check(&mut store, &format!("seed {seed}, round {round}"));
            model = Model::of(&mut store);
        }
    }
}

/// Steps that fit to what a store has.
fn random_steps<D: Disk>(random: &mut Random, store: &mut Store<D>, next: &mut u128) -> Vec<Step> {
    let mut ends: std::collections::BTreeMap<_, _> =
        store.shares().into_iter().map(|of| (of.share, of.end)).collect();
    let mut applied: std::collections::BTreeMap<_, _> = store
        .shares()
        .into_iter()
        .map(|of| (of.share, of.image.map_or(0, |image| image.applied)))
        .collect();
    let mut ids: Vec<_> = Model::of(store).extents.into_keys().collect();
    let mut steps = Vec::new();
    for _ in 0..30 {
        let name = share(["a", "b"][random.index(2)]);
        let end = ends.entry(name.clone()).or_insert(1);
        let applied = applied.entry(name.clone()).or_insert(0);
        match random.below(10) {
            0..4 => {
                let count = 1 + random.below(4);
                steps.push(Step::Job(append(name.as_str(), *end, count)));
                *end += count;
            }
            4 if *end > *applied + 3 => {
                let from = *end - random.below(3);
                steps.extend([Step::Commit, Step::Job(Job::Cut { share: name, from })]);
                *end = from;
            }
            5 if *end > *applied + 2 => {
                let image = bytes(*end, 600);
                *applied = *end - 1 - random.below(2);
                let head = image_head(*applied, &image);
                let job = Job::ImagePiece { share: name.clone(), offset: 0, bytes: image };
                steps.extend([Step::Commit, Step::Job(job)]);
                steps.push(Step::Job(Job::ImageCommit { share: name, head }));
            }
            6 | 7 => {
                *next += 1;
                let id = id(*next % 250);
                steps.push(Step::Job(piece(id, 0, &bytes(random.below(9), 700))));
                steps.push(Step::Job(seal(id)));
                ids.push(id);
            }
            8 if !ids.is_empty() => {
                let id = ids.swap_remove(random.index(ids.len()));
                steps.extend([Step::Commit, Step::Job(Job::Drop { id })]);
            }
            9 if random.below(3) == 0 => steps.push(Step::Checkpoint),
            _ => steps.push(Step::Commit),
        }
    }
    steps.push(Step::Commit);
    steps
}

/// A log that ends at any byte has the whole frames before it.
#[test]
fn a_torn_end_is_cut() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    for index in 1..4 {
        ask(&mut store, append("a", index, 1)).unwrap();
    }
    let wal = wal::path(store.wal.segment);
    let whole = disk.bytes(&wal).unwrap();
    let position = (store.wal.segment, store.wal.sequence - 3);
    let mut ends = std::collections::BTreeSet::new();
    for length in 0..=whole.len() {
        let disk = SimDisk::default();
        disk.create_directory("wal").unwrap();
        let file = disk.create(&wal).unwrap();
        disk.write_at(&file, &whole[..length], 0).unwrap();
        let mut count = 0;
        let (segment, sequence) = position;
        let salt = SETTINGS.salt;
        let end = wal::replay(&disk, salt, segment, sequence, &mut |_, _| {
            count += 1;
            Ok(())
        });
        assert_eq!(end.unwrap(), sequence + count);
        ends.insert(count);
    }
    assert_eq!(ends.len(), 4);
}

/// A frame that was durable and is damaged is no crash: the store does not open, and nothing is
/// changed.
#[test]
fn damage_is_not_taken_for_a_crash() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    for index in 1..4 {
        ask(&mut store, append("a", index, 1)).unwrap();
    }
    let wal = wal::path(store.wal.segment);
    for place in [0, 5, 9, 540] {
        disk.rot(&wal, place);
        let before = disk.bytes(&wal);
        let error = Store::open(disk.clone(), SETTINGS).unwrap_err();
        assert!(matches!(&error, OpenError::Damaged(why) if why.contains("is whole")), "{error}");
        assert_eq!(disk.bytes(&wal), before);
        disk.rot(&wal, place);
    }
    assert_eq!(log(&mut open(disk), "a", 0).1, entries(1, 3));
}

/// What a user writes is never taken for a frame, since nobody knows the salt.
#[test]
fn a_frame_in_user_bytes_is_none() {
    let disk = SimDisk::default();
    let mut store = open(disk.clone());
    ask(&mut store, append("a", 1, 1)).unwrap();
    let wal = wal::path(store.wal.segment);
    ask(&mut store, append("a", 2, 1)).unwrap();
    let second = disk.bytes(&wal).unwrap().split_off(512);
    let other = SimDisk::default();
    let settings = StoreSettings { salt: 78, ..SETTINGS };
    let mut store = Store::open(other.clone(), settings).unwrap();
    ask(&mut store, append("a", 1, 1)).unwrap();
    // A frame that is torn, with a frame of another store behind it.
    let file = other.open(&wal).unwrap();
    other.write_at(&file, &[0; 100], 0).unwrap();
    other.write_at(&file, &second, 512).unwrap();
    assert!(Store::open(other, settings).is_ok());
}
