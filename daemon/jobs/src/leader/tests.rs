//! Tests of the leader: what moves, when, and what is told only after it is durable.

use super::*;
use crate::store::At;
use crate::table::{From, OnFailed};
use memberd_membership::Incarnation;

fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

fn members(up: &[usize], down: &[usize]) -> Vec<MemberState> {
    let state = |(i, is_alive): (usize, bool)| MemberState {
        member: MemberId { name: name(i), incarnation: Incarnation(1) },
        is_alive,
    };
    let up = up.iter().map(|i| (*i, true));
    up.chain(down.iter().map(|i| (*i, false))).map(state).collect()
}

fn spec() -> JobSpec {
    JobSpec {
        name: "shop".to_owned(),
        query: String::new(),
        partitions: 16,
        every_ms: 10_000,
        lateness_ms: 5_000,
        retain_ms: 60_000,
        commit_ms: 1_000,
        on_failed: OnFailed::Exclude,
        copies: 5,
        files: vec!["/var/log/shop/*.log".to_owned()],
        from: From::Now,
        tags: Vec::new(),
        sink: "/streams/shop.tsv".to_owned(),
    }
}

/// A leader, and the table's file.
struct Pair {
    leader: Leader,
    at: At,
    bytes: Vec<u8>,
    now: Now,
    told: Vec<Message>,
}

impl Pair {
    fn new() -> Pair {
        let leader = Leader::new(Arc::new(Settings::default()), 3, Now::default());
        let now = Now { boot_ms: 1, wall_ms: 0 };
        let mut pair = Pair { leader, at: At::default(), bytes: Vec::new(), now, told: Vec::new() };
        pair.give(|leader, now, out| leader.handle_members(now, &members(&[0, 1, 2, 3], &[]), out));
        pair.give(|leader, now, out| {
            leader.command(now, Command::Start(spec()), out);
        });
        pair
    }

    /// Gives an input, and answers whatever the file is asked.
    fn give(&mut self, input: impl FnOnce(&mut Leader, Now, &mut VecDeque<Output>)) {
        let mut out = VecDeque::new();
        input(&mut self.leader, self.now, &mut out);
        while let Some(output) = out.pop_front() {
            match output {
                Output::Send(_, message) => self.told.push(message),
                Output::Store(ask) => {
                    let answer = self.stored(&ask);
                    let about = (ask.id, ask.file);
                    self.leader.handle_store(self.now, about, answer, &mut out);
                }
                Output::Fold(_) | Output::Note(_) => {}
            }
        }
    }

    fn stored(&mut self, ask: &StoreAsk) -> StoreAnswer {
        match &ask.operation {
            StoreOperation::Read { .. } => StoreAnswer::Bytes(self.at, self.bytes.clone()),
            StoreOperation::Replace { bytes, .. } => {
                self.bytes.clone_from(bytes);
                self.at.version += 1;
                StoreAnswer::Done(self.at)
            }
            _ => StoreAnswer::Done(self.at),
        }
    }

    fn job(&self) -> (JobId, Job) {
        let table = read_table(&self.bytes).unwrap();
        let (id, job) = table.jobs.first_key_value().unwrap();
        (*id, job.clone())
    }

    fn moved(&self, before: &Job) -> usize {
        let (_, job) = self.job();
        job.stages.iter().filter(|(stage, now)| before.stages.get(stage) != Some(now)).count()
    }

    fn open_all(&mut self) {
        let (id, job) = self.job();
        for (stage, assignment) in job.stages {
            let opened = Message::Opened { job: id, stage, epoch: assignment.epoch };
            self.give(|leader, _, out| leader.handle_message(&name(0), &opened, out));
        }
    }
}

#[test]
fn a_job_is_told_once_all_of_it_is_durable() {
    let pair = Pair::new();
    let (_, job) = pair.job();
    assert_eq!(job.stages.len(), 17);
    let told = pair.told.iter().filter_map(|message| match message {
        Message::Table(table) => Some(table.version),
        _ => None,
    });
    assert_eq!(told.max(), Some(read_table(&pair.bytes).unwrap().version));
    let epochs: std::collections::BTreeSet<Epoch> =
        job.stages.values().map(|assignment| assignment.epoch).collect();
    assert_eq!(epochs.len(), 17, "each epoch is given once");
}

#[test]
fn stages_of_a_member_that_died_move_at_once() {
    let mut pair = Pair::new();
    let (_, before) = pair.job();
    let of_dead = before.stages.values().filter(|it| it.owner.name == name(2)).count();
    assert!(of_dead > 2);
    pair.give(|leader, now, out| leader.handle_members(now, &members(&[0, 1, 3], &[2]), out));
    assert_eq!(pair.moved(&before), of_dead);
    let (_, job) = pair.job();
    assert!(job.stages.values().all(|it| it.owner.name != name(2) && it.epoch.term == 3));
    assert_eq!(job.sources.get(&name(2)), Some(&SourceState::Failed));
}

/// Who joins gets its share two stages at a time, and none before the group has settled.
#[test]
fn for_balance_two_stages_move_at_a_time() {
    let mut pair = Pair::new();
    pair.open_all();
    let (_, before) = pair.job();
    pair.give(|leader, now, out| leader.handle_members(now, &members(&[0, 1, 2, 3, 4], &[]), out));
    assert_eq!(pair.moved(&before), 0);
    pair.now.boot_ms += 29_000;
    pair.give(Leader::handle_timeout);
    assert_eq!(pair.moved(&before), 0);
    pair.now.boot_ms += 2_000;
    pair.give(Leader::handle_timeout);
    assert_eq!(pair.moved(&before), 2);
    pair.give(Leader::handle_timeout);
    assert_eq!(pair.moved(&before), 2, "the first two are not open yet");
    pair.open_all();
    pair.give(Leader::handle_timeout);
    assert!(pair.moved(&before) > 2);
}

#[test]
fn a_leader_that_is_fenced_ends() {
    let mut pair = Pair::new();
    let mut out = VecDeque::new();
    let now = pair.now;
    pair.leader.handle_members(now, &members(&[0, 1], &[2, 3]), &mut out);
    let ask = out.iter().find_map(|output| match output {
        Output::Store(ask) => Some(ask.clone()),
        _ => None,
    });
    let ask = ask.unwrap();
    let fenced = StoreAnswer::Fenced(Epoch { term: 4, number: 0 }.token());
    pair.leader.handle_store(now, (ask.id, ask.file), fenced, &mut out);
    assert!(pair.leader.has_ended() && pair.leader.table().is_none());
}

#[test]
fn a_name_begins_once_and_a_forgotten_member_stays_so() {
    let mut pair = Pair::new();
    let (id, _) = pair.job();
    pair.give(|leader, now, out| {
        leader.command(now, Command::Start(spec()), out);
    });
    assert_eq!(read_table(&pair.bytes).unwrap().jobs.len(), 1);
    pair.give(|leader, now, out| {
        leader.command(now, Command::Forget(id, name(1)), out);
    });
    pair.give(|leader, now, out| leader.handle_members(now, &members(&[0, 1], &[]), out));
    assert_eq!(pair.job().1.sources.get(&name(1)), Some(&SourceState::Forgotten));
    pair.give(|leader, now, out| {
        leader.command(now, Command::Cancel(id), out);
    });
    assert!(pair.job().1.is_cancelled);
}
