use super::*;
use memberd_copies::needs::Needs;

/// A block of ten bytes and two lines.
fn block(at: u64, may_matter: bool, span: Option<Span>) -> Facts {
    let range = at * 10..at * 10 + 10;
    Facts { range, lines_before: at * 2, lines: 2, ends_line: true, span, may_matter }
}

fn skip() -> Skip {
    Skip {
        needs: Needs::Anything,
        only_text: true,
        before: 0,
        after: 0,
        by_time: false,
        window: Window::default(),
        other_lines: false,
    }
}

fn ranges(blocks: Vec<Facts>, skip: &Skip) -> Vec<(u64, u64)> {
    let has_times = blocks.iter().any(|block| block.span.is_some_and(|span| span.times.is_some()));
    let parts = AllFacts { blocks, has_times }.parts(skip);
    parts.into_iter().map(|part| (part.range.start, part.range.end)).collect()
}

/// Blocks of which those at these places may have a selected line.
fn blocks(count: u64, matter: &[u64]) -> Vec<Facts> {
    (0..count).map(|at| block(at, matter.contains(&at), None)).collect()
}

fn dated(earliest: i64, latest: i64, first_dated: bool) -> Option<Span> {
    Some(Span { times: Some((earliest, latest)), first_dated, unread: false })
}

#[test]
fn context_is_read_too() {
    let context = |before, after| Skip { before, after, ..skip() };
    let read = |skip: &Skip| ranges(blocks(10, &[4]), skip);
    assert_eq!(read(&context(0, 0)), [(40, 50)]);
    assert_eq!(read(&context(1, 0)), [(30, 50)]);
    assert_eq!(read(&context(2, 3)), [(30, 70)]);
    assert_eq!(read(&context(3, 0)), [(20, 50)]);
    assert_eq!(read(&context(u64::from(u32::MAX), 0)), [(0, 50)]);
    assert_eq!(ranges(blocks(10, &[0, 9]), &context(1, 1)), [(0, 20), (80, 100)]);
}

#[test]
fn a_line_in_several_blocks_is_read_whole() {
    let mut all = blocks(6, &[3]);
    all[2].ends_line = false;
    all[3].ends_line = false;
    assert_eq!(ranges(all, &skip()), [(20, 50)]);
}

#[test]
fn only_blocks_with_times_in_the_window_are_read() {
    let window = |since, until| Skip { window: Window { since, until }, ..skip() };
    let all = |matter: fn(u64) -> bool| -> Vec<Facts> {
        let spans = [
            dated(10, 19, true),
            dated(20, 29, true),
            // Its first lines belong to the block before.
            dated(30, 39, false),
            Some(Span { times: None, first_dated: false, unread: false }),
            dated(50, 59, true),
        ];
        (0..).zip(spans).map(|(at, span)| block(at, matter(at), span)).collect()
    };
    assert_eq!(ranges(all(|_| true), &window(Some(52), None)), [(40, 50)]);
    assert_eq!(ranges(all(|_| true), &window(None, Some(15))), [(0, 10)]);
    // What has no time of its own is read from the last line on that has one.
    assert_eq!(ranges(all(|_| true), &window(Some(25), Some(26))), [(10, 30)]);
    assert_eq!(ranges(all(|_| true), &window(Some(35), Some(36))), [(10, 40)]);
    assert_eq!(ranges(all(|at| at == 3), &window(Some(35), Some(36))), [(10, 40)]);
    assert_eq!(ranges(all(|at| at == 4), &window(Some(35), Some(36))), []);
    assert_eq!(ranges(all(|_| true), &window(Some(60), None)), []);
}

/// An open segment has no index.
#[test]
fn what_has_no_index_is_read_from_a_time_on() {
    let skip = Skip { window: Window { since: Some(100), until: None }, ..skip() };
    let blocks = vec![
        block(0, true, dated(10, 19, true)),
        block(1, true, dated(20, 29, false)),
        block(2, true, None),
        block(3, true, None),
        block(4, true, Some(Span { times: None, first_dated: false, unread: false })),
        block(5, true, dated(50, 60, true)),
    ];
    assert_eq!(ranges(blocks, &skip), [(0, 50)]);
}

/// The search tells of such a line.
#[test]
fn a_block_with_an_unread_time_is_read() {
    let unread = Some(Span { times: Some((1, 2)), first_dated: true, unread: true });
    let blocks = || vec![block(0, true, dated(1, 2, true)), block(1, false, unread)];
    let window = Skip { window: Window { since: Some(100), until: None }, ..skip() };
    assert_eq!(ranges(blocks(), &window), [(10, 20)]);
    assert_eq!(ranges(blocks(), &Skip { by_time: true, ..skip() }), [(0, 20)]);
    assert_eq!(ranges(blocks(), &skip()), [(0, 10)]);
}

/// The search says so, which needs a line.
#[test]
fn a_stream_without_a_time_is_read_a_little() {
    let none = Some(Span { times: None, first_dated: false, unread: false });
    let blocks = vec![block(0, true, none), block(1, true, none)];
    let skip = Skip { window: Window { since: Some(100), until: None }, ..skip() };
    assert_eq!(ranges(blocks, &skip), [(0, 10)]);
}
