//! Forgetting on request, in a simulated network: what is forgotten stays forgotten on all members,
//! whatever is lost or comes late, and whoever is alive comes back.

#![cfg(test)]

mod world;

use memberd_membership::{
    Body, CallRequest, Claim, Forget, ForgetError, ForgetReport, Forgotten, MemberEventKind,
    Message, Name, Node, PhaseName, SentAt, Update, WallTime, wire,
};
use world::dialect::as_the_version_before_has_it;
use world::prelude::*;

/// Within this time all members know it, also those that were cut off for a moment.
const KNOWN_TO_ALL: Duration = Duration::from_secs(30);

fn named(members: &[usize]) -> Forget {
    Forget::Named(members.iter().map(|i| name(*i)).collect())
}

/// Whether a member is in none of these lists, up or gone.
fn unlisted(world: &World, member: usize, by: &[usize]) -> bool {
    by.iter().all(|i| world.node(*i).list().get(&name(member)).is_none())
}

fn run_until_unlisted(world: &mut World, member: usize, by: &[usize], limit: Duration) -> Duration {
    world.run_until(limit, "nobody lists it", |world| unlisted(world, member, by))
}

/// A group in which the last member has failed.
fn with_a_failed_member(size: usize, seed: u64) -> (World, usize, Vec<usize>) {
    let mut world = World::joined(size, seed);
    let failed = size - 1;
    world.crash(failed);
    let rest: Vec<usize> = (0..failed).collect();
    world.run_until_whole(&rest, 6 * SECOND);
    world.run_for(3 * SECOND);
    (world, failed, rest)
}

/// The reports of requests to forget, with the times.
fn reports(world: &World) -> Vec<(Duration, ForgetReport)> {
    let done = |seen: &world::Seen| match &seen.event {
        Event::ForgetDone(report) => Some((seen.at, report.clone())),
        _ => None,
    };
    world.seen.iter().filter_map(done).collect()
}

/// No observer sees a forgotten incarnation join, fail or leave, as long as it runs.
fn assert_nothing_came_back(world: &World) {
    for (place, seen) in world.seen.iter().enumerate() {
        let Event::Forgotten { entry, .. } = &seen.event else { continue };
        let later = world.seen[place..].iter().filter(|later| later.by == seen.by);
        let same_life = later.take_while(|later| !matches!(later.event, Event::Incarnation(_)));
        for later in same_life {
            if let Event::Member(event) = &later.event {
                assert!(
                    event.member.name != entry.identity.name
                        || event.member.incarnation > entry.identity.incarnation,
                    "seed {}: vm{} forgot {}, and then {event:?}",
                    world.seed,
                    seen.by,
                    entry.identity
                );
            }
        }
    }
}

#[test]
fn the_gone_are_forgotten_by_all_at_once() {
    for (seed, loss) in [(1, 0.0), (2, 0.1), (3, 0.25)] {
        let (mut world, failed, rest) = with_a_failed_member(9, seed);
        world.network.loss = loss;
        let start = world.now;
        let identity = world.node(1).list().get(&name(failed)).unwrap().identity.clone();
        assert_eq!(world.forget(1, &Forget::Failed), Ok(vec![identity]));
        let took = run_until_unlisted(&mut world, failed, &rest, SECOND);
        assert!(took <= ms(200), "{took:?}");
        world.run_for(3 * SECOND);
        let reports = reports(&world);
        assert_eq!(reports[0].1, ForgetReport::default(), "all have answered");
        assert!(reports.len() == 1 && reports[0].0 - start < ms(500));
        world.run_for(120 * SECOND);
        assert!(unlisted(&world, failed, &rest));
        let forgot = |seen: &world::Seen| matches!(seen.event, Event::Forgotten { .. });
        assert_eq!(world.seen.iter().filter(|seen| forgot(seen)).count(), rest.len(), "once each");
        assert_nothing_came_back(&world);
    }
}

