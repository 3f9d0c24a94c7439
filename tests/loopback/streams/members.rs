//! Which members take part in a job, and for whom its windows wait.

use super::Counting;
use memberd_control::streams::StreamSpec;
use memberd_tests::wait::{SOON, holds};
use memberd_tests::wait_until;

#[test]
fn status_says_for_whom_windows_wait_and_why() {
    let mut counting = Counting::form(3);
    counting.begin(StreamSpec { waits_for_failed: true, ..counting.spec() });
    counting.write(0);
    counting.wait_until_right();
    counting.fleet.crash(&[3]);
    counting.write(1);
    wait_until("the status names who failed", SOON, || {
        let status = counting.run(1, "memberctl stream status shop")?;
        let says = status.contains(", held back by vm3: it has failed or left, and on_failed = ");
        holds(says, || status)
    });
    counting.fleet.restart(&[3]);
    counting.wait_until_right();
}
