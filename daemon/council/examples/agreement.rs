//! Measures agreement in simulated fleets, and prints one table: leaders that lose their power or
//! are killed, planned hand-overs, the cost at rest, and how many views a change of many members
//! makes.
//!
//! `cargo run --release -p memberd-council --example agreement [CRASHES]`

#[path = "../tests/world/mod.rs"]
mod world;

use std::time::Duration;
use world::World;
use world::faults::Fault;
use world::measure::{
    cost_at_rest, fleet, hand_over, leader_ends, many, outside_council, quantile,
};

fn row(what: &str, values: &[Duration]) {
    let seconds = |percent| quantile(values, percent).as_secs_f64();
    println!(
        "| {what} | {} | {:.3} | {:.3} | {:.3} |",
        values.len(),
        seconds(50),
        seconds(99),
        seconds(100)
    );
}

/// A way in which a leader ends.
type End = fn(usize) -> Fault;

fn crashes(rest: &World, size: usize, count: u64) {
    let ends: [(&str, End); 2] = [("loses its power", Fault::Crash), ("is killed", Fault::Kill)];
    for (what, end) in ends {
        let times: Vec<(Duration, Duration)> =
            (0..count).map(|seed| leader_ends(rest, seed, end)).collect();
        let (named, exclusive): (Vec<_>, Vec<_>) = times.into_iter().unzip();
        row(&format!("{size} members: leader {what}, successor in every voter's view"), &named);
        row(&format!("{size} members: leader {what}, successor exclusive"), &exclusive);
    }
}

fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(1_000);
    println!("| what | runs | median, s | p99, s | worst, s |");
    println!("|---|---|---|---|---|");
    for size in [3, 5, 9, 10, 50, 100] {
        let rest = fleet(size, size, size as u64);
        crashes(&rest, size, if size > 10 { count / 10 } else { count });
    }
    let rest = fleet(5, 5, 1);
    let gaps: Vec<Duration> = (0..count).map(|seed| hand_over(&rest, seed)).collect();
    row("5 members: planned hand-over, no network delay", &gaps);
    println!("\n| at rest, 60 s | leader, messages/s | voter | others | writes |");
    println!("|---|---|---|---|---|");
    for size in [3, 5, 10, 50] {
        let cost = cost_at_rest(&fleet(size, size, size as u64));
        println!(
            "| {size} members | {:.2} | {:.2} | {:.3} | {} |",
            cost.leader, cost.voter, cost.other, cost.writes
        );
    }
    println!("\n| at once | views | all have the last after, s |");
    println!("|---|---|---|");
    let joins: Vec<Fault> = (10..310).map(Fault::Start).collect();
    let (views, took) = many(310, 10, &joins, 1);
    println!("| 300 join 10 | {views} | {:.2} |", took.as_secs_f64());
    let rest = fleet(300, 300, 1);
    let gone: Vec<Fault> = outside_council(&rest).into_iter().take(100).map(Fault::Crash).collect();
    let (views, took) = many(300, 300, &gone, 1);
    println!("| 100 of 300 fail | {views} | {:.2} |", took.as_secs_f64());
}
