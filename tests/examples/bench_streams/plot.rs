//! Draws the times of the questions as horizontal bars. It owns no state.

use crate::question::Question;
use crate::results::{Record, Results};
use crate::rows::batch::{ONE_MEMBER, PROCESSOR, TIME, column};
use crate::system::System;
use std::fmt::Write as _;

/// The file of the plot, beside the raw results.
pub(crate) const FILE: &str = "questions.svg";

const LEFT: f64 = 150.0;
const WIDTH: f64 = 440.0;
const BAR: f64 = 14.0;

/// The shortest time that has a bar, in seconds. Ten times as much is one step further.
const SHORTEST: f64 = 0.01;

/// How many steps the plot has: to 100 s.
const STEPS: f64 = 4.0;

const TITLE: &str = "Questions over ten logs: time, and processor time as a line";

/// The bars of a group, each with its colour.
fn columns() -> Vec<(String, &'static str)> {
    let spark = |system, is_warm| column(system, is_warm);
    vec![
        (System::Memberd.name().to_owned(), "#1b7837"),
        (ONE_MEMBER.to_owned(), "#7fbf7b"),
        (spark(System::Spark43, false), "#b35806"),
        (spark(System::Spark43, true), "#f1a340"),
        (spark(System::Spark35, false), "#b35806"),
        (spark(System::Spark35, true), "#f1a340"),
        (System::Mawk.name().to_owned(), "#762a83"),
        (System::Duckdb.name().to_owned(), "#9970ab"),
        (System::Agrind.name().to_owned(), "#c2a5cf"),
    ]
}

/// The plot, if there are times.
pub(crate) fn draw(results: &Results) -> Option<String> {
    let (mut body, mut top) = (String::new(), 52.0);
    for question in Question::ALL {
        let mut bars = String::new();
        let mut below = top + 22.0;
        for (column, colour) in columns() {
            let of = |what| results.find(question.row(), what, &column);
            let Some((time, processor)) = of(TIME).zip(of(PROCESSOR)) else { continue };
            bar(&mut bars, &column, colour, below, (time, processor));
            below += BAR + 3.0;
        }
        if !bars.is_empty() {
            let _ = writeln!(
                body,
                "<text x=\"12\" y=\"{:.0}\" font-weight=\"bold\">{}</text>",
                top + 12.0,
                question.title()
            );
            body += &bars;
            top = below + 8.0;
        }
    }
    if body.is_empty() {
        return None;
    }
    let head = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 {:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\" role=\"img\">\n<title>{TITLE}</title>\n\
         <rect width=\"760\" height=\"{:.0}\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{TITLE}</text>\n",
        top + 20.0,
        top + 20.0
    );
    Some(head + &scale(top) + &body + "</svg>\n")
}

/// The lines of the scale, each ten times the one before.
fn scale(bottom: f64) -> String {
    let mut lines = String::new();
    for (at, label) in ["10 ms", "100 ms", "1 s", "10 s", "100 s"].into_iter().enumerate() {
        let x = LEFT + WIDTH * at as f64 / STEPS;
        let _ = writeln!(
            lines,
            "<path d=\"M{x:.1} 44V{bottom:.0}\" stroke=\"#dddddd\"/>\n\
             <text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#777777\">{label}</text>",
            bottom + 13.0
        );
    }
    lines
}

/// How far a time reaches, on a scale of logarithms.
fn length(seconds: f64) -> f64 {
    ((seconds / SHORTEST).log10() / STEPS).clamp(0.0, 1.0) * WIDTH
}

fn bar(body: &mut String, column: &str, colour: &str, top: f64, of: (&Record, &Record)) {
    let (time, processor) = (of.0.typical(), of.1.typical());
    let (middle, ends) = (top + BAR / 2.0, LEFT + length(time.max(processor)));
    let _ = writeln!(
        body,
        "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{column}</text>\n\
         <rect x=\"{LEFT}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\n\
         <path d=\"M{LEFT} {middle:.1}H{:.1}\" stroke=\"#222222\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        LEFT - 6.0,
        middle + 4.0,
        length(time),
        LEFT + length(processor),
        ends + 6.0,
        middle + 4.0,
        of.0.measure.show(time)
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Row;
    use crate::results::{Measure, Subject};

    #[test]
    fn a_plot_has_a_bar_for_each_program() {
        let mut results = Results::default();
        assert_eq!(draw(&results), None);
        for (name, seconds) in [("memberd", 0.1), ("Spark 4.3, cold", 10.0)] {
            for what in [TIME, PROCESSOR] {
                let of = Subject::new(Row::Errors, name);
                results.add(&of, Measure::Seconds, what, &[seconds]);
            }
        }
        let drawn = draw(&results).unwrap();
        let bars: Vec<&str> =
            drawn.lines().filter(|line| line.contains("fill=\"#1b7837\"")).collect();
        assert_eq!(bars.len(), 1);
        assert!(bars[0].contains("width=\"110.0\""), "{drawn}");
        assert!(drawn.contains(">Spark 4.3, cold<") && drawn.contains(">10.00 s<"), "{drawn}");
    }
}
