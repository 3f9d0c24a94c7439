//! Tests of the catalog: what each mutation promises; a naive model is in `model`.

mod behind;
mod model;

use super::*;
use crate::content::{Content, ExtentRef, HolderSet};
use crate::ids::{Epoch, Generation, Token};
use crate::path::FilePath;
use memberd_membership::Name;

/// A catalog, and a log that grows by what is done to it.
pub(super) struct Share {
    pub(super) catalog: Catalog,
    operations: u128,
    time_ms: u64,
}

pub(super) fn path(text: &str) -> FilePath {
    FilePath::parse(text).unwrap()
}

pub(super) fn names(names: &[&str]) -> Vec<Name> {
    names.iter().map(|name| Name::new(name).unwrap()).collect()
}

/// To which files these extents belong.
fn owners(catalog: &Catalog, ids: &[u128]) -> Vec<Option<InodeId>> {
    let ids: Vec<ExtentId> = ids.iter().copied().map(ExtentId).collect();
    catalog.in_use(&ids).into_iter().map(|used| used.map(|(inode, _)| inode)).collect()
}

pub(super) fn extent(id: u128, length: u64) -> ExtentRef {
    let set = HolderSet::new(names(&["vm1", "vm2", "vm3"]));
    ExtentRef { id: ExtentId(id), length, root: [3; 32], set }
}

pub(super) fn put(name: &str, content: Content) -> Put {
    Put {
        path: path(name),
        condition: PutIf::Any,
        token: Token(0),
        content,
        copies: 3,
        mode: 0o644,
        parents: true,
        age_s: 0,
    }
}

pub(super) fn append(name: &str, content: Content) -> Append {
    let what = Appended::Content(content);
    Append { path: path(name), only: None, length: None, token: Token(0), what, age_s: 0 }
}

fn inline(text: &str) -> Content {
    Content::Inline(text.as_bytes().to_vec())
}

fn rename(from: &str, to: &str, how: RenameHow) -> Mutation {
    Mutation::Rename { from: path(from), to: path(to), how }
}

fn delete(name: &str, recursive: bool) -> Mutation {
    Mutation::Delete { path: path(name), recursive, only: None }
}

impl Share {
    pub(super) fn new() -> Share {
        let catalog = Catalog::new(ShareName::new("s").unwrap());
        Share { catalog, operations: 0, time_ms: 0 }
    }

    pub(super) fn act(&mut self, mutation: Mutation) -> Result<Done, Refusal> {
        self.operations += 1;
        self.act_as(self.operations, mutation)
    }

    fn act_as(&mut self, operation: u128, mutation: Mutation) -> Result<Done, Refusal> {
        assert!(mutation.fits(), "{mutation:?}");
        let index = self.catalog.applied().index + 1;
        let entry = Entry {
            position: Position { ballot: Ballot { epoch: Epoch(1), session: 1 }, index },
            time_ms: self.time_ms,
            wall_ms: 1000 + index,
            operation: OperationId(operation),
            mutation,
        };
        assert_eq!(Entry::decode(&entry.encode()).as_ref(), Some(&entry));
        self.catalog.apply(&entry).result()
    }

    fn put(&mut self, name: &str, content: Content) -> Result<Done, Refusal> {
        self.act(Mutation::Put(put(name, content)))
    }

    fn length(&self, name: &str) -> Result<u64, Refusal> {
        self.catalog.contents(&path(name), 0).map(|found| match found.status.kind {
            StatusKind::File { length, .. } => length,
            StatusKind::Directory { .. } => 0,
        })
    }

    /// The catalog that its image makes: sums and owners are computed anew there.
    pub(super) fn expect_consistent(&self) {
        let image = self.catalog.to_image();
        let again = Catalog::from_image(self.catalog.share(), &image).unwrap();
        assert!(again == self.catalog, "{again:#?}\nis not\n{:#?}", self.catalog);
        assert_eq!(again.to_image(), image);
    }
}

