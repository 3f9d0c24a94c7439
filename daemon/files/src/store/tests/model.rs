//! What a store should show, kept in memory; and a story of jobs with what was acknowledged.

use super::*;
use std::collections::BTreeMap;

/// What is shown of a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Model {
    pub(super) shares: BTreeMap<ShareName, ShareModel>,
    pub(super) extents: BTreeMap<ExtentId, (Vec<u8>, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ShareModel {
    epoch: u64,
    memo: Vec<u8>,
    image: Option<(u64, Vec<u8>)>,
    /// The entries that are in no image.
    log: BTreeMap<u64, Vec<u8>>,
}

impl Model {
    /// What a job makes of it. Uploads and images that are received are in `pieces`.
    pub(super) fn apply(&mut self, job: &Job, pieces: &mut Pieces) {
        match job {
            Job::Promise { share, epoch, memo } => {
                let share = self.shares.entry(share.clone()).or_default();
                (share.epoch, share.memo) = (epoch.0, memo.clone());
            }
            Job::Append { share, first, entries } => {
                let share = self.shares.entry(share.clone()).or_default();
                share.log.extend((*first..).zip(entries.iter().cloned()));
            }
            Job::Cut { share, from } => {
                if let Some(share) = self.shares.get_mut(share) {
                    share.log.split_off(from);
                }
            }
            Job::ImagePiece { share, offset, bytes } => {
                let image = pieces.images.entry(share.clone()).or_default();
                image.truncate(usize::try_from(*offset).unwrap());
                image.extend(bytes);
            }
            Job::ImageCommit { share, head } => {
                let image = pieces.images.remove(share).unwrap();
                let share = self.shares.entry(share.clone()).or_default();
                share.image = Some((head.applied, image));
                share.log = share.log.split_off(&(head.applied + 1));
            }
            Job::DropShare { share } => {
                self.shares.remove(share);
            }
            Job::Piece { id, bytes, .. } => {
                pieces.uploads.entry(*id).or_default().extend(bytes);
            }
            Job::Seal { id, facts, .. } => {
                let content = pieces.uploads.remove(id).unwrap();
                self.extents.insert(*id, (content, facts.set.version));
            }
            Job::Set { id, set } => {
                self.extents.get_mut(id).unwrap().1 = set.version;
            }
            Job::Drop { id } => {
                self.extents.remove(id);
            }
            job => panic!("{job:?}"),
        }
    }

    /// What a store shows.
    pub(super) fn of<D: Disk>(store: &mut Store<D>) -> Model {
        let mut model = Model::default();
        for standing in store.shares() {
            assert_eq!(standing.damaged, None);
            let applied = standing.image.map_or(0, |image| image.applied);
            let name = standing.share.as_str();
            let (first, entries) = log(store, name, 0);
            assert_eq!((first, first + entries.len() as u64), (standing.first, standing.end));
            let log = (first..).zip(entries).filter(|(index, _)| *index > applied).collect();
            let image = standing.image.map(|head| {
                let job = Job::ReadImage { share: share(name), offset: 0, bytes: Job::MAX_BYTES };
                let Ok(Done::Bytes(image)) = ask(store, job) else { panic!() };
                (head.applied, image)
            });
            let epoch = standing.epoch.0;
            let of = ShareModel { epoch, memo: standing.memo, image, log };
            model.shares.insert(standing.share, of);
        }
        let list = Job::List { with: None, after: None, limit: 999 };
        let Ok(Done::Extents(listed)) = ask(store, list) else { panic!() };
        for of in listed {
            assert!(!of.is_bad, "{of:?}");
            let content = read(store, of.id).unwrap();
            model.extents.insert(of.id, (content, of.set.version));
        }
        model
    }
}

/// What is not sealed yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Pieces {
    uploads: BTreeMap<ExtentId, Vec<u8>>,
    images: BTreeMap<ShareName, Vec<u8>>,
}

/// A step of a story.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Job(Job),
    Commit,
    Checkpoint,
}

/// What happened to a story.
#[derive(Debug, Clone, Default)]
pub(super) struct Story {
    /// What was acknowledged made this.
    pub(super) acknowledged: Model,
    pieces: Pieces,
    /// The jobs of which it is not known.
    pub(super) maybe: Vec<Job>,
    pub(super) full: usize,
}

impl Story {
    /// A story that begins with what a store has.
    pub(super) fn of(acknowledged: Model) -> Story {
        Story { acknowledged, ..Story::default() }
    }

