//! The table of the members with which heartbeats are exchanged.

use memberd_control::message::NeighbourRecord;

use crate::format;
use crate::members::natural;

const TITLES: [&str; 6] = ["NAME", "LAST SENT", "LOST", "DELAY", "CLOCK", "LIST"];

/// The titles, and a line for each neighbour. Without neighbours there are no lines at all.
pub(crate) fn table(neighbours: &[NeighbourRecord]) -> Vec<String> {
    if neighbours.is_empty() {
        return Vec::new();
    }
    let mut neighbours: Vec<&NeighbourRecord> = neighbours.iter().collect();
    neighbours.sort_by(|one, other| natural(&one.name, &other.name));
    let rows: Vec<[String; 6]> =
        std::iter::once(TITLES.map(str::to_owned)).chain(neighbours.into_iter().map(row)).collect();
    let widths: [usize; 6] = std::array::from_fn(|column| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    });
    rows.iter()
        .map(|row| {
            let cells: Vec<String> =
                row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

fn row(neighbour: &NeighbourRecord) -> [String; 6] {
    let unknown = || "-".to_owned();
    let clock = neighbour.clock_offset.map_or_else(unknown, |offset| match offset {
        0 => "as ours".to_owned(),
        offset if offset < 0 => format!("{} behind", format::difference(offset.unsigned_abs())),
        offset => format!("{} ahead", format::difference(offset.unsigned_abs())),
    });
    [
        format::printable(&neighbour.name),
        neighbour
            .heartbeat_age
            .map_or_else(|| "never".to_owned(), |age| format!("{} ago", format::duration(age))),
        neighbour
            .lost_permille
            .map_or_else(unknown, |lost| format!("{}.{} %", lost / 10, lost % 10)),
        neighbour.smallest_delay.map_or_else(unknown, |delay| {
            if delay == 0 { "< 1 ms".to_owned() } else { format::duration(delay) }
        }),
        clock,
        list(neighbour),
    ]
}

/// Whether its list is as ours, and who suspects it.
fn list(neighbour: &NeighbourRecord) -> String {
    let list = if neighbour.agrees { "same" } else { "differs" };
    match &neighbour.suspected_by {
        Some(by) => format!("{list}, {}", format::suspicion(by)),
        None => list.to_owned(),
    }
}
