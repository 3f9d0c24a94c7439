//! Compares heartbeat intervals: their cost, the false failures, the longest harmless stop of a
//! member, and the detection time of crashes. It prints a table in Markdown and draws
//! `plots/interval.svg`. It owns the simulated worlds.

use crate::Options;
use crate::world::measure::{Measured, Plan, measure, quantile};
use crate::world::{Network, World};
use memberd_membership::{Detection, GroupSettings, Settings};
use std::fmt::Write;
use std::time::Duration;

/// The fractions of lost datagrams, and the colours of their lines. They are dark enough on white,
/// and distinct for colour-blind readers.
const LOSSES: [(f64, &str); 3] = [(0.0, "#0072b2"), (0.1, "#b86e00"), (0.3, "#b5267b")];

/// The results for one interval at one loss.
struct Row {
    interval: u64,
    loss: f64,
    measured: Measured,
    /// The longest stop of a single member without a reported failure.
    longest_stop: Duration,
}

/// Measures the intervals, prints the table and draws the plot.
pub(crate) fn sweep(options: &Options) -> std::io::Result<()> {
    let columns = [
        "interval",
        "loss",
        "datagrams/s",
        "bytes/s",
        "false failures per member and hour",
        "longest stop that fails nobody",
        "first list: median, worst",
        "every list: worst",
    ];
    println!("| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
    let mut rows = Vec::new();
    for interval in (400..=850).step_by(50) {
        for (loss, _) in LOSSES {
            let (settings, network) = (settings(interval), Network { loss, ..Network::default() });
            let longest_stop = longest_stop(options, &settings, &network);
            let measured = weigh(options, &settings, &network);
            let row = Row { interval, loss, measured, longest_stop };
            print_row(&row);
            rows.push(row);
        }
    }
    std::fs::write(&options.plot, draw(options, &rows))?;
    println!(
        "\n{} members, {} s idle, {} rounds of 4 crashes; drawn: {}",
        options.members,
        options.idle,
        options.rounds,
        options.plot.display()
    );
    Ok(())
}

fn settings(interval: u64) -> Settings {
    let group = GroupSettings {
        detection: Detection::Ring { heartbeat_interval: Duration::from_millis(interval) },
        ..GroupSettings::default()
    };
    Settings { group, ..Settings::default() }
}

/// Stops every member once, each at another moment. Finds the longest stop, in steps of 50 ms,
/// without a reported failure.
fn longest_stop(options: &Options, settings: &Settings, network: &Network) -> Duration {
    let fails_nobody = |stop: &Duration| {
        let mut world = World::formed(options.members, 1, settings.clone());
        world.network = network.clone();
        let start = world.now;
        (0..options.members).all(|i| {
            world.stop_for(i, *stop);
            world.run_for(Duration::from_millis(2_013));
            world.failures_since(start).is_empty()
        })
    };
    let mut stops = (1..=35).rev().map(|step| Duration::from_millis(50 * step));
    stops.find(fails_nobody).unwrap_or_default()
}

fn weigh(options: &Options, settings: &Settings, network: &Network) -> Measured {
    let plan = |crash, idle, seed| Plan {
        crash,
        network: network.clone(),
        idle,
        seed,
        ..Plan::new(options.members, settings.clone())
    };
    let mut measured = measure(&plan(0, Duration::from_secs(options.idle), 1));
    for seed in 0..options.rounds {
        measured.add(measure(&plan(4, Duration::from_secs(1), seed + 2)));
    }
    measured
}

/// False failures per member and hour.
fn rate(measured: &Measured) -> f64 {
    measured.false_failures as f64 / measured.member_hours
}

fn print_row(Row { interval, loss, measured, longest_stop }: &Row) {
    println!(
        "| {interval} ms | {:.0} % | {:.2} | {:.0} | {} | {:.2} s | {:.3} s, {:.3} s | {:.3} s |",
        loss * 100.0,
        measured.datagrams_a_second(),
        measured.bytes_a_second(),
        if measured.false_failures == 0 {
            format!("0 in {:.0} h", measured.member_hours)
        } else {
            format!("{:.2}", rate(measured))
        },
        longest_stop.as_secs_f64(),
        quantile(&measured.first, 50),
        quantile(&measured.first, 100),
        quantile(&measured.every, 100),
    );
}

/// A panel of the plot: its content and its range.
struct Panel<'a> {
    title: &'a str,
    top: f64,
    most: f64,
    step: f64,
    value: &'a dyn Fn(&Row) -> f64,
}

