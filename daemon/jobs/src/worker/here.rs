//! What one job has on one member: its source, and the stages that the table gives it. Owns them.

use crate::ids::{Epoch, JobId, MemberId, Now, Partition, Stage};
use crate::message::Message;
use crate::output::{Note, Output};
use crate::owner::Owner;
use crate::settings::Settings;
use crate::sink::Sink;
use crate::source::Source;
use crate::sums::Sums;
use crate::table::Job;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A stage that cannot go on.
pub(super) struct Broken {
    epoch: Epoch,
    /// Whether nothing can repair it.
    is_certain: bool,
    reason: String,
}

/// What a job has here.
pub(super) struct Here<S: Sums> {
    pub(super) sums: Arc<S>,
    /// None once the job ends, and while this member takes no part with its files.
    pub(super) source: Option<Source>,
    pub(super) owners: BTreeMap<Partition, Owner<S>>,
    pub(super) sink: Option<Sink>,
    pub(super) is_ending: bool,
    /// The newest epoch that each stage had here and has no more.
    pub(super) ended: BTreeMap<Stage, Epoch>,
    /// The stages that cannot go on here, and why.
    pub(super) broken: BTreeMap<Stage, Broken>,
}

impl<S: Sums> Here<S> {
    pub(super) fn new(sums: S) -> Self {
        Here {
            sums: Arc::new(sums),
            source: None,
            owners: BTreeMap::new(),
            sink: None,
            is_ending: false,
            ended: BTreeMap::new(),
            broken: BTreeMap::new(),
        }
    }

    /// Remembers what a note says of a stage: whether it cannot go on.
    pub(super) fn note(&mut self, job: JobId, note: &Note) {
        let (id, stage, reason) = match note {
            Note::Opened(id, stage) => (id, stage, None),
            Note::Stopped(id, stage, reason) => (id, stage, Some((true, reason.clone()))),
            Note::LogUnreadable(id, stage, reason) => (id, stage, Some((false, reason.clone()))),
            Note::LogLost(id, stage) => {
                (id, stage, Some((false, "all copies of a log are lost".to_owned())))
            }
            Note::SinkDamaged(id) => {
                (id, &Stage::Sink, Some((false, "the sink has other bytes".to_owned())))
            }
            _ => return,
        };
        let Some(epoch) = self.epoch(*stage).filter(|_| *id == job) else { return };
        match reason {
            Some((is_certain, reason)) => {
                self.broken.insert(*stage, Broken { epoch, is_certain, reason });
            }
            None => {
                self.broken.remove(stage);
            }
        }
    }

    /// What has to be in the table: stages that cannot go on, and that the sink has its last line.
    /// A stage that may be repaired stops its job only if that ends anyway.
    pub(super) fn reports(&self, job: JobId) -> Vec<Message> {
        let is_due = |broken: &Broken| broken.is_certain || self.is_ending;
        let broken = self.broken.iter().filter(|(_, broken)| is_due(broken));
        let mut reports: Vec<Message> = broken
            .map(|(stage, broken @ Broken { epoch, reason, .. })| Message::Stop {
                job,
                stage: *stage,
                epoch: *epoch,
                reason: reason.clone(),
                has_log: broken.is_certain,
            })
            .collect();
        let finished = self.sink.as_ref().filter(|sink| sink.is_finished());
        reports.extend(finished.map(|sink| Message::Finished { job, epoch: sink.epoch() }));
        reports
    }

    pub(super) fn has_report(&self) -> bool {
        let is_due = |broken: &Broken| broken.is_certain || self.is_ending;
        self.broken.values().any(is_due) || self.sink.as_ref().is_some_and(Sink::is_finished)
    }

    pub(super) fn epoch(&self, stage: Stage) -> Option<Epoch> {
        match stage {
            Stage::Partition(partition) => self.owners.get(&partition).map(Owner::epoch),
            Stage::Sink => self.sink.as_ref().map(Sink::epoch),
        }
    }

    /// The stages that are open, and their epochs.
    pub(super) fn open(&self) -> Vec<(Stage, Epoch)> {
        let open = self.owners.iter().filter(|(_, owner)| owner.is_open());
        let mut open: Vec<(Stage, Epoch)> =
            open.map(|(partition, owner)| (Stage::Partition(*partition), owner.epoch())).collect();
        let sink = self.sink.as_ref().filter(|sink| sink.is_open());
        open.extend(sink.map(|sink| (Stage::Sink, sink.epoch())));
        open
    }

    /// Owns what the table gives to this very stay of the member, and nothing else.
    pub(super) fn obey(
        &mut self,
        now: Now,
        (settings, own, id): (&Arc<Settings>, &MemberId, JobId),
        job: &Arc<Job>,
        out: &mut VecDeque<Output>,
    ) {
        if job.is_ending() || !job.sources.contains_key(&own.name) {
            self.source = None;
        } else if self.source.is_none() {
            self.source = Some(Source::new(Arc::clone(settings), id, Arc::clone(job)));
        }
        if let Some(source) = &mut self.source {
            source.handle_job(Arc::clone(job));
        }
        if job.stopped.is_some() {
            self.owners.clear();
        }
        let is_current = |stage: &Stage, broken: &mut Broken| {
            job.stages.get(stage).is_some_and(|assignment| assignment.epoch == broken.epoch)
        };
        self.broken.retain(is_current);
        for (stage, assignment) in &job.stages {
            let is_own = assignment.owner == *own;
            let known = self.epoch(*stage);
            let ended = self.ended.get(stage).is_some_and(|ended| *ended >= assignment.epoch);
            match stage {
                Stage::Partition(partition) if !is_own => {
                    self.owners.remove(partition);
                }
                Stage::Sink if !is_own => self.sink = None,
                _ if known == Some(assignment.epoch) || ended => {}
                Stage::Partition(_) if job.stopped.is_some() => {}
                Stage::Partition(partition) => {
                    let sums = Arc::clone(&self.sums);
                    let place = (id, *partition);
                    let settings = Arc::clone(settings);
                    let job = Arc::clone(job);
                    let owner = Owner::new(settings, sums, place, assignment.epoch, job);
                    self.owners.insert(*partition, owner);
                }
                Stage::Sink => {
                    let settings = Arc::clone(settings);
                    let (epoch, job) = (assignment.epoch, Arc::clone(job));
                    let sink = Sink::new(settings, id, epoch, job, self.sums.steps());
                    self.sink = Some(sink);
                }
            }
        }
        for owner in self.owners.values_mut() {
            owner.handle_job(now, Arc::clone(job), out);
        }
        if let Some(sink) = &mut self.sink {
            sink.handle_job(now, Arc::clone(job), out);
        }
        self.is_ending = job.is_ending();
    }
}