#[test]
fn a_large_group_forgets_by_gossip() {
    let mut world = World::formed(300, 4, Settings::default());
    world.checked = false;
    world.crash(299);
    let rest: Vec<usize> = (0..299).collect();
    world.run_for(10 * SECOND);
    world.network.loss = 0.1;
    world.forget(7, &named(&[299])).unwrap();
    let took = run_until_unlisted(&mut world, 299, &rest, KNOWN_TO_ALL);
    assert!(took <= 5 * SECOND, "{took:?}");
    world.run_for(5 * SECOND);
    assert_eq!(reports(&world)[0].1.not_asked, 298 - 64);
}

#[test]
fn only_the_gone_can_be_forgotten() {
    let (mut world, failed, _) = with_a_failed_member(5, 5);
    assert_eq!(world.forget(0, &named(&[failed, 2])), Err(ForgetError::Alive(name(2))));
    assert_eq!(world.forget(0, &named(&[77])), Err(ForgetError::Unknown(name(77))));
    assert_eq!(world.forget(0, &Forget::Left), Ok(Vec::new()));
    assert!(!unlisted(&world, failed, &[0]), "nobody was forgotten");
    assert!(world.forget(0, &Forget::Failed).is_ok());
    let started = world.add_machine();
    world.crash(started);
    assert_eq!(world.forget(0, &named(&[failed])), Err(ForgetError::Busy));
}

/// Its list was equal all the time, so nothing but the records themselves can differ.
#[test]
fn a_member_that_missed_everything_learns_it() {
    for seed in 0..4 {
        let (mut world, failed, rest) = with_a_failed_member(7, seed);
        // Too short for anybody to be declared failed.
        world.split(&[0, 0, 0, 0, 0, 1]);
        let since = world.now;
        world.forget(0, &named(&[failed])).unwrap();
        world.run_for(ms(900));
        world.heal();
        assert!(!unlisted(&world, failed, &[5]));
        run_until_unlisted(&mut world, failed, &rest, KNOWN_TO_ALL);
        assert!(world.failures_since(since).is_empty());
        let reports = reports(&world);
        assert!(reports.iter().all(|(_, report)| report.older.is_empty()));
        assert_nothing_came_back(&world);
    }
}

#[test]
fn a_split_group_forgets_as_a_whole_when_it_heals() {
    for seed in 0..6 {
        let (mut world, failed, rest) = with_a_failed_member(9, seed);
        world.split(&[0, 0, 0, 0, 0, 1, 1, 1]);
        world.run_for(10 * SECOND);
        // On either side, once on each.
        let by = if seed % 2 == 0 { 1 } else { 6 };
        world.forget(by, &named(&[failed])).unwrap();
        world.run_for(10 * SECOND);
        world.heal();
        world.run_until_whole(&rest, 20 * SECOND);
        run_until_unlisted(&mut world, failed, &rest, KNOWN_TO_ALL);
        world.run_for(60 * SECOND);
        assert!(unlisted(&world, failed, &rest) && world.whole(&rest));
        assert_nothing_came_back(&world);
    }
}

/// Each side has the other forgotten, and looks for nobody there but the introducer.
#[test]
fn sides_that_forgot_each_other_find_together_again() {
    for seed in 0..4 {
        let mut world = World::joined(7, seed);
        world.split(&[0, 0, 0, 1, 1, 1, 1]);
        world.run_for(10 * SECOND);
        assert_eq!(world.forget(0, &Forget::Failed).unwrap().len(), 4);
        if seed % 2 == 0 {
            assert_eq!(world.forget(5, &Forget::Failed).unwrap().len(), 3);
        }
        world.run_for(10 * SECOND);
        world.heal();
        let all: Vec<usize> = (0..7).collect();
        world.run_until_whole(&all, 30 * SECOND);
        world.run_for(30 * SECOND);
        assert!(world.whole(&all));
        assert_nothing_came_back(&world);
    }
}

