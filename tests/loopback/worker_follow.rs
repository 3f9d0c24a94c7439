//! Questions that follow files, as the daemons and their workers answer them. The control socket is
//! asked without memberctl.

use memberd_control::grep::{GrepOutcome, GrepPattern, GrepRequest};
use memberd_control::message::{Reply, Request};
use memberd_control::stats::StatsRequest;
use memberd_streams::{Gather, Limits, Plan, Query, Value};
use memberd_tests::control::reply;
use memberd_tests::wait::{SOON, holds, stretched};
use memberd_tests::{Daemon, Fleet, wait_until};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

const QUERY: &str = "needle | count by member";

const LIMITS: Limits = Limits { groups: 1_000, bytes: 1 << 20 };

/// A question that follows, and what has come of it.
struct Follow {
    stream: UnixStream,
    /// The parts of whole rounds, with their members.
    whole: Vec<(String, Vec<u8>)>,
    /// The parts of rounds that have not ended.
    held: Vec<(String, Vec<u8>)>,
    /// How many whole rounds each member has sent.
    rounds: BTreeMap<String, usize>,
    outcomes: BTreeMap<String, GrepOutcome>,
    notices: Vec<String>,
}

impl Follow {
    /// Asks, and waits until these members follow their files.
    fn of(daemon: &Daemon, members: &[&str]) -> Follow {
        let patterns = vec![b"needle".to_vec()];
        let pattern = GrepPattern { patterns, ..GrepPattern::default() };
        let mut grep = GrepRequest { pattern, ..GrepRequest::default() };
        grep.files.follow = true;
        let (query, every_ms) = (QUERY.to_owned(), Some(100));
        let request = StatsRequest { grep, query, groups: 10, bytes: 0, every_ms };
        let request = Request::Stats(Box::new(request));
        let stream = daemon.control().ask(&request, Some(stretched(SOON))).unwrap();
        let mut follow = Follow {
            stream,
            whole: Vec::new(),
            held: Vec::new(),
            rounds: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            notices: Vec::new(),
        };
        follow.until(|it| members.iter().all(|member| it.rounds.contains_key(*member)));
        follow
    }

