//! What this daemon measures, in Prometheus' text format: for `memberctl metrics`, and over HTTP
//! where `[metrics] listen` says.

/// What the daemon does for a control client: one file a verb, of the same name as memberctl's.
pub mod handlers {
    pub mod metrics;
}
pub mod histogram;
pub mod http;
pub mod text;