/// Of those who create the same file, one wins; the operation that won is told so again.
#[test]
fn a_file_is_created_once_however_often_it_is_asked() {
    let mut share = Share::new();
    let create = |content| Put { condition: PutIf::Absent, ..put("/s/a/b/f", inline(content)) };
    let first = share.act_as(7, Mutation::Put(create("one")));
    let second = share.act_as(8, Mutation::Put(create("two")));
    assert_eq!(first.map(|done| done.length), Ok(3));
    assert_eq!(second, Err(Refusal::Exists));
    assert_eq!(share.act_as(7, Mutation::Put(create("one"))), first);
    share.act(delete("/s/a", true)).unwrap();
    assert_eq!(share.act_as(8, Mutation::Put(create("two"))), Err(Refusal::Exists));
    assert_eq!(share.length("/s/a/b/f"), Err(Refusal::NotFound));
    share.time_ms = Operations::KEPT_MS;
    share.act(delete("/s/none", false)).unwrap_err();
    assert!(share.act_as(8, Mutation::Put(create("two"))).is_ok(), "it is forgotten by now");
    share.expect_consistent();
}

#[test]
fn a_replacement_names_what_it_replaces() {
    let mut share = Share::new();
    let first = share.put("/s/f", inline("one")).unwrap();
    let seen = Version { inode: first.inode, generation: first.generation };
    let replace = |text| Put { condition: PutIf::Is(seen), ..put("/s/f", inline(text)) };
    let second = share.act(Mutation::Put(replace("two"))).unwrap();
    assert_eq!((second.inode, second.generation), (first.inode, Generation(2)));
    let refused = share.act(Mutation::Put(replace("three")));
    assert_eq!(refused, Err(Refusal::Changed(Generation(2))));
}

/// What streams stand on: an append at a length, and no more appends of whom was fenced.
#[test]
fn appends_name_a_length_and_a_token() {
    let mut share = Share::new();
    share.put("/s/f", inline("one")).unwrap();
    let at = |length, token| Append {
        length: Some(length),
        token: Token(token),
        ..append("/s/f", inline("+two"))
    };
    assert_eq!(share.act(Mutation::Append(at(2, 0))), Err(Refusal::LengthIs(3)));
    assert_eq!(share.act(Mutation::Append(at(3, 0))).map(|done| done.length), Ok(7));
    let fence = |token| Mutation::Fence { path: path("/s/f"), token: Token(token) };
    assert_eq!(share.act(fence(5)).map(|done| done.length), Ok(7));
    assert_eq!(share.act(fence(4)), Err(Refusal::Fenced(Token(5))));
    assert_eq!(share.act(Mutation::Append(at(7, 4))), Err(Refusal::Fenced(Token(5))));
    assert_eq!(share.put("/s/f", inline("x")), Err(Refusal::Fenced(Token(5))));
    assert!(share.act(Mutation::Append(at(7, 5))).is_ok());
    let found = share.catalog.contents(&path("/s/f"), 0).unwrap();
    assert_eq!(found.content, inline("one+two+two"));
}

#[test]
fn small_bytes_become_an_extent_when_they_grow() {
    let mut share = Share::new();
    let small = share.put("/s/f", Content::Inline(vec![7; 10_000])).unwrap();
    let more = append("/s/f", Content::Inline(vec![7; 10_000]));
    assert_eq!(share.act(Mutation::Append(more)), Err(Refusal::NeedsExtent));
    let only = Some(Version { inode: small.inode, generation: small.generation });
    let whole = |length| Append {
        only,
        what: Appended::Whole(vec![extent(1, length)]),
        ..append("/s/f", Content::empty())
    };
    assert_eq!(share.act(Mutation::Append(whole(9_999))), Err(Refusal::Misfit));
    assert_eq!(share.act(Mutation::Append(whole(20_000))).map(|done| done.length), Ok(20_000));
    let late = share.act(Mutation::Append(whole(20_000)));
    assert_eq!(late, Err(Refusal::Changed(Generation(2))));
    assert_eq!(owners(&share.catalog, &[1, 2]), [Some(small.inode), None]);
    share.expect_consistent();
}

