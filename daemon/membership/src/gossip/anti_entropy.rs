//! What two members compare to find out where their lists differ.

pub(crate) mod digest;
pub(crate) mod summary;
