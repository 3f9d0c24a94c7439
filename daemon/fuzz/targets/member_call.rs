//! Requests and replies of the protocol over TCP, as a member may send them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use memberd_fuzz::{address, at, check, founder};
use memberd_ring::{Name, Node, Settings};

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    if kind % 2 == 0 {
        let mut node = founder();
        assert!(!node.handle_request(at(1_000), bytes).is_empty());
        check(&mut node);
        node.handle_timeout(at(1_500));
        check(&mut node);
    } else {
        let mut node = Node::new(Settings::default(), Name::new("vm1").expect("a name"), address(1), None, 7);
        node.join(at(0), vec![address(2)], Vec::new()).expect("it was out");
        let call = node.poll_call().expect("it asks its introducer");
        node.handle_reply(at(10), call.id, Ok(bytes));
        check(&mut node);
        node.handle_timeout(at(1_000));
        check(&mut node);
    }
});