#[test]
fn extents_are_cut_by_a_shorter_one() {
    let mut share = Share::new();
    let content = Content::Extents(vec![extent(1, 100), extent(2, 100)]);
    let done = share.put("/s/f", content).unwrap();
    let only = Some(Version { inode: done.inode, generation: done.generation });
    let cut = |length, last| Truncate {
        path: path("/s/f"),
        only,
        length,
        token: Token(0),
        last,
        age_s: 0,
    };
    assert_eq!(share.act(Mutation::Truncate(cut(201, None))), Err(Refusal::LengthIs(200)));
    assert_eq!(share.act(Mutation::Truncate(cut(150, None))), Err(Refusal::NeedsExtent));
    let misfit = share.act(Mutation::Truncate(cut(150, Some(extent(3, 51)))));
    assert_eq!(misfit, Err(Refusal::Misfit));
    share.act(Mutation::Truncate(cut(150, Some(extent(3, 50))))).unwrap();
    let used = owners(&share.catalog, &[1, 2, 3]);
    assert_eq!(used, [Some(done.inode), None, Some(done.inode)]);
    share.act(Mutation::Truncate(Truncate { only: None, ..cut(0, None) })).unwrap();
    assert_eq!(share.catalog.usage().extents, 0);
    share.expect_consistent();
}

/// What Spark relies on: a plain rename onto a file fails, and onto a directory goes into it.
#[test]
fn renames_do_what_their_kind_says() {
    use RenameHow::{Exclusive, Overwrite, Plain};
    let mut share = Share::new();
    for name in ["/s/f", "/s/g", "/s/d/e/h"] {
        share.put(name, inline(name)).unwrap();
    }
    assert_eq!(share.act(rename("/s/f", "/s/g", Plain)), Err(Refusal::Exists));
    assert_eq!(share.act(rename("/s/f", "/s/g", Exclusive)), Err(Refusal::Exists));
    assert_eq!(share.act(rename("/s/f", "/s/x/y", Plain)), Err(Refusal::NoParent));
    assert_eq!(share.act(rename("/s/x", "/s/y", Plain)), Err(Refusal::NotFound));
    assert_eq!(share.act(rename("/s/f", "/t/y", Plain)), Err(Refusal::OtherShare));
    assert_eq!(share.act(rename("/s/d", "/s/d/e/z", Plain)), Err(Refusal::IntoItself));
    assert_eq!(share.act(rename("/s/d", "/s/f", Overwrite)), Err(Refusal::NotDirectory));
    share.act(rename("/s/f", "/s/d/e", Plain)).unwrap();
    assert_eq!(share.length("/s/d/e/f"), Ok(4));
    share.act(rename("/s/g", "/s/d/e/h", Overwrite)).unwrap();
    assert_eq!(share.length("/s/d/e/h"), Ok(4));
    let inode = share.catalog.status(&path("/s/d")).unwrap().inode;
    share.act(rename("/s/d", "/s/k", Exclusive)).unwrap();
    assert_eq!(share.catalog.status(&path("/s/k")).unwrap().inode, inode);
    assert_eq!(share.length("/s/k/e/f"), Ok(4));
    assert_eq!(share.catalog.totals().names(), 4);
    share.expect_consistent();
}

#[test]
fn a_directory_that_has_entries_goes_only_with_them() {
    let mut share = Share::new();
    share.put("/s/d/f", Content::Extents(vec![extent(1, 5)])).unwrap();
    assert_eq!(share.act(delete("/s/d", false)), Err(Refusal::NotEmpty));
    assert_eq!(share.act(delete("/s", true)), Err(Refusal::IsShare));
    share.act(delete("/s/d", true)).unwrap();
    assert_eq!(share.act(delete("/s/d", true)), Err(Refusal::NotFound));
    assert_eq!(share.catalog.totals(), Totals::default());
    assert_eq!(share.catalog.usage().extents, 0);
    let again = share.put("/s/f", Content::Extents(vec![extent(1, 5)]));
    assert!(again.is_ok(), "the extent belongs to nobody");
}

