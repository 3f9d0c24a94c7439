//! Fuzzes a stranger's bytes on a connection: plain frames, the handshake, and records after it. It
//! also fuzzes HTTP, at the listener of metrics.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd::metrics::http::{self, Answer};
use memberd_fuzz::{address, keys};
use memberd_membership::MAX_CALL;
use memberd_transport::{frame, initiate, respond};
use std::sync::LazyLock;
use tokio::io::{AsyncWriteExt, duplex};

fuzz_target!(|input: &[u8]| {
    static KEYS: LazyLock<memberd_transport::SealingKeys> = LazyLock::new(keys);
    let Some((kind, bytes)) = input.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let mut plain = bytes;
        if kind % 8 == 1 {
            let head = http::read_head(&mut plain).await.expect("memory does not break");
            assert!(head.len() <= 9 * 1_024);
            if let Answer::Metrics { with_body } = http::answer(&head) {
                assert!(head.starts_with(if with_body {
                    b"GET /metrics"
                } else {
                    b"HEAD /metrics"
                }));
            }
            return;
        }
        if kind % 8 != 0 {
            while let Ok(frame) = frame::read(&mut plain, MAX_CALL).await {
                assert!(frame.len() <= bytes.len());
            }
            return;
        }
        let (mut near, mut far) = duplex(bytes.len() + 1_024);
        if kind % 16 == 0 {
            far.write_all(bytes).await.expect("there is room");
            drop(far.shutdown().await);
            assert!(respond(&mut near, &KEYS, address(1)).await.is_err(), "a stranger got in");
        } else {
            let begin = async {
                initiate(&mut far, &KEYS, address(1)).await.expect("both have the key");
                far.write_all(bytes).await.expect("there is room");
                drop(far);
            };
            let ((), other) = tokio::join!(begin, respond(&mut near, &KEYS, address(1)));
            assert!(other.is_err(), "a stranger's record was accepted");
        }
    });
});