    /// Takes replies until that holds.
    fn until(&mut self, holds: impl Fn(&Follow) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < stretched(SOON), "{:?} {:?}", self.counts(), self.notices);
            match reply(&mut self.stream).unwrap() {
                Reply::StatsPartial { member, bytes } => self.held.push((member, bytes)),
                Reply::StatsRound { member, is_whole } => {
                    let own = self.held.extract_if(.., |(name, _)| *name == member);
                    let own: Vec<_> = own.collect();
                    if is_whole {
                        self.whole.extend(own);
                        *self.rounds.entry(member).or_default() += 1;
                    }
                }
                Reply::GrepMember { member, outcome } => {
                    self.outcomes.insert(member, outcome);
                }
                Reply::GrepNotice(text) => self.notices.push(text),
                Reply::GrepProgress { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until a notice has these words.
    fn until_told(&mut self, words: &str) {
        self.until(|it| it.notices.iter().any(|notice| notice.contains(words)));
        self.notices.clear();
    }

    /// Waits until just so many lines are counted of these members.
    fn expect(&mut self, counts: &[(&str, u64)]) {
        self.until(|it| {
            let counted = it.counts();
            let most = counts
                .iter()
                .all(|(member, most)| counted.get(*member).is_none_or(|count| count <= most));
            assert!(most, "{counted:?}, not {counts:?}");
            counts.iter().all(|(member, count)| counted.get(*member) == Some(count))
        });
    }

    /// The lines of each member in whole rounds.
    fn counts(&self) -> BTreeMap<String, u64> {
        let plan = Plan::new(&Query::parse(QUERY).unwrap()).unwrap();
        let mut gather = Gather::new(Arc::new(plan), LIMITS);
        for (member, bytes) in &self.whole {
            gather.partial(member, bytes).unwrap();
        }
        let rows = gather.finish().unwrap().rows;
        let of = |values: &[Value]| match values {
            [Value::Text(member), Value::Number(count)] => {
                let member = String::from_utf8(member.clone()).unwrap();
                (member, count.to_string().parse().unwrap())
            }
            other => panic!("{other:?}"),
        };
        rows.iter().map(|row| of(&row.values)).collect()
    }
}

fn offer_log(daemon: &mut Daemon) {
    writeln!(daemon.offer("app.log"), "an old needle").unwrap();
}

/// Writes lines of which so many are selected.
fn write(daemon: &Daemon, needles: u64) {
    let path = daemon.directory().join("app.log");
    let mut log = OpenOptions::new().append(true).create(true).open(path).unwrap();
    (0..needles).for_each(|n| writeln!(log, "a needle {n}\nhay {n}").unwrap());
}

/// Whatever breaks meanwhile, the file being renamed among it: a worker, and a daemon.
#[test]
fn each_line_counts_once_over_lost_workers_and_daemons() {
    let mut fleet = Fleet::start_with_workers(2, offer_log);
    let mut follow = Follow::of(&fleet[1], &["vm1", "vm2"]);
    write(&fleet[1], 3);
    write(&fleet[2], 5);
    follow.expect(&[("vm1", 3), ("vm2", 5)]);
    fleet[2].kill_worker();
    write(&fleet[2], 7);
    follow.until_told("vm2: the worker ended (out of memory?): trying again");
    fleet[2].start_worker();
    let path = fleet[2].directory().join("app.log");
    std::fs::rename(&path, fleet[2].directory().join("app.log.1")).unwrap();
    write(&fleet[2], 11);
    follow.until_told("vm2 answers again: its logs are followed from where they were left");
    follow.expect(&[("vm1", 3), ("vm2", 23)]);
    fleet[2].kill();
    write(&fleet[2], 13);
    fleet.restart(&[2]);
    follow.expect(&[("vm1", 3), ("vm2", 36)]);
    // Nothing comes twice later either.
    let rounds = follow.rounds.clone();
    write(&fleet[1], 1);
    write(&fleet[2], 1);
    follow.until(|it| ["vm1", "vm2"].iter().all(|name| it.rounds[*name] > rounds[*name]));
    follow.expect(&[("vm1", 4), ("vm2", 37)]);
}

/// A client that goes away ends the follow everywhere.
#[test]
fn a_follow_of_sums_ends_with_its_client() {
    let fleet = Fleet::start_with_workers(2, offer_log);
    let follow = Follow::of(&fleet[1], &["vm1", "vm2"]);
    assert_eq!([fleet[1].worker_connections(), fleet[2].worker_connections()], [1, 1]);
    drop(follow);
    for number in [1, 2] {
        wait_until("its worker is left alone", SOON, || {
            let connections = fleet[number].worker_connections();
            holds(connections == 0, || format!("{connections} connections"))
        });
    }
}

/// A reload that switches questions off ends those that last, and says so.
#[test]
fn a_follow_of_sums_ends_when_streams_are_switched_off() {
    let mut fleet = Fleet::start_with_workers(2, offer_log);
    let mut follow = Follow::of(&fleet[1], &["vm1", "vm2"]);
    fleet[2].settings.worker = None;
    fleet[2].write_settings();
    let mut settings = OpenOptions::new().append(true).open(fleet[2].config()).unwrap();
    writeln!(settings, "\n[streams]\nenabled = false").unwrap();
    fleet[2].reload();
    follow.until(|it| it.outcomes.contains_key("vm2"));
    let words = "streams are off there: set streams.enabled".to_owned();
    assert_eq!(follow.outcomes["vm2"], GrepOutcome::Lost(words));
    write(&fleet[1], 2);
    follow.expect(&[("vm1", 2)]);
}
