//! Generates a log for each member to grep: that of a small web shop, the same in every run.

use std::fmt::Write as _;

use crate::format;

/// How many lines each log has.
const LINES: u64 = 4000;

/// The average time between two lines, in milliseconds.
const PACE_MS: u64 = 350;

/// The name of the file.
pub(super) const FILE: &str = "shop.log";

/// The text of the one line that only some members have.
pub(super) const RARE: &str = "deadlock detected";

/// The log of the member with this number. Its last line is from `now`, in milliseconds since the
/// Unix epoch.
pub(super) fn log(number: u64, now: u64) -> String {
    let mut dice = Dice(number);
    let mut log = String::new();
    let mut time = now.saturating_sub(LINES * PACE_MS);
    for line in 0..LINES {
        time += dice.below(2 * PACE_MS);
        let text = match line {
            // Late in the logs of every third member.
            3700 if number % 3 == 1 => {
                format!("ERROR db      {RARE}, transaction rolled back table=orders")
            }
            _ => text(&mut dice),
        };
        // Writing to a string does not fail.
        let _ = writeln!(log, "{} {text}", format::timestamp(time.min(now)));
    }
    log
}

fn text(dice: &mut Dice) -> String {
    let paths = ["/cart", "/checkout", "/orders", "/search", "/login", "/static/shop.css"];
    let path = dice.pick(&paths);
    let client = format!("198.51.100.{}", dice.below(254) + 1);
    let took = dice.below(180) + 2;
    match dice.below(1000) {
        0..880 => format!("INFO  http    GET {path} 200 client={client} took={took}ms"),
        880..950 => format!("INFO  http    POST {path} 303 client={client} took={took}ms"),
        950..985 => format!("WARN  db      slow query took={}ms table=orders", took * 20),
        985..993 => format!("WARN  http    GET {path} 429 client={client} too many requests"),
        993..997 => {
            format!("ERROR http    POST {path} 502 client={client} upstream timed out after 5000ms")
        }
        _ => format!(
            "ERROR payment card refused code={} client={client}",
            dice.pick(&["05", "51", "54"])
        ),
    }
}

/// Numbers that look random enough for a log. It is a linear congruential generator with Knuth's
/// MMIX constants.
struct Dice(u64);

impl Dice {
    /// A number from 0 to `bound` - 1.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }

    fn pick(&mut self, choices: &[&'static str]) -> &'static str {
        let index = usize::try_from(self.below(choices.len() as u64)).unwrap_or(0);
        choices.get(index).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_log_has_its_lines_and_some_have_the_rare_one() {
        for number in 1..=7 {
            let log = log(number, 1_763_688_033_123);
            assert_eq!(log.lines().count(), 4000);
            assert!((5..100).contains(&log.matches(" ERROR ").count()));
            assert_eq!(log.matches(RARE).count(), usize::from(number % 3 == 1));
        }
    }
}
