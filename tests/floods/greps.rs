//! A hundred searches at once with the most expensive patterns that there are.

use crate::{alone, print, span};
use memberd_tests::Fleet;
use memberd_tests::costly::states;
use memberd_tests::process::Running;
use memberd_tests::trials::siege;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How many there are at a time, spread over all members.
const GREPS: usize = 100;

/// The pause between two looks at which of them have ended.
const PAUSE: Duration = Duration::from_secs(1);

/// The members that each grep searches: all of them in a release build. A debug build searches so
/// slowly that no processor would be left, so there only the pressed member is searched.
const WHOM: &[&str] = if cfg!(debug_assertions) { &["--on", "vm1"] } else { &[] };

/// Back-references, which no automaton can follow, patterns that backtrack without end, and
/// automata with more states than fit anywhere or as large as they may be.
const EXPENSIVE: [[&str; 2]; 6] = [
    ["-E", "y.{60}[qz]$"],
    ["-E", r"(x*y*)*\1[qz]"],
    ["-P", "(x+y?x+)+[qz]"],
    ["-E", "(y.{9}|x.{10}){6}[qz]$"],
    ["-iE", r"\w{100}[qz]$"],
    ["-iE", r"(\w{20}|.{20}){8}[qz]"],
];

/// The lines that each member has.
const LINES: usize = 20_000;

/// Searches that nobody reads. One that has ended is started again, until all are dropped, which
/// cancels them.
struct Searches {
    ended: Option<Sender<()>>,
    keeping: Option<JoinHandle<()>>,
    begun: Arc<AtomicUsize>,
}

impl Searches {
    fn begin(fleet: &Fleet) -> Self {
        let members: Vec<_> = fleet.running().collect();
        let command = |number: usize| {
            let [syntax, pattern] = EXPENSIVE[number % EXPENSIVE.len()];
            let mut command = members[number % members.len()]
                .memberctl(&[&["grep"], WHOM, &[syntax, pattern, "big.txt"]].concat());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let (commands, begun) = ((0..GREPS).map(command).collect(), Arc::new(AtomicUsize::new(0)));
        let (ended, over) = channel();
        let keeping = thread::spawn({
            let begun = Arc::clone(&begun);
            move || keep_up(commands, &begun, &over)
        });
        Searches { ended: Some(ended), keeping: Some(keeping), begun }
    }
}

impl Drop for Searches {
    fn drop(&mut self) {
        drop(self.ended.take());
        if let Some(thread) = self.keeping.take() {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Keeps one process of each command running, until the other end of the channel is dropped.
fn keep_up(mut commands: Vec<Command>, begun: &AtomicUsize, over: &Receiver<()>) {
    let mut start = |command: &mut Command| {
        begun.fetch_add(1, Ordering::Relaxed);
        Running::start(command)
    };
    let mut searches: Vec<Running> = commands.iter_mut().map(&mut start).collect();
    while over.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
        for (search, command) in searches.iter_mut().zip(&mut commands) {
            if search.ended().is_some() {
                *search = start(command);
            }
        }
    }
}

#[test]
fn a_hundred_expensive_greps_harm_nobody() {
    let _alone = alone();
    let fleet = siege::fleet(|daemon| {
        daemon.set_keys("a");
        daemon.offer("big.txt").write_all(states(LINES).as_bytes()).unwrap();
    });
    let Some(mut fleet) = fleet else { return };
    let (mut begun, mut at_work) = (0, 0);
    let look = |fleet: &Fleet, searches: &Searches| {
        begun = searches.begun.load(Ordering::Relaxed);
        at_work = fleet[siege::PRESSED].control().status().unwrap().searches;
    };
    let withstood = siege::withstand(&mut fleet, span(), Searches::begin, look);
    print(
        &format!(
            "{GREPS} greps with expensive patterns, {begun} begun in all; {at_work} searches at \
            work in the end"
        ),
        &withstood,
    );
    assert!(at_work > 0, "no search was at work in the end");
}
