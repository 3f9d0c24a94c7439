//! Shows which figures were reached. It owns no state.

/// A figure that was measured, beside what it should be.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which figure.
    pub figure: String,
    /// What it should be.
    pub wanted: String,
    /// What it is.
    pub measured: String,
    /// Whether that suffices.
    pub reached: bool,
}

/// The word for a figure that was reached or not.
pub fn word(reached: bool) -> &'static str {
    if reached { "reached" } else { "**missed**" }
}

/// A line of a table for each figure.
pub fn lines(outcomes: impl IntoIterator<Item = Outcome>) -> String {
    let line = |Outcome { figure, wanted, measured, reached }: Outcome| {
        format!("| {figure} | {wanted} | {measured} | {} |\n", word(reached))
    };
    outcomes.into_iter().map(line).collect()
}

/// These lines as a table under a sentence; nothing if there are none.
pub fn table(head: &str, lines: &str) -> String {
    if lines.is_empty() {
        return String::new();
    }
    format!("\n{head}:\n\n| figure | aim | measured | outcome |\n|---|---|---|---|\n{lines}")
}
