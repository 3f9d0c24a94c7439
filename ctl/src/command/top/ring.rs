//! Draws the ring: a mark for each member, and names where there is room.

use std::f64::consts::TAU;

use memberd_control::message::{MemberRecord, MemberStatus};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::label::shorten;
use super::theme::Theme;
use super::view::View;

/// The meaning of the marks, which is printed below the ring.
const LEGEND: &str =
    "o alive  # alive and watches the [selected]  x failed  - left  * this machine";

/// The same while a member is suspected. It is as wide as the smallest screen.
const LEGEND_OF_SUSPECTED: &str =
    "o alive  ? suspected  # watches the [selected]  x failed  - left  * this machine";

/// Both with agreed views, which have a leader. They are no wider.
const LEGEND_OF_LED: &str =
    "o alive  # watches the [selected]  x failed  - left  * this machine  ^ leader";
const LEGEND_OF_SUSPECTED_AND_LED: &str =
    "o alive ? suspected # watches [selected] x failed - left * this machine ^ leader";

/// The meaning of the marks of this ring.
pub(super) fn legend(view: &View) -> &'static str {
    let suspected = view.ring().any(|member| member.suspected_by.is_some());
    match (suspected, view.agreed().is_some()) {
        (false, false) => LEGEND,
        (true, false) => LEGEND_OF_SUSPECTED,
        (false, true) => LEGEND_OF_LED,
        (true, true) => LEGEND_OF_SUSPECTED_AND_LED,
    }
}

/// One member's place on the screen.
struct Place<'view> {
    member: &'view MemberRecord,
    /// Its name, shortened so that it fits beside the ring.
    label: String,
    x: u16,
    y: u16,
    /// Whether its name stands to the right of the mark.
    right: bool,
    mark: &'static str,
    style: Style,
    selected: bool,
    leads: bool,
}

/// Draws all members into the area. Where several share a cell, the most important is visible.
pub(super) fn draw(view: &View, theme: Theme, area: Rect, buffer: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let mut places = places(view, theme, area);
    places.sort_by_key(importance);
    for place in &places {
        if let Some(cell) = buffer.cell_mut((place.x, place.y)) {
            cell.set_symbol(place.mark).set_style(place.style);
        }
    }
    // Names are written in the reverse order, so that the more important ones find room.
    for place in places.iter().rev() {
        write_name(place, theme, area, buffer);
    }
}

fn places<'view>(view: &'view View, theme: Theme, area: Rect) -> Vec<Place<'view>> {
    let selected = view.selected().map(|member| member.name.as_str());
    let monitors = selected.map(|name| view.monitors(name)).unwrap_or_default();
    let members = view.ring();
    let count = members.len();
    let domain = view.domain();
    let length = |member: &MemberRecord| member.name.chars().count();
    let longest = view.ring().map(length).max().unwrap_or(0).saturating_sub(domain.len());
    let room = longest.min(usize::from(area.width / 4)).max(1);
    // There are names on both sides of the ring, with a blank, brackets, a star and the leader's
    // mark.
    let beside = if view.agreed().is_some() { 5 } else { 4 };
    let margin = u16::try_from(room + beside).unwrap_or(u16::MAX).min(area.width / 2);
    let (radius_x, radius_y) = (
        f64::from(area.width.saturating_sub(2 * margin + 1)) / 2.0,
        f64::from(area.height - 1) / 2.0,
    );
    members
        .enumerate()
        .map(|(index, member)| {
            #[expect(clippy::cast_precision_loss, reason = "a list has at most 20,000 entries")]
            let angle = TAU * (index as f64 / count as f64);
            let (x, y) = (radius_x * (1.0 + angle.sin()), radius_y * (1.0 - angle.cos()));
            let selected = selected == Some(member.name.as_str());
            let (mark, style) = mark(member, monitors.contains(&member.name.as_str()), theme);
            Place {
                member,
                label: shorten(&member.name, domain, room),
                x: area.x + margin + rounded(x),
                y: area.y + rounded(y),
                right: angle.sin() >= -0.01,
                mark,
                style: if selected { theme.selected() } else { style },
                selected,
                leads: view.leads(&member.name),
            }
        })
        .collect()
}

/// Rounds to the nearest cell. Halves go up the screen, so that the last digit of a sine does not
/// matter.
fn rounded(distance: f64) -> u16 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within the area, whose sides are u16"
    )]
    let cells = (distance - 0.001).round() as u16;
    cells
}

/// The mark of a member, and its style. `monitor` says whether it watches the selected one.
pub(super) fn mark(member: &MemberRecord, monitor: bool, theme: Theme) -> (&'static str, Style) {
    match member.status {
        MemberStatus::Alive if member.suspected_by.is_some() => ("?", theme.suspected()),
        MemberStatus::Alive if monitor => ("#", theme.monitor()),
        MemberStatus::Alive => ("o", theme.standing(member.status)),
        MemberStatus::Failed => ("x", theme.standing(member.status)),
        MemberStatus::Left => ("-", theme.standing(member.status)),
    }
}

/// A larger number for a member that matters more.
fn importance(place: &Place) -> u8 {
    match (place.selected, place.mark) {
        (true, _) => 7,
        _ if place.leads => 6,
        _ if place.mark == "x" => 5,
        _ if place.mark == "?" => 4,
        _ if place.mark == "#" => 3,
        _ if place.member.this_machine => 2,
        _ if place.mark == "o" => 1,
        _ => 0,
    }
}

/// Writes the name beside the mark, if all of it fits. The selected member's name is always
/// written, if necessary over other marks.
fn write_name(place: &Place, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let own = if place.member.this_machine { "*" } else { "" };
    let leads = if place.leads { "^" } else { "" };
    let name = match place.selected {
        true => format!("[{}]{own}{leads}", place.label),
        false => format!("{}{own}{leads}", place.label),
    };
    let Ok(width) = u16::try_from(name.chars().count()) else { return };
    let sides = if place.selected { &[place.right, !place.right][..] } else { &[place.right] };
    let begins: Vec<u16> =
        sides.iter().filter_map(|right| begin(place.x, *right, width, area)).collect();
    let free = |begin: &&u16| {
        // One more cell on the far side separates the names.
        let (from, to) = if **begin > place.x {
            (place.x + 1, **begin + width)
        } else {
            (begin.saturating_sub(1), place.x.saturating_sub(1))
        };
        (from..=to).all(|x| buffer.cell((x, place.y)).is_none_or(|cell| cell.symbol() == " "))
    };
    let begin = begins.iter().find(free).or(begins.first().filter(|_| place.selected));
    if let Some(begin) = begin {
        let style = if place.selected { theme.title() } else { place.style };
        buffer.set_string(*begin, place.y, name, style);
    }
}

/// Where a name of this width begins on a side of the mark; none if it does not fit.
fn begin(x: u16, right: bool, width: u16, area: Rect) -> Option<u16> {
    if right {
        let begin = x.saturating_add(2);
        (begin.saturating_add(width) <= area.right()).then_some(begin)
    } else {
        x.checked_sub(width + 1).filter(|begin| *begin >= area.x)
    }
}
