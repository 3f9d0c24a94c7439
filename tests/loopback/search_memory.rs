//! The memory of searches: however many and however costly they are, the kernel need not end the
//! daemon.

use memberd_tests::costly::{self, KINDS, PRESSED};
use memberd_tests::memory::Scarce;
use memberd_tests::{Fleet, proc};

/// The bytes of memory of the packaged service, but for what the daemon has before it is moved.
const MEMORY: u64 = (256 - 8) << 20;

/// The kinds that take most, each for another reason. `make bench-memory` has all.
const COSTLIEST: [&str; 7] =
    ["Perl groups", "classes", "xz -7", "zstd --long", "bzip2", "long lines in context", "merges"];

/// How many greps of each kind there are at once: as many as four machines may begin.
const GREPS: usize = 64;

/// What is answered is right, and what is not is refused in words. Other members' lists are quiet.
#[test]
fn costly_greps_never_exhaust_the_memory() {
    let Some(scarce) = Scarce::if_possible(MEMORY) else { return };
    let fleet = Fleet::start_with(5, |daemon| {
        if daemon.name() == "vm1" {
            costly::offer(daemon);
        }
    });
    let pressed = fleet[PRESSED].pid();
    scarce.take(pressed);
    let mut followers = fleet.follow();
    for kind in KINDS.into_iter().filter(|kind| COSTLIEST.contains(&kind.name)) {
        let ended = costly::press(&fleet, &kind, GREPS);
        let peak = proc::peak_kib(pressed) / 1024;
        eprintln!(
            "{}: {} answered, {} refused, {peak} MiB at most so far",
            kind.name, ended.answered, ended.refused
        );
        assert!(ended.wrong.is_empty(), "{}: {:#?}", kind.name, ended.wrong);
        assert!(ended.answered > 0, "{}: all were refused", kind.name);
        assert_eq!(scarce.killed(), 0, "{}", kind.name);
    }
    followers.assert_none_failed_but(&[]);
}
