//! Measures the rows. It owns no state.

pub(crate) mod back;
pub(crate) mod memory;
pub(crate) mod quick;
pub(crate) mod repair;
pub(crate) mod syncs;

use crate::faces::Face;
use crate::nodes::{Nodes, VICTIM};
use crate::system::System;
use memberd_tests::namespaces::within;

/// The directory of the files that a killed machine has.
pub(crate) const LOST: &str = "/bench/lost";

/// How large a large file is, in bytes.
pub(crate) const LARGE: usize = 100_000_000;

/// Bytes that cannot be compressed, the same ones for all systems.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut noise = Vec::with_capacity(length + 8);
    while noise.len() < length {
        // Xorshift (Marsaglia, 2003).
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend(state.to_le_bytes());
    }
    noise.truncate(length);
    noise
}

/// Does something with a face on machine 1.
pub(crate) fn on_machine_1<T: Send>(
    nodes: &Nodes,
    face: &mut dyn Face,
    work: impl FnOnce(&mut dyn Face) -> T + Send,
) -> T {
    within(&nodes.network.namespace(1), || work(face))
}

/// Writes large files until the machine that will be killed has this many bytes. Returns the files.
pub(crate) fn fill(nodes: &Nodes, system: System, bytes: u64) -> Vec<String> {
    let content = noise(LARGE.min(usize::try_from(bytes).unwrap_or(LARGE)));
    let mut face = system.ways()[0].open(system, nodes);
    let mut files = Vec::new();
    let at_first = nodes.stored_bytes(VICTIM);
    while nodes.stored_bytes(VICTIM).saturating_sub(at_first) < bytes {
        let file = format!("{LOST}/{}", files.len());
        let put = on_machine_1(nodes, &mut *face, |face| face.put(&file, &content));
        put.expect("the file is written");
        files.push(file);
        assert!(files.len() < 60, "machine {VICTIM} gets no files");
    }
    files
}
