//! Members in one process.