const LEFT: f64 = 60.0;
const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 150.0;

fn draw(options: &Options, rows: &[Row]) -> String {
    let datagrams = |row: &Row| row.measured.datagrams_a_second();
    let stop = |row: &Row| row.longest_stop.as_secs_f64();
    let worst_first = |row: &Row| quantile(&row.measured.first, 100);
    let most = rows.iter().map(datagrams).fold(1.0, f64::max);
    let (sent, stopped, noticed) = (
        "idle datagrams a second and member",
        "seconds that a member may be stopped without being reported failed",
        "seconds until a crash is in the first list, at worst",
    );
    let panels = [
        Panel { title: sent, top: 80.0, most, step: 5.0, value: &datagrams },
        Panel { title: stopped, top: 290.0, most: 1.75, step: 0.5, value: &stop },
        Panel { title: noticed, top: 500.0, most: 2.0, step: 0.5, value: &worst_first },
    ];
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 700 710\" \
        font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n\
         <title>What the heartbeat interval costs and buys</title>\n<rect width=\"700\" \
         height=\"710\" fill=\"#ffffff\"/>\n",
    );
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{} members, k = 4, \
        failure_timeout 1.75 s</text>",
        options.members
    );
    let hours: f64 = rows.iter().map(|row| row.measured.member_hours).sum();
    let falsely: usize = rows.iter().map(|row| row.measured.false_failures).sum();
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"44\">{falsely} live members reported failed in {hours:.0} \
        member-hours; the default is dashed</text>"
    );
    for panel in &panels {
        draw_panel(&mut svg, panel, rows);
    }
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"695\" text-anchor=\"middle\">heartbeat_interval, ms</text>",
        LEFT + WIDTH / 2.0
    );
    svg.push_str("</svg>\n");
    svg
}

fn draw_panel(svg: &mut String, panel: &Panel, rows: &[Row]) {
    let x = |interval: u64| LEFT + (interval as f64 - 400.0) / 450.0 * WIDTH;
    let y = |value: f64| panel.top + HEIGHT - value / panel.most * HEIGHT;
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{}</text>", panel.top - 10.0, panel.title);
    let mut level = 0.0;
    while level <= panel.most * 1.001 {
        let (at, label) = (y(level), (level * 1_000.0).round() / 1_000.0);
        let _ = writeln!(svg, "<path d=\"M{LEFT} {at:.1}h{WIDTH}\" stroke=\"#dddddd\"/>");
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 6.0,
            at + 4.0
        );
        level += panel.step;
    }
    for interval in (400..=850).step_by(50) {
        let (at, under) = (x(interval), panel.top + HEIGHT + 18.0);
        let _ = writeln!(
            svg,
            "<text x=\"{at:.1}\" y=\"{under}\" text-anchor=\"middle\">{interval}</text>"
        );
    }
    let _ = writeln!(
        svg,
        "<path d=\"M{:.1} {}v{HEIGHT}\" stroke=\"#888888\" stroke-dasharray=\"4 4\"/>",
        x(600),
        panel.top
    );
    let mut labels: Vec<f64> = Vec::new();
    for (loss, colour) in LOSSES.iter().rev() {
        let of_loss: Vec<&Row> =
            rows.iter().filter(|row| row.loss.total_cmp(loss).is_eq()).collect();
        let points: Vec<String> = of_loss
            .iter()
            .map(|row| format!("{:.1},{:.1}", x(row.interval), y((panel.value)(row))))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            points.join(" ")
        );
        if let Some(last) = of_loss.last() {
            // Labels of lines that end close together are spread.
            let mut at = y((panel.value)(last)) + 4.0;
            while labels.iter().any(|label| (label - at).abs() < 15.0) {
                at += 1.0;
            }
            labels.push(at);
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{at:.1}\" fill=\"{colour}\">{:.0} % loss</text>",
                LEFT + WIDTH + 8.0,
                loss * 100.0
            );
        }
    }
}
