//! A hundred searches at once with the most expensive patterns that there are.

use crate::{alone, print, span};
use memberd_tests::Fleet;
use memberd_tests::process::Running;
use memberd_tests::trials::siege;
use std::io::Write as _;
use std::process::Stdio;

/// How many are begun, spread over all members.
const GREPS: usize = 100;

/// Whom each of them searches: all members in a release build. A debug build searches so slowly that eight members who are searched a
/// hundred times each, on the processors of one machine, have no processor left: there, it is the pressed one.
const WHOM: &[&str] = if cfg!(debug_assertions) { &["--on", "vm1"] } else { &[] };

/// Back-references, which no automaton can follow, patterns that backtrack without end, and automata with more states than fit anywhere
/// or as large as they may be.
const EXPENSIVE: [[&str; 2]; 6] = [
    ["-E", "y.{60}[qz]$"],
    ["-E", r"(x*y*)*\1[qz]"],
    ["-P", "(x+y?x+)+[qz]"],
    ["-E", "(y.{9}|x.{10}){6}[qz]$"],
    ["-iE", r"\w{100}[qz]$"],
    ["-iE", r"(\w{20}|.{20}){8}[qz]"],
];

/// The lines that each member has.
const LINES: u32 = 20_000;

/// Lines in which hardly any part comes twice: nothing that was learnt of one helps with another.
fn lines() -> String {
    let mut state = 1_u128;
    let mut line = || {
        state = state.wrapping_mul(0xda94_2042_e4dd_58b5_da94_2042_e4dd_58b5).wrapping_add(1);
        let letters = (0..99).map(|bit| if (state >> bit) & 3 == 0 { 'y' } else { 'x' });
        letters.chain(['\n']).collect::<String>()
    };
    (0..LINES).map(|_| line()).collect()
}

/// Searches that nobody reads, broken off when dropped.
fn begin(fleet: &Fleet) -> Vec<Running> {
    let members: Vec<_> = fleet.running().collect();
    let start = |number: usize| {
        let [syntax, pattern] = EXPENSIVE[number % EXPENSIVE.len()];
        let mut command = members[number % members.len()].memberctl(&[&["grep"], WHOM, &[syntax, pattern, "big.txt"]].concat());
        Running::start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()))
    };
    (0..GREPS).map(start).collect()
}

#[test]
fn a_hundred_expensive_greps_harm_nobody() {
    let _alone = alone();
    let fleet = siege::fleet(|daemon| {
        daemon.set_keys("a");
        daemon.offer("big.txt").write_all(lines().as_bytes()).unwrap();
    });
    let Some(mut fleet) = fleet else { return };
    let mut searches = 0;
    let look = |fleet: &Fleet, _: &Vec<Running>| searches = fleet[siege::PRESSED].control().status().unwrap().searches;
    let withstood = siege::withstand(&mut fleet, span(), begin, look);
    print(&format!("{GREPS} greps with expensive patterns, {searches} searches at work in the end"), &withstood);
    assert!(searches > 0, "all searches were done too soon");
}
