//! Reads from the environment which seeds run: `MEMBERD_SIM_SEED=7` one, `MEMBERD_SIM_SEEDS=100000`
//! all below that.

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// The seeds to run: the chosen one, or these, or as many as the environment requests.
pub fn seeds(range: std::ops::Range<u64>) -> std::ops::Range<u64> {
    match number("MEMBERD_SIM_SEED") {
        Some(only) => only..only + 1,
        None => range.start..range.end.max(number("MEMBERD_SIM_SEEDS").unwrap_or(0)),
    }
}
