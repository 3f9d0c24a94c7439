//! Fuzzes messages of the agreement between members, true or false. Each is decoded and encoded
//! again, and a member of a council handles it.
//!
//! The first byte of each piece says how much time passes before, in hundredths of a second.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_council::{BootTime, Council, Message, Now, Origin, Output, Settings, VoterId};
use memberd_fuzz::{START, pieces};
use memberd_membership::{Name, WallTime};
use std::time::Duration;

fn at(milliseconds: u64) -> Now {
    let boot = BootTime::from_epoch(Duration::from_millis(milliseconds));
    Now { boot, wall: WallTime(START + milliseconds) }
}

/// Takes all outputs. Each write is durable at once.
fn drain(council: &mut Council, now: Now) {
    while let Some(output) = council.poll_output() {
        match output {
            Output::Send { message, .. } => {
                assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
            }
            Output::Write { id, .. } => council.handle_written(now, id),
            Output::Gossip(_) | Output::Event(_) => {}
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let name = |name| Name::new(name).expect("a name");
    let initial_council = ["vm1", "vm2", "vm3"].map(name).to_vec();
    let settings = Settings { initial_council, ..Settings::default() };
    let mut now = 1_000;
    let mut council = Council::new(settings, name("vm1"), Origin::Fresh(VoterId(1)), at(now));
    drain(&mut council, at(now));
    for piece in pieces(input).take(64) {
        let Some((passed, bytes)) = piece.split_first() else { continue };
        now += u64::from(*passed) * 10;
        let number = council.view().number;
        if let Ok(message) = Message::decode(bytes) {
            assert_eq!(Message::decode(&message.encode()).as_ref(), Ok(&message));
            council.handle_message(at(now), message);
        }
        council.handle_timeout(at(now));
        drain(&mut council, at(now));
        assert!(council.view().number >= number, "a view is never taken back");
    }
});
