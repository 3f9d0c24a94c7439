//! Bounds what the connections of all sources may take together. It owns their places, and the
//! memory that their messages may have.

use crate::lock::lock;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// How many messages of up to so many bytes have so much memory together, in KiB, until they are
/// appended. Some that do not arrive must not stop all others: shorter ones have memory of their
/// own. Most are short, and those of long lines are rare.
const CLASSES: [(usize, u32); 3] = [(8 * 1024, 888), (256 * 1024, 3 * 1024), (usize::MAX, 2184)];

/// The memory of messages. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Memory([Arc<Semaphore>; CLASSES.len()]);

impl Memory {
    /// All of it is free.
    pub(super) fn new() -> Self {
        Memory(CLASSES.map(|(_, kib)| Arc::new(Semaphore::new(kib as usize))))
    }

    /// Waits for the memory of a message of this length.
    ///
    /// # Errors
    /// Never: nobody closes it.
    pub(super) async fn take(
        &self,
        body_bytes: usize,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        let fits = |(longest, _): &(usize, u32)| body_bytes <= *longest;
        let class = CLASSES.iter().position(fits).unwrap_or(CLASSES.len() - 1);
        let [.., last] = &self.0;
        let most = CLASSES.get(class).map_or(u32::MAX, |(_, kib)| *kib);
        // Decoding copies the block.
        let kib = u32::try_from(2 * body_bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(most);
        let memory = Arc::clone(self.0.get(class).unwrap_or(last));
        memory.acquire_many_owned(kib).await
    }
}

/// How many connections each address has. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// The place of a connection. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct AddressPlace {
    addresses: Addresses,
    of: IpAddr,
}

impl Addresses {
    /// Takes a place for a connection from this address, which may have so many. None if it has
    /// them.
    pub(super) fn enter(&self, of: IpAddr, most: usize) -> Option<AddressPlace> {
        let mut counts = lock(&self.0);
        let count = counts.entry(of).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(AddressPlace { addresses: self.clone(), of })
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut counts = lock(&self.addresses.0);
        if let Some(count) = counts.get_mut(&self.of) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memberd_copies::wire::TO_KEEPER_CAP;
    use tokio::time::{Duration, timeout};

    /// Three of the longest messages that never arrive stop neither blocks nor heads.
    #[tokio::test]
    async fn messages_that_stall_do_not_stop_shorter_ones() {
        let memory = Memory::new();
        let taken = |bytes: usize| timeout(Duration::from_millis(50), memory.take(bytes));
        let long = taken(TO_KEEPER_CAP).await.expect("one at a time").unwrap();
        assert!(taken(TO_KEEPER_CAP).await.is_err());
        let mut blocks = Vec::new();
        while let Ok(block) = taken(256 * 1024).await {
            blocks.push(block.unwrap());
        }
        assert_eq!(blocks.len(), 6);
        assert!(taken(4_000).await.is_ok());
        drop((long, blocks));
        assert!(taken(TO_KEEPER_CAP).await.is_ok() && taken(256 * 1024).await.is_ok());
        let all: u32 = CLASSES.iter().map(|(_, kib)| kib).sum();
        assert!(all <= 6 * 1024, "{all} KiB");
    }

    #[test]
    fn an_address_has_its_places_and_no_more() {
        let addresses = Addresses::default();
        let [one, other]: [IpAddr; 2] = [[127, 0, 0, 1].into(), [127, 0, 0, 2].into()];
        let places = [addresses.enter(one, 2).unwrap(), addresses.enter(one, 2).unwrap()];
        assert!(addresses.enter(one, 2).is_none() && addresses.enter(other, 2).is_some());
        drop(places);
        assert!(addresses.enter(one, 2).is_some() && lock(&addresses.0).is_empty());
    }
}