/// The small side has all others forgotten, who live on behind the split and may do the same. One
/// of them crashes while the split heals.
#[test]
fn a_small_side_that_forgot_the_large_one_yields_to_it() {
    for seed in 0..if long() { 120 } else { 12 } {
        let mut world = World::joined(15, seed);
        world.network.loss = if seed % 4 == 3 { 0.1 } else { 0.0 };
        world.split(&[1, 1, 1]);
        world.run_for(10 * SECOND);
        assert_eq!(world.forget(1, &Forget::Failed).unwrap().len(), 12);
        if seed % 3 == 0 {
            assert_eq!(world.forget(9, &Forget::Failed).unwrap().len(), 3);
        }
        world.run_for(5 * SECOND);
        let incarnations = |world: &World| -> Vec<_> {
            world.machines[3..].iter().map(|machine| machine.last).collect()
        };
        let before = incarnations(&world);
        world.heal();
        world.run_for(ms(seed * 150 % 4_000));
        let crashed = 3 + usize::try_from(seed % 12).unwrap();
        world.crash(crashed);
        let since = world.now;
        let rest: Vec<usize> = (0..15).filter(|i| *i != crashed).collect();
        world.run_until_whole(&rest, 10 * SECOND);
        world.run_for(30 * SECOND);
        assert!(world.whole(&rest));
        assert_eq!(incarnations(&world), before, "seed {seed}: the large side stays as it is");
        let failures = world.failures_since(since);
        for by in rest.iter().copied().filter(|i| *i > 2) {
            let count = failures.iter().filter(|(_, i, of)| *i == by && *of == name(crashed));
            assert_eq!(count.count(), 1, "seed {seed}: vm{by} reports the crash");
        }
    }
}

/// It was stopped. It has the incarnation that all others have forgotten.
#[test]
fn a_forgotten_machine_that_is_alive_comes_back() {
    for seed in 0..4 {
        let mut world = World::joined(7, seed);
        world.stop_for(4, 20 * SECOND);
        world.run_for(8 * SECOND);
        world.forget(2, &Forget::Failed).unwrap();
        let rest = [0, 1, 2, 3, 5, 6];
        run_until_unlisted(&mut world, 4, &rest, SECOND);
        let before = world.machines[4].last;
        world.run_for(12 * SECOND);
        world.run_until_whole(&[0, 1, 2, 3, 4, 5, 6], 10 * SECOND);
        assert!(world.machines[4].last > before, "under a new incarnation");
        assert_nothing_came_back(&world);
    }
}

/// Its disk remembers the machine, which it looks for at first.
#[test]
fn a_member_that_restarts_does_not_bring_it_back() {
    for seed in 0..4 {
        let (mut world, failed, rest) = with_a_failed_member(6, seed);
        world.crash(3);
        world.run_for(5 * SECOND);
        world.forget(1, &named(&[failed])).unwrap();
        world.run_for(SECOND);
        world.start_remembering(3, &[0], &[failed, 1]);
        world.run_until_whole(&rest, 10 * SECOND);
        world.run_for(30 * SECOND);
        assert!(unlisted(&world, failed, &rest));
        assert_nothing_came_back(&world);
    }
}

#[test]
fn a_machine_may_join_while_it_is_forgotten() {
    for seed in 0..10 {
        let (mut world, failed, rest) = with_a_failed_member(7, seed);
        world.start(failed, &[0]);
        world.run_for(ms(seed));
        // Too late if it is up again here.
        let late = world.forget(5, &named(&[failed]));
        assert!(matches!(late, Ok(_) | Err(ForgetError::Alive(_))), "{late:?}");
        let all: Vec<usize> = rest.iter().copied().chain([failed]).collect();
        world.run_until_whole(&all, 10 * SECOND);
        world.run_for(20 * SECOND);
        assert!(world.whole(&all));
        assert_nothing_came_back(&world);
    }
}

