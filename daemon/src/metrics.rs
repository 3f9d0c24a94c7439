//! What this daemon measures, in Prometheus' text format: for `memberctl metrics`, and over HTTP
//! where `[metrics] listen` says.

pub mod histogram;
pub mod http;
pub mod report;
pub mod text;