#[test]
fn old_uploads_and_used_extents_are_refused() {
    let mut share = Share::new();
    let content = || Content::Extents(vec![extent(1, 5)]);
    let old = Put { age_s: Catalog::MAX_AGE_S + 1, ..put("/s/f", content()) };
    assert_eq!(share.act(Mutation::Put(old)), Err(Refusal::TooOld));
    share.put("/s/f", content()).unwrap();
    assert_eq!(share.put("/s/g", content()), Err(Refusal::ExtentKnown));
    let twice = Content::Extents(vec![extent(2, 5), extent(2, 5)]);
    assert_eq!(share.put("/s/g", twice), Err(Refusal::ExtentKnown));
    assert_eq!(share.length("/s/g"), Err(Refusal::NotFound));
}

#[test]
fn quotas_stop_growth_and_nothing_else() {
    let mut share = Share::new();
    share.put("/s/d/f", Content::Extents(vec![extent(1, 100)])).unwrap();
    share.act(Mutation::SetQuota { bytes: Some(100), names: Some(2) }).unwrap();
    assert_eq!(share.put("/s/d/g", Content::empty()), Err(Refusal::QuotaNames(2)));
    let more = append("/s/d/f", Content::Extents(vec![extent(2, 1)]));
    assert_eq!(share.act(Mutation::Append(more)), Err(Refusal::QuotaBytes(100)));
    share.act(Mutation::SetQuota { bytes: Some(10), names: Some(1) }).unwrap();
    share.put("/s/d/f", Content::Extents(vec![extent(3, 99)])).unwrap();
    share.act(rename("/s/d/f", "/s/f", RenameHow::Plain)).unwrap();
    share.act(delete("/s/f", false)).unwrap();
}

/// Every acknowledged byte of a tail comes into the file, and no late seal of an older set does.
#[test]
fn a_tail_is_sealed_under_the_version_that_began_it() {
    let mut share = Share::new();
    let file = share.put("/s/f", Content::Extents(vec![extent(1, 100)])).unwrap();
    let (inode, tail) = (file.inode, ExtentId(2));
    let open = || Mutation::OpenTail { inode, tail, members: names(&["vm1", "vm2", "vm3"]) };
    let begin = |from| Mutation::BeginSeal { inode, tail, from, members: names(&["vm1"]) };
    let seal = |version| Mutation::Seal { inode, tail, version, sealed: Some(extent(2, 50)) };
    share.act(open()).unwrap();
    assert_eq!(share.act(open()), Err(Refusal::TailOpen));
    let more = append("/s/f", Content::Extents(vec![extent(3, 1)]));
    assert_eq!(share.act(Mutation::Append(more)), Err(Refusal::TailOpen));
    assert_eq!(share.act(seal(1)), Err(Refusal::SetIs(1)));
    share.act(begin(1)).unwrap();
    assert_eq!(share.act(begin(1)), Err(Refusal::SetIs(2)));
    share.act(begin(2)).unwrap();
    assert_eq!(share.act(seal(2)), Err(Refusal::SetIs(3)));
    assert_eq!(share.act(seal(3)).map(|done| done.length), Ok(150));
    assert_eq!(share.act(seal(3)), Err(Refusal::NoTail));
    assert_eq!(owners(&share.catalog, &[2]), [Some(inode)]);
    share.expect_consistent();
}

