//! Screens, as characters; and what keys do.

#[path = "../../../tests/memberctl/records.rs"]
mod records;

use memberd_control::message::{
    MemberRecord, MemberStatus, MissedRecord, NeighbourRecord, RingPart, StatusReport, ViewSummary,
};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::feed::{Group, Input, Snapshot};
use super::theme::Theme;
use super::view::{Action, View};
use super::{Size, as_text, draw};
use crate::changes::Update;
use records::{event, member, suspected, tagged, view_events};

fn report(uptime: u64, sent: u64) -> StatusReport {
    let neighbour = NeighbourRecord {
        name: "vm2".to_owned(),
        heartbeat_age: Some(310),
        clock_offset: Some(-2),
        agrees: true,
        watched: true,
        watches: true,
        smallest_delay: Some(0),
        lost_permille: Some(12),
        suspected_by: None,
    };
    let counters = ["bytes_received", "bytes_sent", "datagrams_received", "datagrams_sent"];
    StatusReport {
        version: "0.1.0".to_owned(),
        phase: "member".to_owned(),
        name: "vm1".to_owned(),
        address: "127.0.0.1:8946".to_owned(),
        id: Some("vm1@127.0.0.1:8946/1763688033123".to_owned()),
        uptime,
        alive: 7,
        failed: 1,
        left: 0,
        suspected: 0,
        digest: "00ff".to_owned(),
        neighbours: vec![neighbour],
        counters: counters.map(|name| (name.to_owned(), sent)).to_vec(),
        warnings: vec!["the clock of vm2 is 4.1 s behind ours".to_owned()],
        greps: Vec::new(),
        searches: 0,
        tags: memberd_control::tags::Tags::new(),
        keys: Vec::new(),
        view: None,
    }
}

/// Eight members that stand on the ring in the order of their numbers; the fourth has failed.
fn snapshot(uptime: u64, sent: u64) -> Input {
    let status = |number| if number == 4 { MemberStatus::Failed } else { MemberStatus::Alive };
    let members: Vec<MemberRecord> = (1..=8).map(|number| member(number, status(number))).collect();
    let names = members.iter().map(|member| member.name.clone()).collect();
    let ring = RingPart { max_simultaneous_failures: 4, names };
    Input::Snapshot(Box::new(Snapshot {
        report: report(uptime, sent),
        group: Some(Group { members, ring }),
    }))
}

fn view() -> View {
    let mut view = View::new(None);
    view.take(snapshot(1_000, 0));
    // The list is as it was.
    view.take(Input::Snapshot(Box::new(Snapshot { report: report(2_000, 7), group: None })));
    view.take(Input::Update(Update::Event(Box::new(event(4, MemberStatus::Failed)))));
    view.take(Input::Update(Update::Event(Box::new(tagged(5, &[("role", "db"), ("zone", "a")])))));
    view
}

fn screen(view: &View, columns: u16, rows: u16, color: bool) -> Buffer {
    let area = Rect::new(0, 0, columns, rows);
    let mut buffer = Buffer::empty(area);
    draw::screen(view, Theme::new(color), area, &mut buffer);
    buffer
}

