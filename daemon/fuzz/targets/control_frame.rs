//! Frames of the control socket, from a client and from a daemon.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_control::frame::{Message, decode, encode, read_frame};
use memberd_control::message::{Hello, Reply, Request};

fn there_and_back<M: Message + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(message) = decode::<M>(bytes)
        && let Ok(again) = encode(&message)
    {
        assert_eq!(read_frame::<M>(&mut again.as_slice()).ok(), Some(message));
    }
    // An error, or a message.
    let _ = read_frame::<M>(&mut &*bytes);
}

fuzz_target!(|input: &[u8]| {
    there_and_back::<Hello>(input);
    there_and_back::<Request>(input);
    there_and_back::<Reply>(input);
});
