//! Serves the daemon's metrics in Prometheus' text format: for `memberctl metrics`, and over HTTP
//! at the address of `[metrics] listen`. It owns no state.

/// The requests of control clients. Each file has the name of the `memberctl` command that it
/// answers.
pub mod handlers {
    pub mod metrics;
}
pub mod histogram;
pub mod http;
pub mod text;