fn press(view: &mut View, code: KeyCode) -> Action {
    view.take(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn type_in(view: &mut View, text: &str) {
    text.chars()
        .for_each(|character| assert_eq!(press(view, KeyCode::Char(character)), Action::None));
}

#[test]
fn a_screen_of_80_by_24_has_all_of_it() {
    let text = as_text(&screen(&view(), 80, 24, false));
    let expected = "\
vm1  7 alive  1 failed  0 left  list as 1 of 1 neighbours have it

              o [vm1]*        [vm1] joined 3 min ago, port 8946
     vm8 #         # vm2      at 127.0.0.1
                              watched by vm2 vm3 vm8 vm7
                              watches    vm2 vm3 vm8 vm7
   vm7 #             # vm3    NEIGHBOURS of vm1
                              NAME  LAST SENT   LOST   DELAY   CLOCK        LIST
                              vm2   310 ms ago  1.2 %  < 1 ms  2 ms behind  same
                              out 7.0/s 7 B/s, in 7.0/s 7 B/s
     vm6 o         x vm4      ! the clock of vm2 is 4.1 s behind ours
              o vm5

o alive  # alive and watches the [selected]  x failed  - left  * this machine
CHANGES
01:20:33  vm4 failed, noticed by vm2, last heard 1.76 s before
01:20:33  vm5 tagged, now role=db zone=a






arrows select  m members  / grep all logs  ? help  q quits
";
    assert_eq!(text, expected, "\n{text}");
}

/// Member 3 is suspected, and selected.
#[test]
fn a_suspected_member_is_marked_on_the_ring_and_in_the_table() {
    let mut view = View::new(Some("vm3".to_owned()));
    let Input::Snapshot(mut snapshot) = snapshot(1_000, 0) else { panic!("a snapshot") };
    snapshot.report.suspected = 1;
    snapshot.group.as_mut().unwrap().members[2] = suspected(3);
    view.take(Input::Snapshot(snapshot));
    let text = as_text(&screen(&view, 80, 24, false));
    for words in [
        "vm1  7 alive  1 failed  0 left  1 suspected  list as 1 of 1 neighbours have it\n",
        " ? [vm3] ",
        "[vm3] joined 3 min ago, port 8946\n",
        " suspected by vm2\n",
        "\no alive  ? suspected  # watches the [selected]  x failed  - left  * this machine\n",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    press(&mut view, KeyCode::Char('m'));
    press(&mut view, KeyCode::Char('s'));
    let text = as_text(&screen(&view, 80, 24, false));
    let row = |words| text.lines().position(|line| line.starts_with(words));
    let rows = ["x vm4  failed", "? vm3  alive ", "o vm1  alive "].map(row);
    assert!(rows.is_sorted() && rows[0].is_some(), "{text}");
    press(&mut view, KeyCode::Char('m'));
    press(&mut view, KeyCode::Up);
    let text = as_text(&screen(&view, 80, 24, false));
    assert!(text.contains(" ? vm3"), "also if it watches the selected one: {text}");
}

#[test]
fn without_colour_there_is_none() {
    let colored = |buffer: &Buffer| {
        buffer.content.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
    };
    assert!(!colored(&screen(&view(), 80, 24, false)));
    assert!(colored(&screen(&view(), 80, 24, true)));
}

#[test]
fn a_screen_of_any_size_can_be_drawn() {
    let mut view = view();
    type_in(&mut view, "/x");
    press(&mut view, KeyCode::Enter);
    for columns in [1, 2, 3, 5, 8, 13, 21, 34, 55, 79, 131] {
        for rows in [1, 2, 3, 4, 5, 8, 11, 12, 13, 24, 60] {
            screen(&view, columns, rows, true);
        }
    }
    screen(&View::new(None), 80, 24, true);
}

#[test]
fn the_arrows_go_around_the_ring_and_its_monitors_go_with_them() {
    let mut view = view();
    let selected = |view: &View| view.selected().map(|member| member.name.clone());
    assert_eq!(selected(&view).as_deref(), Some("vm1"));
    press(&mut view, KeyCode::Up);
    assert_eq!(selected(&view).as_deref(), Some("vm8"));
    // The failed one watches nobody; the next alive does.
    (0..3).for_each(|_| drop(press(&mut view, KeyCode::Down)));
    assert_eq!(selected(&view).as_deref(), Some("vm3"));
    assert_eq!(view.monitors("vm3"), ["vm5", "vm6", "vm2", "vm1"]);
    press(&mut view, KeyCode::Char('l'));
    let text = as_text(&screen(&view, 80, 24, false));
    assert!(
        text.contains("[vm4] failed 3 min ago, port 8946") && text.contains("noticed by vm2"),
        "{text}"
    );
}

/// Twelve hosts with the names of real ones; the seventh has failed.
fn hosts() -> View {
    let mut view = View::new(Some("app-server-03.fra1.example.com".to_owned()));
    let name = |number: usize| format!("app-server-{number:02}.fra1.example.com");
    let status = |number| if number == 7 { MemberStatus::Failed } else { MemberStatus::Alive };
    let members: Vec<MemberRecord> = (1..=12)
        .map(|number| MemberRecord { name: name(number), ..member(number, status(number)) })
        .collect();
    let names = members.iter().map(|member| member.name.clone()).collect();
    let ring = RingPart { max_simultaneous_failures: 4, names };
    let mut report = StatusReport { name: name(1), alive: 11, ..report(1_000, 0) };
    report.neighbours[0].name = name(2);
    view.take(Input::Snapshot(Box::new(Snapshot { report, group: Some(Group { members, ring }) })));
    view
}

/// What a screen of this size shows of hosts with long names.
fn of_hosts(view: &View, columns: u16) -> String {
    as_text(&screen(view, columns, 24, false))
}

#[test]
fn long_names_of_hosts_leave_the_ring_and_the_table_whole() {
    let view = hosts();
    for columns in [80, 132, 200] {
        let text = of_hosts(&view, columns);
        // The whole row of the neighbour, the selected member on the ring, and this machine.
        assert!(text.contains("2 ms behind  same"), "{columns}: {text}");
        assert!(text.contains("-03]") && text.contains("-01*"), "{columns}: {text}");
        assert!(text.contains("[app-server-03.fra1.example.com] joined"), "{columns}: {text}");
        assert!(text.contains("NEIGHBOURS of "), "{columns}: {text}");
    }
    assert!(of_hosts(&view, 132).contains("[app-server-03]"), "{}", of_hosts(&view, 132));
}

#[test]
fn whoever_is_selected_has_a_name_on_the_ring() {
    for columns in [60, 80, 132, 200] {
        let mut view = hosts();
        for _ in 0..12 {
            press(&mut view, KeyCode::Down);
            let selected = view.selected().map(|member| member.name[..13].to_owned()).unwrap();
            let number = &selected[11..];
            let text = of_hosts(&view, columns);
            let ring = text.lines().take(14).collect::<Vec<_>>().join("\n");
            assert!(ring.contains(&format!("{number}]")), "{selected} at {columns}: {text}");
        }
    }
}

#[test]
fn the_table_of_members_is_sorted_and_scrolled() {
    let mut view = hosts();
    press(&mut view, KeyCode::Char('m'));
    let text = of_hosts(&view, 80);
    assert!(text.contains("MEMBERS by name") && text.contains("o ap…er-01 alive"), "{text}");
    press(&mut view, KeyCode::Char('s'));
    press(&mut view, KeyCode::Home);
    let name = |view: &View| view.selected().map(|member| member.name.clone()).unwrap();
    assert!(of_hosts(&view, 132).contains("MEMBERS by status"));
    assert_eq!(name(&view), "app-server-07.fra1.example.com", "the failed one is the first");
    press(&mut view, KeyCode::PageDown);
    assert_eq!(name(&view), "app-server-11.fra1.example.com");
    press(&mut view, KeyCode::End);
    press(&mut view, KeyCode::PageDown);
    assert_eq!(name(&view), "app-server-12.fra1.example.com", "the last stays the last");
    press(&mut view, KeyCode::Down);
    assert_eq!(name(&view), "app-server-07.fra1.example.com", "the arrows go around");
    let screen = of_hosts(&view, 132);
    assert!(screen.contains("x app-server-07 failed  3 min ago"), "{screen}");
}

#[test]
fn a_question_mark_shows_the_keys_until_the_next_one() {
    let mut view = view();
    press(&mut view, KeyCode::Char('?'));
    let text = as_text(&screen(&view, 80, 24, false));
    assert!(text.starts_with("KEYS (any key closes this)\n"), "{text}");
    assert_eq!(press(&mut view, KeyCode::Char('q')), Action::None);
    assert!(as_text(&screen(&view, 80, 24, false)).starts_with("vm1  7 alive"));
}

#[test]
fn a_small_screen_says_that_the_ring_has_no_room() {
    for (columns, rows) in [(40, 10), (80, 10), (20, 24)] {
        let text = as_text(&screen(&view(), columns, rows, false));
        assert!(text.contains("no room for"), "{columns}x{rows}: {text}");
    }
}

#[test]
fn the_lines_of_a_grep_scroll_and_lose_their_directories() {
    let mut view = view();
    type_in(&mut view, "/x");
    press(&mut view, KeyCode::Enter);
    let found = view.found.as_mut().unwrap();
    found.number = Some(7);
    for line in 0..50 {
        view.take(Input::GrepLine(7, format!("vm2:/var/log/shop/a.log:line {line}.")));
    }
    let text = as_text(&screen(&view, 80, 24, false));
    assert!(text.contains("\nvm2:a.log:line 49.\n"), "{text}");
    let lines = |text: &str| text.matches("vm2:a.log:").count();
    assert!(lines(&text) >= 9, "a grep has most of the lower part: {text}");
    press(&mut view, KeyCode::PageUp);
    let text = as_text(&screen(&view, 80, 24, false));
    assert!(text.contains("line 39.") && text.contains("10 below"), "{text}");
    press(&mut view, KeyCode::Home);
    press(&mut view, KeyCode::Char('f'));
    let text = as_text(&screen(&view, 80, 24, false));
    assert!(text.contains("\nvm2:/var/log/shop/a.log:line 0.\n"), "{text}");
    press(&mut view, KeyCode::End);
    assert!(as_text(&screen(&view, 80, 24, false)).contains("line 49."));
}

#[test]
fn control_z_suspends_even_while_a_line_is_typed() {
    let mut view = view();
    type_in(&mut view, "/x");
    let stop = KeyEvent::new(KeyCode::Char('z'), KeyModifiers::CONTROL);
    assert_eq!(view.take(Input::Key(stop)), Action::Suspend);
    assert!(as_text(&screen(&view, 80, 24, false)).contains("first): x"));
}

#[test]
fn a_grep_is_typed_started_and_ended() {
    let mut view = view();
    type_in(&mut view, "/timed outt");
    press(&mut view, KeyCode::Backspace);
    assert!(
        as_text(&screen(&view, 80, 24, false))
            .contains("grep (a pattern, or options first): timed out")
    );
    assert_eq!(press(&mut view, KeyCode::Enter), Action::Search("timed out".to_owned()));
    assert!(as_text(&screen(&view, 80, 24, false)).contains("GREP timed out  searching"));
    assert_eq!(press(&mut view, KeyCode::Esc), Action::EndSearch);
    assert_eq!(press(&mut view, KeyCode::Esc), Action::None);
    type_in(&mut view, "/q");
    press(&mut view, KeyCode::Esc);
    assert_eq!(press(&mut view, KeyCode::Char('q')), Action::Quit);
    let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(view.take(Input::Key(interrupt)), Action::Quit);
}

#[test]
fn the_headline_says_if_the_daemon_is_lost_or_in_no_group() {
    let mut view = view();
    view.take(Input::Lost("memberd is not running".to_owned()));
    assert!(as_text(&screen(&view, 80, 24, false)).starts_with("memberd is not running\n"));
    view.take(snapshot(500, 3));
    let text = as_text(&screen(&view, 80, 24, false));
    assert!(
        text.starts_with("vm1  7 alive") && !text.contains("B/s"),
        "no rates over a restart: {text}"
    );
    let out = StatusReport { phase: "out".to_owned(), id: None, ..report(900, 3) };
    let ring = RingPart { max_simultaneous_failures: 0, names: Vec::new() };
    view.take(Input::Snapshot(Box::new(Snapshot {
        report: out,
        group: Some(Group { members: Vec::new(), ring }),
    })));
    assert!(
        as_text(&screen(&view, 80, 24, false))
            .starts_with("vm1 is not in a group: memberctl join, or join_on_start = true\n")
    );
}

#[test]
fn missing_changes_are_a_line_at_their_place() {
    let mut view = view();
    view.take(Input::Update(Update::Missed(MissedRecord {
        until: 1_763_688_040_000,
        count: None,
    })));
    view.take(Input::Update(Update::Missed(MissedRecord {
        until: 1_763_688_050_000,
        count: Some(3),
    })));
    let text = as_text(&screen(&view, 80, 24, false));
    let expected = "\
01:20:40  memberd does not know the changes before this
01:20:50  3 changes before this were missed: they came too fast
";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_large_group_shows_every_failure() {
    let mut view = View::new(None);
    let status = |number| if number % 97 == 0 { MemberStatus::Failed } else { MemberStatus::Alive };
    let mut members: Vec<MemberRecord> =
        (1..=1_000).map(|number| member(number, status(number))).collect();
    members.sort_by(|one, other| one.name.cmp(&other.name));
    let names = members.iter().map(|member| member.name.clone()).collect();
    let ring = RingPart { max_simultaneous_failures: 4, names };
    view.take(Input::Snapshot(Box::new(Snapshot {
        report: report(1, 1),
        group: Some(Group { members, ring }),
    })));
    let text = as_text(&screen(&view, 120, 50, false));
    assert_eq!(
        text.lines().take(30).map(|line| line.matches(" vm").count()).max().map(|most| most > 0),
        Some(true)
    );
    let crosses =
        text.lines().take(30).flat_map(str::chars).filter(|character| *character == 'x').count();
    assert!(crosses >= 8, "{crosses} crosses\n{text}");
}

#[test]
fn sizes_are_columns_and_rows() {
    assert_eq!("80x24".parse(), Ok(Size { columns: 80, rows: 24 }));
    for text in ["80", "x", "0x5", "80x1001", "axb"] {
        assert!(text.parse::<Size>().is_err(), "{text}");
    }
}

/// A screen of the eight members whose agreed view is this one.
fn agreed(view: &ViewSummary) -> View {
    let mut shown = View::new(None);
    let Input::Snapshot(mut snapshot) = snapshot(1_000, 0) else { panic!("a snapshot") };
    snapshot.report.view = Some(view.clone());
    shown.take(Input::Snapshot(snapshot));
    for event in view_events() {
        shown.take(Input::Update(Update::View(Box::new(event))));
    }
    shown
}

#[test]
fn the_leader_is_marked_and_the_view_is_named() {
    let summary = ViewSummary {
        number: 18,
        term: 7,
        leader: Some("vm3".to_owned()),
        exclusive: true,
        members: 7,
        ..ViewSummary::default()
    };
    let mut view = agreed(&summary);
    let text = as_text(&screen(&view, 80, 24, false));
    for words in [
        " # vm3^ ",
        " o [vm1]* ",
        " view 18 of term 7, led by vm3\n",
        "\no alive  # watches the [selected]  x failed  - left  * this machine  ^ leader\n",
        "\n01:20:34  view installed, number 18, term 7, led by vm3; removed vm4; 5 members\n",
        "\n01:20:34  operation finished: delete vm4, by vm3, view 18\n",
        "\n01:20:34  leader elected: vm1, term 8\n",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    press(&mut view, KeyCode::Char('m'));
    let text = as_text(&screen(&view, 80, 24, false));
    assert!(text.contains("o vm3^ alive ") && text.contains("o vm1  alive "), "{text}");
}

#[test]
fn a_stale_view_says_so_and_has_no_leader() {
    let stale = ViewSummary {
        number: 18,
        term: 7,
        members: 7,
        stale_ms: Some(42_000),
        missing: vec!["vm3".to_owned()],
        ..ViewSummary::default()
    };
    let text = as_text(&screen(&agreed(&stale), 80, 24, false));
    assert!(text.contains(" view 18 of term 7, stale for 42 s\n"), "{text}");
    assert!(!text.contains("vm3^"), "{text}");
}

/// All of its marks fit on the smallest screen.
#[test]
fn the_legends_are_no_wider_than_the_screen() {
    let mut view = agreed(&ViewSummary::default());
    let Input::Snapshot(mut snapshot) = snapshot(2_000, 0) else { panic!("a snapshot") };
    snapshot.report.view = Some(ViewSummary::default());
    snapshot.group.as_mut().unwrap().members[2] = suspected(3);
    view.take(Input::Snapshot(snapshot));
    let text = as_text(&screen(&view, 80, 24, false));
    assert!(text.contains(" * this machine ^ leader\n"), "{text}");
}
