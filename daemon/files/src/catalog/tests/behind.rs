//! Bytes that lie in the catalog behind extents.

use super::*;

#[test]
fn small_bytes_lie_behind_extents() {
    let mut share = Share::new();
    share.put("/s/f", Content::Extents(vec![extent(1, 100)])).unwrap();
    let small = || append("/s/f", Content::Inline(vec![7; 9_000]));
    assert_eq!(share.act(Mutation::Append(small())).map(|done| done.length), Ok(9_100));
    let both = Content::of(vec![extent(1, 100)], vec![7; 9_000]);
    for from in [0, 99] {
        let found = share.catalog.contents(&path("/s/f"), from).unwrap();
        assert_eq!((found.content, found.starts, found.is_all), (both.clone(), 0, true));
    }
    let end = share.catalog.contents(&path("/s/f"), 100).unwrap();
    let bytes = vec![7; 9_000];
    assert_eq!((end.content, end.starts), (Content::Both { extents: Vec::new(), bytes }, 100));
    assert_eq!(share.catalog.totals().inline_bytes, 9_000);
    let refused = Err(Refusal::NeedsExtent);
    assert_eq!(share.act(Mutation::Append(small())), refused, "too many");
    let more = append("/s/f", Content::Extents(vec![extent(2, 5)]));
    assert_eq!(share.act(Mutation::Append(more)), refused, "bytes are between");
    let inode = end.status.inode;
    let tail = Mutation::OpenTail { inode, tail: ExtentId(9), members: names(&["vm1"]) };
    assert_eq!(share.act(tail), refused);
    share.expect_consistent();
}

#[test]
fn extents_take_the_place_of_the_bytes_behind_others() {
    let mut share = Share::new();
    share.put("/s/f", Content::Extents(vec![extent(1, 100)])).unwrap();
    let seen = share.act(Mutation::Append(append("/s/f", Content::Inline(vec![7; 50])))).unwrap();
    let whole = |length| {
        let only = Some(Version { inode: seen.inode, generation: seen.generation });
        let what = Appended::Whole(vec![extent(2, length)]);
        Mutation::Append(Append { only, what, ..append("/s/f", Content::empty()) })
    };
    assert_eq!(share.act(whole(49)), Err(Refusal::Misfit));
    assert_eq!(share.act(whole(80)).map(|done| done.length), Ok(180));
    let found = share.catalog.contents(&path("/s/f"), 0).unwrap();
    assert_eq!(found.content, Content::Extents(vec![extent(1, 100), extent(2, 80)]));
    share.expect_consistent();
}

#[test]
fn a_cut_goes_through_bytes_behind_extents() {
    let mut share = Share::new();
    share.put("/s/f", Content::Extents(vec![extent(1, 100), extent(2, 100)])).unwrap();
    share.act(Mutation::Append(append("/s/f", Content::Inline(vec![7; 50])))).unwrap();
    let all = [extent(1, 100), extent(2, 100)];
    for (length, left) in [
        (230, Content::of(all.to_vec(), vec![7; 30])),
        (200, Content::Extents(all.to_vec())),
        (100, Content::Extents(all[..1].to_vec())),
        (0, Content::empty()),
    ] {
        let (path, token) = (path("/s/f"), Token(0));
        let cut = Truncate { path: path.clone(), only: None, length, token, last: None, age_s: 0 };
        assert_eq!(share.act(Mutation::Truncate(cut)).map(|done| done.length), Ok(length));
        assert_eq!(share.catalog.contents(&path, 0).unwrap().content, left);
    }
    share.expect_consistent();
}