/// Whatever the order of crashes, starts, splits and requests, the group is whole at the end.
#[test]
fn anything_may_happen_around_a_request_to_forget() {
    for seed in 0..if long() { 200 } else { 12 } {
        let mut world = World::joined(8, seed);
        world.network.loss = 0.1;
        let mut step = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = |below: u64| {
            step = step
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (step >> 33) % below
        };
        for _ in 0..16 {
            let i = usize::try_from(draw(7)).unwrap() + 1;
            match (draw(5), world.machines[i].node.is_some()) {
                (0 | 1, true) => world.crash(i),
                (0 | 1, false) => world.start_remembering(i, &[0], &[1, 2]),
                (2, _) => world.split(&[0, 0, 0, 0, 1, 1, 1, 1]),
                (3, _) => world.heal(),
                _ => {
                    let _ = world.forget(0, &Forget::Failed);
                }
            }
            world.run_for(ms(200 + draw(6_000)));
        }
        world.heal();
        for i in 1..8 {
            // A daemon would try to join again and again.
            let out = |node: &Node| matches!(node.phase(), PhaseName::Out | PhaseName::Joining);
            if world.machines[i].node.as_ref().is_none_or(out) {
                world.crash(i);
                world.start_remembering(i, &[0], &[1, 2]);
                world.run_for(ms(300));
            }
        }
        let all: Vec<usize> = (0..8).collect();
        world.run_until_whole(&all, 60 * SECOND);
        assert_nothing_came_back(&world);
    }
}

/// Old members go on listing it, and say so to new ones now and then. The operator hears who.
#[test]
fn members_of_version_1_are_named_and_bring_nothing_back() {
    for seed in 0..4 {
        let mut world = World::new(8, seed);
        let old = [1, 3, 5];
        for i in old {
            world.machines[i].dialect = Some(as_the_version_before_has_it);
            world.machines[i].hears = Some(as_the_version_before_has_it);
        }
        (0..8).for_each(|i| world.start(i, &[0]));
        let all: Vec<usize> = (0..8).collect();
        world.run_until_agreed(&all, 10 * SECOND);
        world.run_for(5 * SECOND);
        world.crash(7);
        world.run_until_whole(&[0, 1, 2, 3, 4, 5, 6], 6 * SECOND);
        world.run_for(3 * SECOND);
        let since = world.now;
        world.forget(2, &named(&[7])).unwrap();
        let new = [0, 2, 4, 6];
        run_until_unlisted(&mut world, 7, &new, SECOND);
        world.run_for(3 * SECOND);
        assert_eq!(reports(&world)[0].1.older, old.map(name));
        // A difference makes the old ones tell what they know.
        world.tag(1, &memberd_membership::Tags::default());
        world.crash(6);
        world.run_for(10 * SECOND);
        world.start(6, &[1]);
        world.run_until_whole(&[0, 1, 2, 3, 4, 5, 6], 10 * SECOND);
        run_until_unlisted(&mut world, 7, &new, KNOWN_TO_ALL);
        world.run_for(60 * SECOND);
        assert!(unlisted(&world, 7, &new));
        assert!(old.iter().all(|i| !unlisted(&world, 7, &[*i])), "they do not know of it");
        assert_eq!(world.failures_since(since).iter().filter(|(.., of)| *of != name(6)).count(), 0);
        assert_nothing_came_back(&world);
    }
}

fn tell(world: &mut World, to: usize, from: usize, records: Vec<Forgotten>) {
    let incarnation = world.machines[from].last.unwrap();
    // It is no new sign of life.
    let sent = SentAt { mono: 1, wall: WallTime(incarnation.0 + 1) };
    let body = Body::Forgotten { hash: None, records };
    let mut bytes = Vec::new();
    wire::encode(&Message { incarnation, sent, body }, &mut bytes);
    world.hand(to, from, &bytes);
}