    /// Does all steps, also after a failure.
    pub(super) fn run<D: Disk>(&mut self, store: &mut Store<D>, steps: &[Step]) {
        let mut jobs = BTreeMap::new();
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Job(job) => {
                    jobs.insert(JobId(number as u64), job);
                    store.take(JobId(number as u64), job.clone());
                }
                Step::Commit => store.commit(),
                Step::Checkpoint => store.close(),
            }
            let mut answers = BTreeMap::new();
            while let Some((id, answer)) = store.poll_done() {
                answers.insert(id, answer);
            }
            for (id, answer) in answers {
                let job = jobs[&id];
                match answer {
                    Ok(_) => {
                        assert_eq!(self.maybe, [], "it goes on after a failure");
                        self.acknowledged.apply(job, &mut self.pieces);
                    }
                    Err(Refused::Failed(_)) => self.maybe.push(job.clone()),
                    Err(Refused::Full | Refused::Bad(_)) => self.full += 1,
                    // What follows something that was refused.
                    Err(Refused::Misplaced { .. } | Refused::Unknown) => assert!(self.full > 0),
                    Err(refused) => panic!("{job:?}: {refused:?}"),
                }
            }
        }
    }

    /// Asserts that a store shows what was acknowledged, and what was not known up to some point.
    #[track_caller]
    pub(super) fn check<D: Disk>(&self, store: &mut Store<D>, what: &str) {
        let shown = Model::of(store);
        let mut model = self.acknowledged.clone();
        let mut pieces = self.pieces.clone();
        let mut models = vec![model.clone()];
        for job in &self.maybe {
            if let Job::Piece { .. } | Job::ImagePiece { .. } = job {
                break;
            }
            model.apply(job, &mut pieces);
            models.push(model.clone());
        }
        let sealed: Vec<_> = models.iter().map(|model| model.extents.clone()).collect();
        let fits = models.iter().any(|model| model.shares == shown.shares);
        assert!(fits, "{what}: {:#?}\nis none of {models:#?}", shown.shares);
        // An extent that has its place is shown, also if its record is lost.
        for (id, content) in &shown.extents {
            let fits = sealed.iter().any(|extents| extents.get(id) == Some(content));
            assert!(fits, "{what}: {id:?}");
        }
        let last = sealed.last().unwrap();
        for id in self.acknowledged.extents.keys().filter(|id| last.contains_key(id)) {
            assert!(shown.extents.contains_key(id), "{what}: {id:?} is lost");
        }
    }
}

/// A story with all kinds of jobs.
pub(super) fn story() -> Vec<Step> {
    use Step::{Checkpoint, Commit, Job as J};
    let promise = |name: &str, epoch| {
        J(Job::Promise { share: share(name), epoch: Epoch(epoch), memo: vec![7; 30] })
    };
    let cut = |name: &str, from| J(Job::Cut { share: share(name), from });
    let upload = |number: u128| J(piece(id(number), 0, &content(number)));
    let image = bytes(50, 70_000);
    let head = image_head(6, &image);
    vec![
        promise("a", 1),
        J(append("a", 1, 3)),
        Commit,
        upload(1),
        J(append("a", 4, 3)),
        J(seal(id(1))),
        promise("b", 1),
        Commit,
        cut("a", 5),
        J(append("a", 5, 4)),
        upload(2),
        J(seal(id(2))),
        Commit,
        Checkpoint,
        J(append("a", 9, 1)),
        cut("a", 8),
        Commit,
        J(append("a", 8, 3)),
        Commit,
        J(Job::ImagePiece { share: share("a"), offset: 0, bytes: image[..40_000].to_vec() }),
        J(Job::ImagePiece { share: share("a"), offset: 40_000, bytes: image[40_000..].to_vec() }),
        J(Job::ImageCommit { share: share("a"), head }),
        J(append("a", 11, 1)),
        Commit,
        J(Job::Set { id: id(1), set: set(2, &["vm1", "vm4"]) }),
        J(append("b", 10, 2)),
        Commit,
        J(Job::Drop { id: id(2) }),
        promise("a", 2),
        Commit,
        J(append("a", 12, 3)),
        cut("a", 13),
        J(Job::DropShare { share: share("b") }),
        J(append("b", 1, 2)),
        Commit,
        upload(3),
        J(seal(id(3))),
        J(Job::Drop { id: id(3) }),
        J(append("a", 13, 1)),
        Commit,
    ]
}

/// The content of an extent: one of several groups, others of less than a sector.
pub(super) fn content(number: u128) -> Vec<u8> {
    let number = u64::try_from(number).unwrap();
    bytes(number, if number % 3 == 1 { 70_001 } else { 300 })
}
