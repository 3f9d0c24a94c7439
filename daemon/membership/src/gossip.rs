//! How what one member knows reaches the others: broadcasts of what is new, and anti-entropy for
//! what they missed.

pub(crate) mod anti_entropy;
pub(crate) mod broadcast;
