//! Measures planned hand-overs: of the leadership, and of a lock. memberd's leadership is its lock.
//! It owns no state.

use super::{Stage, phase, seconds};
use crate::gateway::Gateway;
use crate::group::Group;
use crate::results::{Measure, Subject};
use crate::system::{Place, System};
use crate::zookeeper::Session;
use crate::{Bench, pass};
use serde_json::json;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a waiting client may take to stand in the queue for the lock.
const QUEUED: Duration = Duration::from_millis(300);

/// "lock" in base64, as the gateway wants it.
const LOCK: &str = "bG9jaw==";

pub(crate) fn measure(bench: &mut Bench, of: &Subject, stage: &mut Stage) {
    for round in bench.rounds(bench.options.rounds) {
        let (group, leader) = stage.settled();
        pass(phase(round));
        let at = Instant::now();
        let asked = ask_to_hand_over(group, leader);
        let named =
            group.until(|group| group.leader_since(Some(at)).filter(|(next, _)| *next != leader));
        asked.join().expect("the leader hands over");
        let last = named.map(|(_, [_, last])| last);
        let what = "leader hands over: every server names the next";
        bench.results.add(of, Measure::Seconds, what, &[seconds(at, last)]);
    }
}

/// Asks the leader, on a thread of its own, to hand over to the next server.
fn ask_to_hand_over(group: &Group, leader: usize) -> thread::JoinHandle<()> {
    if group.system() == System::Memberd {
        let control = group.control(leader);
        return thread::spawn(move || drop(control.hand_over(None).expect("a hand-over")));
    }
    let next = leader % usize::from(group.network().machines()) + 1;
    let target = group.id(next).expect("the next server has told its id").to_string();
    let place = group.place(leader);
    thread::spawn(move || {
        let gateway = Gateway::connect(&place);
        gateway.post("/v3/maintenance/transfer-leadership", &json!({ "targetID": target }));
    })
}

pub(crate) fn measure_lock(bench: &mut Bench, of: &Subject, stage: &mut Stage) {
    for round in bench.rounds(bench.options.rounds) {
        let (group, leader) = stage.settled();
        pass(phase(round));
        let span = match group.system() {
            System::Memberd => memberd(group, leader),
            System::Etcd | System::EtcdFastest => etcd(group, leader),
            System::Zookeeper => zookeeper(group, leader),
        };
        bench.results.add(of, Measure::Seconds, "lock given up: who waits for it has it", &[span]);
    }
}

/// From the request to the leader until the next one says that it is exclusive.
fn memberd(group: &mut Group, leader: usize) -> f64 {
    let at = Instant::now();
    let asked = ask_to_hand_over(group, leader);
    let exclusive = group.until(|group| {
        let next = group.some_leader_since(at).filter(|next| *next != leader)?;
        group.is_exclusive(next).then(Instant::now)
    });
    asked.join().expect("the leader hands over");
    seconds(at, exclusive)
}

/// One client holds the lock at the leader, and another waits for it at the next server. From the
/// request of the one until the answer to the other.
fn etcd(group: &Group, leader: usize) -> f64 {
    let next = leader % usize::from(group.network().machines()) + 1;
    let (here, there) = (group.place(leader), group.place(next));
    let lease = |place: &Place| {
        let answer = Gateway::connect(place).post("/v3/lease/grant", &json!({ "TTL": "60" }));
        answer["ID"].as_str().expect("a lease").to_owned()
    };
    let lock = |place: &Place, lease: &str| {
        let request = json!({ "name": LOCK, "lease": lease });
        Gateway::connect(place).post("/v3/lock/lock", &request)["key"].clone()
    };
    let unlock = "/v3/lock/unlock";
    let (own, other) = (lease(&here), lease(&there));
    let key = lock(&here, &own);
    let releasing = Gateway::connect(&here);
    let (given, is_given) = channel();
    let waiting = thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let key = lock(&there, &other);
            let _ = given.send(Instant::now());
            key
        });
        pass(QUEUED);
        let at = Instant::now();
        releasing.post(unlock, &json!({ "key": key }));
        let span = after(at, &is_given);
        (span, waiting.join().expect("the lock is given"))
    });
    Gateway::connect(&there).post(unlock, &json!({ "key": waiting.1 }));
    waiting.0
}

/// The recipe of ZooKeeper's documentation: who has the smallest node has the lock, and the next
/// watches it.
fn zookeeper(group: &Group, leader: usize) -> f64 {
    let next = leader % usize::from(group.network().machines()) + 1;
    let mut holder = Session::open(&group.place(leader));
    let mut waiter = Session::open(&group.place(next));
    let held = holder.create_in_sequence("/lock-");
    let queued = waiter.create_in_sequence("/lock-");
    assert!(held < queued, "{held} is the older one");
    assert!(waiter.watch(&held), "{held} is there");
    let (given, is_given) = channel();
    thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            waiter.wait_for_event();
            // The recipe looks again, as another one might be before it.
            assert_eq!(
                waiter.children("/").into_iter().find(|name| name.as_str() < &queued[1..]),
                None
            );
            let _ = given.send(Instant::now());
            waiter.delete(&queued);
        });
        pass(QUEUED);
        let at = Instant::now();
        holder.delete(&held);
        let span = after(at, &is_given);
        waiting.join().expect("the lock is given");
        span
    })
}

fn after(at: Instant, is_given: &Receiver<Instant>) -> f64 {
    seconds(at, is_given.recv_timeout(crate::group::LIMIT).ok())
}