#[test]
fn a_set_changes_only_from_the_version_that_is() {
    let mut share = Share::new();
    let done = share.put("/s/f", Content::Extents(vec![extent(1, 5)])).unwrap();
    let set = |from| Mutation::SetHolders {
        extent: ExtentId(1),
        from,
        members: names(&["vm2", "vm3", "vm4"]),
    };
    let after = share.act(set(1)).unwrap();
    assert_eq!(after.generation, done.generation, "the content is the same");
    assert_eq!(share.act(set(1)), Err(Refusal::SetIs(2)));
    share.act(delete("/s/f", false)).unwrap();
    assert_eq!(share.act(set(2)), Err(Refusal::ExtentUnknown));
}

#[test]
fn a_large_directory_is_listed_in_pages() {
    let mut share = Share::new();
    for i in 0..25 {
        share.put(&format!("/s/d/f{i:02}"), Content::empty()).unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = share.catalog.list(&path("/s/d"), after.as_deref(), 10).unwrap();
        after = page.entries.last().map(|entry| entry.name.to_string());
        seen.extend(page.entries.into_iter().map(|entry| entry.name.to_string()));
        assert_eq!(seen.len() as u64 + page.remaining, 25);
        if page.remaining == 0 {
            break;
        }
    }
    assert!(seen.len() == 25 && seen.is_sorted());
    assert_eq!(share.catalog.list(&path("/s/d/f01"), None, 10), Err(Refusal::NotDirectory));
}

#[test]
fn contents_begin_at_the_asked_byte() {
    let mut share = Share::new();
    let extents: Vec<_> = (0..5).map(|i| extent(i, 10)).collect();
    share.put("/s/f", Content::Extents(extents.clone())).unwrap();
    let found = share.catalog.contents(&path("/s/f"), 25).unwrap();
    assert_eq!((found.starts, found.is_all), (20, true));
    assert_eq!(found.content, Content::Extents(extents[2..].to_vec()));
    let end = share.catalog.contents(&path("/s/f"), 50).unwrap();
    assert_eq!(end.content, Content::Extents(Vec::new()));
    let inode = found.status.inode;
    assert_eq!(share.catalog.path_of(inode), Ok(path("/s/f")));
}

/// Many operations are kept for their least time, and then the oldest make room.
#[test]
fn operations_are_bounded_but_not_forgotten_at_once() {
    let mut operations = Operations::default();
    let answer = Answer::Refused(Refusal::NotFound);
    for id in 0..Operations::MAX as u128 {
        operations.remember(5, OperationId(id), answer);
    }
    assert!(operations.is_full(5 + Operations::LEAST_KEPT_MS - 1));
    assert!(!operations.is_full(5 + Operations::LEAST_KEPT_MS));
    operations.remember(5 + Operations::LEAST_KEPT_MS, OperationId(u128::MAX), answer);
    assert_eq!(operations.len(), Operations::MAX);
    assert_eq!(operations.get(OperationId(0)), None);
    assert_eq!(operations.get(OperationId(1)), Some(answer));
}

#[test]
fn an_image_that_contradicts_itself_is_refused() {
    let mut share = Share::new();
    share.put("/s/d/f", Content::Extents(vec![extent(1, 5)])).unwrap();
    let name = share.catalog.share().clone();
    let bytes = share.catalog.to_image();
    let other = ShareName::new("t").unwrap();
    assert_eq!(Catalog::from_image(&other, &bytes), Err(ImageError::OtherShare));
    assert_eq!(Catalog::from_image(&name, &bytes[1..]), Err(ImageError::Malformed));
    let mut version = bytes.clone();
    version[1] = 9;
    assert_eq!(Catalog::from_image(&name, &version), Err(ImageError::Version(9)));
    for end in 0..bytes.len() {
        assert!(Catalog::from_image(&name, &bytes[..end]).is_err());
    }
    // A directory that lies in itself.
    let directory = share.catalog.status(&path("/s/d")).unwrap().inode;
    share.catalog.inodes.get_mut(&directory).unwrap().parent = directory;
    let circle = Catalog::from_image(&name, &share.catalog.to_image());
    assert_eq!(circle, Err(ImageError::Inconsistent));
}
