//! Runs drawn schedules of faults, each from its seed, and looks at every invariant after every
//! event: `MEMBERD_SIM_SEEDS=100000 cargo test -p memberd-council --test random`. It goes on after
//! those with `MEMBERD_SIM_SEEDS=100000..200000`.

#![cfg(test)]

mod world;

use std::sync::Mutex;
use std::time::Duration;
use world::World;
use world::clocks::Clock;
use world::environment::{seeds, threads};
use world::schedules::Plan;

/// What the runs did, so that nobody takes runs without any agreement for sound ones.
#[derive(Debug, Default)]
struct Total {
    runs: usize,
    views: usize,
    exclusive_terms: usize,
    views_with_shares: usize,
    views_with_new_keepers: usize,
    events: u64,
}

impl Total {
    fn add(&mut self, world: &World) {
        self.runs += 1;
        self.views += world.invariants.decided();
        self.exclusive_terms += world.invariants.tokens.len();
        let (with_shares, with_new_keepers) = world.invariants.shares();
        self.views_with_shares += with_shares;
        self.views_with_new_keepers += with_new_keepers;
        self.events += world.events;
    }
}

/// The wall clock shows the whole pause afterwards, also if the rate of the clock of BOOTTIME was
/// changed meanwhile: else a paused leader would not notice that it was paused.
#[test]
fn a_pause_is_seen_whatever_the_rate_does_meanwhile() {
    let at = Duration::from_secs;
    let mut clock = Clock::new(at(1), 0);
    let wall = clock.wall(at(10));
    clock.pause(at(10));
    clock.drift(at(15), 200);
    assert_eq!((clock.boot(at(15)), clock.wall(at(15))), (at(11), wall));
    clock.resume(at(16));
    assert_eq!((clock.boot(at(16)), clock.wall(at(16))), (at(11), wall + 6_000));
    let after = clock.boot(at(17)) - at(12);
    assert_eq!(after, Duration::from_micros(200), "the new rate holds from then on");
}

/// No drawn run breaks an invariant, and each comes to rest with a bare majority.
#[test]
fn drawn_schedules_break_nothing() {
    let (total, left) = (Mutex::new(Total::default()), Mutex::new(seeds(0..500)));
    let work = || {
        while let Some(seed) = { left.lock().unwrap().next() } {
            let world = Plan::of(seed).run();
            world.expect_sound();
            total.lock().unwrap().add(&world);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(work);
        }
    });
    let total = total.into_inner().unwrap();
    println!("{total:?}");
    let many = total.runs > 1;
    assert!(!many || total.views > 4 * total.runs, "the runs agreed on hardly anything");
    assert!(!many || total.exclusive_terms > total.runs, "hardly anybody was exclusive");
    assert!(!many || total.views_with_new_keepers > 0, "no share ever lost a keeper");
}