/// Whoever lies that a live member is forgotten, or all its future, does no more than whoever lies
/// that it failed: it comes back.
#[test]
fn a_live_member_that_is_said_to_be_forgotten_comes_back() {
    let mut world = World::formed(6, 9, Settings::default());
    world.corrupted = true;
    let year = 365 * 24 * 60 * 60 * 1_000;
    for ahead in [0, 1_000, year - 60_000, year * 2] {
        let mut identity = world.node(0).list().get(&name(3)).unwrap().identity.clone();
        identity.incarnation = Incarnation(identity.incarnation.0 + ahead);
        let lie = Forgotten { identity, by: name(5), keep: 24 * 3_600 * SECOND };
        for to in 0..6 {
            tell(&mut world, to, if to == 5 { 4 } else { 5 }, vec![lie.clone()]);
        }
        world.run_for(5 * SECOND);
        world.run_until_whole(&[0, 1, 2, 3, 4, 5], 20 * SECOND);
    }
    let refused: u64 = (0..6).map(|i| world.node(i).counters().implausible).sum();
    assert!(refused >= 5, "two years ahead is not believed");
}

#[test]
fn only_members_can_ask_to_forget() {
    let (mut world, failed, _) = with_a_failed_member(4, 11);
    let identity = world.node(0).list().get(&name(failed)).unwrap().identity.clone();
    let stranger = Identity { name: name(50), address: address(50), ..identity.clone() };
    let forgotten = vec![Forgotten { identity, by: name(50), keep: 3_600 * SECOND }];
    let request = CallRequest::Forget { sender: Update::new(stranger, Claim::Alive), forgotten };
    let now = world.clocks(0);
    let node = world.machines[0].node.as_mut().unwrap();
    node.handle_request(now, &wire::encode_versioned(&request));
    assert!(!unlisted(&world, failed, &[0]));
}

/// One call is full of names that nobody has. Operators can still forget who is gone.
#[test]
fn invented_names_do_not_keep_anybody_from_being_forgotten() {
    let (mut world, failed, rest) = with_a_failed_member(4, 13);
    let sender = world.node(2).list().get(&name(2)).unwrap().to_update();
    let invented = (0..20_000).map(|number| Forgotten {
        identity: Identity {
            name: Name::new(&format!("invented-{number}")).unwrap(),
            address: address(99),
            incarnation: sender.identity.incarnation,
        },
        by: name(2),
        keep: 24 * 3_600 * SECOND,
    });
    let request = CallRequest::Forget { sender: sender.clone(), forgotten: invented.collect() };
    let request = wire::encode_versioned(&request);
    for i in [0, 1] {
        let now = world.clocks(i);
        world.machines[i].node.as_mut().unwrap().handle_request(now, &request);
    }
    assert_eq!(world.forget(0, &named(&[failed])).unwrap().len(), 1);
    run_until_unlisted(&mut world, failed, &rest, KNOWN_TO_ALL);
}

/// The records of a member that was in the group for a while end with `forget_after`.
#[test]
fn a_forgotten_name_is_remembered_for_a_bounded_time() {
    let settings = Settings { forget_after: 60 * SECOND, ..Settings::default() };
    let mut world = World::with(4, 12, settings.clone());
    (0..4).for_each(|i| world.start(i, &[0]));
    world.run_until_agreed(&[0, 1, 2, 3], 10 * SECOND);
    world.crash(3);
    world.run_until_whole(&[0, 1, 2], 6 * SECOND);
    world.forget(0, &Forget::Failed).unwrap();
    world.run_for(90 * SECOND);
    let sent = world.sent;
    world.run_for(30 * SECOND);
    let at_rest = world.sent - sent;
    let mut other = World::with(3, 12, settings);
    (0..3).for_each(|i| other.start(i, &[0]));
    other.run_until_agreed(&[0, 1, 2], 10 * SECOND);
    other.run_for(90 * SECOND);
    let sent = other.sent;
    other.run_for(30 * SECOND);
    assert!(at_rest <= other.sent - sent + 12, "{at_rest}, as if it had never been");
    let kinds = |kind: &MemberEventKind| matches!(kind, MemberEventKind::Failed(_));
    let failed = |seen: &&world::Seen| matches!(&seen.event, Event::Member(e) if kinds(&e.kind));
    assert_eq!(world.seen.iter().filter(failed).count(), 3);
}
