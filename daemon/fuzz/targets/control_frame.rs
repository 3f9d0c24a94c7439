//! Fuzzes the frames of the control socket, from clients and from daemons. It reads them one by
//! one, and as memberctl reads them. All frames have the same decoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_control::frame::{FrameError, FrameReader, Message, decode, encode};
use memberd_control::message::{FileUpload, Hello, Reply, Request};
use std::io::Read;

fn there_and_back<M: Message + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(message) = decode::<M>(bytes)
        && let Ok(again) = encode(&message)
    {
        let mut reader = FrameReader::new(again.as_slice());
        assert_eq!(reader.body(M::CAP).and_then(decode::<M>).ok(), Some(message));
        assert!(matches!(reader.body(M::CAP), Err(FrameError::Closed)));
    }
}

/// Reads frames in turn until an error. The first byte of a frame decides whether the reader reads
/// it whole or leaves it to the caller.
fn read(bytes: &[u8]) {
    let mut reader = FrameReader::new(bytes);
    while let Ok((beginning, length)) = reader.begin(Reply::CAP) {
        assert!(beginning.len() <= length && length <= Reply::CAP);
        let begun = beginning.to_vec();
        if begun.first().is_some_and(|byte| byte % 2 == 0) {
            let Ok((read, _, left)) = reader.leave(Reply::CAP) else { return };
            assert!(read.starts_with(&begun) && read.len() + left == length);
            // The caller takes the rest before the next frame.
            let mut rest = vec![0; left];
            if reader.get_mut().read_exact(&mut rest).is_err() {
                return;
            }
        } else {
            let Ok(body) = reader.body(Reply::CAP) else { return };
            assert!(body.starts_with(&begun) && body.len() == length);
            // Both results are valid.
            let _ = decode::<Reply>(body);
        }
    }
}

fuzz_target!(|input: &[u8]| {
    there_and_back::<Hello>(input);
    there_and_back::<Request>(input);
    there_and_back::<Reply>(input);
    there_and_back::<FileUpload>(input);
    read(input);
});
