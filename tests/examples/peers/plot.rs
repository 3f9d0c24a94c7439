//! Draws plots of horizontal bars, in groups. It owns no state.

use crate::agent::PROGRAMS;
use crate::options::Row;
use crate::results::{Record, Results};
use std::fmt::Write as _;

const LEFT: f64 = 250.0;
const WIDTH: f64 = 380.0;
const BAR: f64 = 15.0;

/// A plot: its file, its title, and the prefixes of the rows that it shows.
const PLOTS: [(&str, &str, &[&str]); 4] = [
    (
        "crashes.svg",
        "Until a crash is noticed: median, and worst as a line",
        &["one crash: ", "four crashes at once: "],
    ),
    ("rest-bytes.svg", "Bytes sent at rest, each", &["at rest, each: bytes"]),
    ("rest-processor.svg", "Processor time at rest, each", &["at rest, each: processor"]),
    ("rest-memory.svg", "Memory at rest, each", &["at rest, each: memory"]),
];

/// All plots that have results, with the names of their files.
pub(crate) fn all(results: &Results) -> Vec<(&'static str, String)> {
    let drawn = PLOTS.iter().map(|(name, title, begins)| {
        let shown: Vec<&Record> = results
            .records
            .iter()
            .filter(|record| record.of.row != Row::Simulated)
            .filter(|record| begins.iter().any(|begin| record.what.starts_with(begin)))
            .collect();
        (*name, shown, *title)
    });
    drawn
        .filter(|(_, shown, _)| !shown.is_empty())
        .map(|(name, shown, title)| (name, draw(title, &shown)))
        .collect()
}

fn draw(title: &str, records: &[&Record]) -> String {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for record in records {
        if !groups.contains(&(record.what.as_str(), record.of.agents)) {
            groups.push((&record.what, record.of.agents));
        }
    }
    groups.sort_unstable();
    let most = records
        .iter()
        .map(|record| record.worst())
        .filter(|worst| worst.is_finite())
        .fold(f64::MIN_POSITIVE, f64::max);
    let mut body = String::new();
    let mut top = 66.0;
    for (what, agents) in groups {
        let of_this = |program: &str| {
            records.iter().find(move |record| {
                record.what == what && record.of.agents == agents && record.of.program == program
            })
        };
        let _ = writeln!(
            body,
            "<text x=\"12\" y=\"{:.0}\">{} agents, {}</text>",
            top + 12.0,
            agents,
            short(what)
        );
        for program in PROGRAMS {
            let Some(record) = of_this(program.name) else { continue };
            bar(&mut body, record, program.colour, top, WIDTH / most);
            top += BAR + 2.0;
        }
        top += 9.0;
    }
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {top:.0}\" \
        font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>{title}</title>\n<rect width=\"760\" height=\"{top:.0}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{title}</text>\n"
    );
    let mut x = 12.0;
    for program in PROGRAMS {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"36\" width=\"12\" height=\"12\" fill=\"{}\"/>",
            program.colour
        );
        let _ = writeln!(svg, "<text x=\"{}\" y=\"46\">{}</text>", x + 17.0, program.title);
        x += 50.0 + 6.5 * program.title.len() as f64;
    }
    svg + &body + "</svg>\n"
}

/// The text after the last colon or comma.
fn short(what: &str) -> &str {
    what.strip_prefix("at rest, each: ").unwrap_or(what).split(", IP").next().unwrap_or(what)
}

fn bar(body: &mut String, record: &Record, colour: &str, top: f64, scale: f64) {
    if record.typical().is_nan() {
        return;
    }
    // A time that never came is a bar of full length.
    let length = |value: f64| (value * scale).min(WIDTH);
    let (typical, worst) = (length(record.typical()), length(record.worst()));
    let middle = top + BAR / 2.0;
    let _ = writeln!(
        body,
        "<rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{typical:.1}\" height=\"{BAR}\" \
        fill=\"{colour}\"/>"
    );
    let _ = writeln!(
        body,
        "<path d=\"M{:.1} {middle:.1}H{:.1}\" stroke=\"{colour}\"/>",
        LEFT + typical,
        LEFT + worst
    );
    let label = record.measure.show(record.typical());
    let _ = writeln!(
        body,
        "<text x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
        LEFT + worst + 6.0,
        middle + 4.0
    );
}
