//! Steps: what each reports, and what a file remembers between two of them.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::pattern::Budget;
use crate::query::Query;
use memberd_control::grep::GrepBinary;

/// Keeps all lines.
#[derive(Default)]
struct Kept(Vec<u8>);

impl Output for Kept {
    fn lines(&mut self, bytes: Vec<u8>) -> Result<(), Stopped> {
        self.0.extend(bytes);
        Ok(())
    }

    fn message(&mut self, text: String) -> Result<(), Stopped> {
        panic!("{text}");
    }
}

fn query(pattern: &str) -> Query {
    Query::default().with(|query| {
        query.pattern.patterns = vec![pattern.into()];
        query.printing.no_names = true;
    })
}

/// Searches the chunks of one file, and gives each step and what was printed.
fn steps(query: &Query, chunks: &[&[u8]], cancel: bool) -> Result<(Vec<Step>, String), Stopped> {
    let search = query.compile().unwrap();
    let cancel = AtomicBool::new(cancel);
    let budget = Budget::new(&cancel, &search.memory);
    let job = Job { search: &search, machine: "m", cancel: &cancel, budget: &budget };
    let mut kept = Kept::default();
    let mut scanner = Scanner::new(&job, &search.engine, &mut kept);
    let mut file = FileScan::default();
    let steps: Result<Vec<Step>, Stopped> =
        chunks.iter().map(|chunk| scanner.step(&mut file, &mut chunk.to_vec())).collect();
    scanner.flush()?;
    drop(scanner);
    Ok((steps?, String::from_utf8(kept.0).unwrap()))
}

#[test]
fn a_step_counts_its_bytes_and_its_lines() {
    let (steps, _) = steps(&query("x"), &[b"x\ny\nx\n", b"y\n", b"x"], false).unwrap();
    let mut totals = Totals::default();
    steps.iter().for_each(|step| step.add_to(&mut totals));
    assert_eq!(totals.bytes, 9);
    assert_eq!(totals.lines, 3);
    let printed: Vec<bool> = steps.iter().map(|step| step.has_printed).collect();
    assert_eq!(printed, [true, false, true]);
}

#[test]
fn line_numbers_and_context_cross_the_border_of_chunks() {
    let query = query("x").with(|query| {
        query.printing.line_numbers = true;
        query.printing.before_context = Some(1);
        query.printing.after_context = Some(1);
    });
    let (_, printed) = steps(&query, &[b"a\nb\n", b"x\n", b"c\nd\n"], false).unwrap();
    assert_eq!(printed, "2-b\n3:x\n4-c\n");
}

#[test]
fn a_step_is_the_last_once_max_count_is_reached() {
    let (steps, printed) = steps(
        &query("x").with(|query| query.printing.max_count = Some(2)),
        &[b"x1\n", b"x2\nx3\n"],
        false,
    )
    .unwrap();
    assert_eq!(printed, "x1\nx2\n");
    assert!(steps[0].goes_on());
    assert!(!steps[1].goes_on());
}

#[test]
fn a_nul_byte_takes_back_the_lines_of_a_skipped_file() {
    let query = query("x").with(|query| query.printing.binary = GrepBinary::Skip);
    let (steps, _) = steps(&query, &[b"x\nx\n", b"x\0\n"], false).unwrap();
    assert_eq!(steps[0].selected, 2);
    assert_eq!(steps[1].selected_before, 2);
    assert_eq!(steps[1].selected, 0);
    assert!(steps[1].is_last);
}

#[test]
fn only_the_first_binary_match_is_reported_as_the_first() {
    let (steps, _) = steps(&query("x"), &[b"x\n", b"x\0\nx\n", b"x\n"], false).unwrap();
    let first: Vec<bool> = steps.iter().map(|step| step.first_binary_match).collect();
    assert_eq!(first, [false, true, false]);
    assert!(steps[2].binary_matches);
}

#[test]
fn a_cancelled_search_gives_no_step() {
    assert!(steps(&query("x"), &[b"x\n"], true).is_err());
}

#[test]
fn a_reader_is_searched_to_its_end_in_one_step() {
    let search = query("x").compile().unwrap();
    let cancel = AtomicBool::new(false);
    let budget = Budget::new(&cancel, &search.memory);
    let job = Job { search: &search, machine: "m", cancel: &cancel, budget: &budget };
    let mut kept = Kept::default();
    let mut scanner = Scanner::new(&job, &search.engine, &mut kept);
    let step = scanner.read(&b"x\ny\nx\n"[..], 6, &Positions::default(), None).unwrap();
    assert_eq!(step.bytes, 6);
    assert_eq!(step.selected, 2);
    assert!(step.failure.is_none());
}
