//! A member that turned bad invents names, and sends calls that are as long as they may be. The
//! test plays that member.

use memberd_membership::wire::encode_versioned;
use memberd_membership::{CallRequest, Claim, Identity, Incarnation, MAX_CALL, Name, Update};
use memberd_tests::bad_member::BadMember;
use memberd_tests::proc::{forget_peak, peak_resident_kib, resident_kib};
use memberd_tests::wait::{SOON, holds};
use memberd_tests::{Fleet, Followers, wait_until};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How many names are invented.
const INVENTED: u16 = 20_000;

/// By how many KiB eight calls at once may raise the daemon's memory, each of 10 MiB.
const GROWTH_KIB: u64 = 80 * 1024;

/// A group of real members, and one that the test plays. Its name is the last.
fn group(size: u8) -> (Fleet, BadMember, String) {
    let mut fleet = Fleet::start(size);
    let introducer = fleet[1].settings.address;
    let own = fleet.add();
    let (name, address) = (own.name().to_owned(), own.settings.address);
    let bad = BadMember::join(&name, address, introducer);
    wait_until("all list the bad member", SOON, || {
        fleet.running().try_for_each(|daemon| {
            let alive = daemon.control().alive().map_err(|error| error.to_string())?;
            holds(alive.len() == usize::from(size) + 1, || format!("{alive:?}"))
        })
    });
    (fleet, bad, name)
}

fn invented() -> Vec<Update> {
    let identity = |number: u16| Identity {
        name: Name::new(&format!("ghost{number}")).unwrap(),
        address: SocketAddr::from(([127, 255, 77, 7], 10_000 + number)),
        incarnation: Incarnation(1_790_000_000_000),
    };
    (0..INVENTED).map(|number| Update::new(identity(number), Claim::Alive)).collect()
}

/// Only the bad member was reported, and no list has a name that it invented.
fn assert_nobody_believed(fleet: &Fleet, followers: &mut Followers, bad: &str) {
    for id in followers.failed() {
        assert_eq!(id.split('@').next(), Some(bad), "{id} was reported");
    }
    let output = fleet[1].ctl(&["list", "--all"]);
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(!listed.contains("ghost"), "{listed}");
}

/// A machine joins meanwhile, and a crash is noticed. `memberctl list --all` has none of them.
#[test]
fn invented_names_are_in_no_list_and_delay_no_join() {
    let (mut fleet, bad, name) = group(8);
    let mut followers = fleet.follow();
    let list = invented();
    for number in 1..=8 {
        bad.exchange(fleet[number].settings.address, list.clone()).unwrap();
    }
    let began = Instant::now();
    drop(bad);
    fleet.add().start();
    fleet[10].control().join().unwrap();
    println!("a newcomer was in after {:?}", began.elapsed());
    fleet.wait_until_whole_within(Duration::from_secs(400));
    println!("every list was right {:?} after {INVENTED} names were invented", began.elapsed());
    let crash = fleet.crash(&[3]).remove(0);
    followers.assert_crash_noticed(&crash.id, crash.at, &["vm3"]);
    fleet.wait_until_whole();
    let failed = followers.failed();
    let only = |id: &String| id.starts_with(&format!("{name}@")) || *id == crash.id;
    assert!(failed.iter().all(only), "{failed:?}");
    let listed = String::from_utf8(fleet[1].ctl(&["list", "--all"]).stdout).unwrap();
    assert!(!listed.contains("ghost"), "{listed}");
}

/// As many entries as fit, of which no list has so many: they are not read to their end, and the
/// member that is called goes on sending heartbeats.
#[test]
fn calls_as_long_as_they_may_be_hold_up_no_heartbeat() {
    let (fleet, bad, name) = group(4);
    let mut followers = fleet.follow();
    let (pid, to) = (fleet[1].pid(), fleet[1].settings.address);
    forget_peak(pid);
    let before = resident_kib(pid);
    let least = Identity {
        name: Name::new("a").unwrap(),
        address: SocketAddr::from(([127, 0, 0, 1], 1)),
        incarnation: Incarnation(0),
    };
    let one = Update::new(least, Claim::Alive);
    let sender = bad.itself();
    let entry = encode_versioned(&CallRequest::Exchange {
        sender: sender.clone(),
        list: vec![one.clone(); 100],
    });
    let entry = entry.len() / 100;
    let list = vec![one; MAX_CALL / entry - 10];
    let call = encode_versioned(&CallRequest::Exchange { sender, list });
    assert!(call.len() > MAX_CALL / 2, "{} bytes", call.len());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            // It may be ended before it was sent as a whole.
            scope.spawn(|| drop(bad.call(to, &call)));
        }
    });
    let growth = peak_resident_kib(pid).saturating_sub(before);
    println!("eight calls of {} bytes raised the memory by {growth} KiB", call.len());
    assert!(growth <= GROWTH_KIB, "it grew by {growth} KiB");
    followers.assert_none_failed_but(&[]);
    assert_nobody_believed(&fleet, &mut followers, &name);
}
