//! One holder, by hand.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's values are known")]

use super::{ExtentUse, Holder, HolderOutput};
use crate::content::HolderSet;
use crate::disk::{ExtentDone, ExtentFault, ExtentJob};
use crate::ids::{Epoch, ExtentId};
use crate::path::ShareName;
use crate::settings::ExtentSettings;
use crate::transfer::{ReadError, ReadOrder, ReadPurpose, RefusalReason, Transfer};
use memberd_council::BootTime;
use memberd_membership::Name;
use std::time::Duration;

const EXTENT: ExtentId = ExtentId(7);

fn name(i: usize) -> Name {
    Name::new(&format!("vm{i}")).unwrap()
}

fn share() -> ShareName {
    ShareName::new("share").unwrap()
}

fn at(seconds: u64) -> BootTime {
    BootTime::from_epoch(Duration::from_secs(1_000 + seconds))
}

fn holder() -> Holder {
    Holder::new(name(0), ExtentSettings::default(), Vec::new(), at(0))
}

fn begin(next: Option<Name>) -> Transfer {
    Transfer::Begin { extent: EXTENT, share: share(), next, copy: None, hint: "/s/f".into() }
}

fn piece(offset: u64, bytes: &[u8]) -> Transfer {
    Transfer::Piece { extent: EXTENT, offset, bytes: bytes.into() }
}

fn outputs(holder: &mut Holder) -> Vec<HolderOutput> {
    std::iter::from_fn(|| holder.poll_output()).collect()
}

fn sent(outputs: &[HolderOutput]) -> Vec<(Name, Transfer)> {
    let one = |output: &HolderOutput| match output {
        HolderOutput::Send { to, message } => Some((to.clone(), message.clone())),
        _ => None,
    };
    outputs.iter().filter_map(one).collect()
}

fn job(outputs: &[HolderOutput], fits: impl Fn(&ExtentJob) -> bool) -> Option<u64> {
    outputs.iter().find_map(|output| match output {
        HolderOutput::Job { id, job } if fits(job) => Some(*id),
        _ => None,
    })
}

/// Uploads one extent of three bytes for vm9.
fn sealed_holder() -> Holder {
    let mut holder = holder();
    holder.handle_message(at(0), &name(9), begin(None));
    holder.handle_message(at(0), &name(9), piece(0, b"abc"));
    holder.handle_message(at(0), &name(9), Transfer::Finish { extent: EXTENT, length: 3 });
    let out = outputs(&mut holder);
    assert_eq!(job(&out, |job| matches!(job, ExtentJob::Seal { .. })), None, "not yet taken");
    let id = job(&out, |job| matches!(job, ExtentJob::Piece { .. })).unwrap();
    holder.handle_disk(at(0), id, Ok(ExtentDone::Done));
    let out = outputs(&mut holder);
    let id = job(&out, |job| matches!(job, ExtentJob::Seal { .. })).unwrap();
    assert!(!sent(&out).iter().any(|(_, one)| matches!(one, Transfer::Sealed { .. })));
    holder.handle_disk(at(0), id, Ok(ExtentDone::Sealed { length: 3, root: [1; 32] }));
    let sealed = Transfer::Sealed { extent: EXTENT, length: 3, root: [1; 32] };
    assert!(sent(&outputs(&mut holder)).contains(&(name(9), sealed)));
    holder
}

/// It says that an extent is sealed after the disk has said so, and again when it is asked again.
#[test]
fn an_upload_is_sealed_once_the_disk_says_so() {
    let mut holder = sealed_holder();
    holder.handle_message(at(1), &name(9), Transfer::Finish { extent: EXTENT, length: 3 });
    let sealed = Transfer::Sealed { extent: EXTENT, length: 3, root: [1; 32] };
    assert_eq!(sent(&outputs(&mut holder)), [(name(9), sealed)]);
}

/// Pieces out of order and twice are left out, and the next of the chain gets each once.
#[test]
fn pieces_are_taken_in_order_and_handed_on() {
    let mut holder = holder();
    holder.handle_message(at(0), &name(9), begin(Some(name(1))));
    outputs(&mut holder);
    for (offset, bytes) in [(3, b"def"), (0, b"abc"), (0, b"abc"), (3, b"def")] {
        holder.handle_message(at(0), &name(9), piece(offset, bytes));
    }
    let handed = sent(&outputs(&mut holder));
    assert_eq!(handed, [(name(1), piece(0, b"abc")), (name(1), piece(3, b"def"))]);
}

/// In a chain a piece may overtake the word that begins its upload. It waits for that.
#[test]
fn a_piece_that_comes_early_counts() {
    let mut holder = holder();
    holder.handle_message(at(0), &name(1), piece(0, b"abc"));
    holder.handle_message(at(0), &name(1), piece(3, b"def"));
    assert_eq!(outputs(&mut holder), []);
    holder.handle_message(at(1), &name(9), begin(Some(name(2))));
    let handed = sent(&outputs(&mut holder));
    let got = Transfer::Got { extent: EXTENT, upto: 0 };
    let pieces = [(name(2), piece(0, b"abc")), (name(2), piece(3, b"def"))];
    assert_eq!(handed, [&[(name(9), got)][..], &pieces].concat());
    assert_eq!(holder.hint_of(EXTENT), Some("/s/f"));
}

/// A disk without room ends the upload, and the coordinator hears why.
#[test]
fn a_full_disk_refuses_the_upload() {
    let mut holder = holder();
    holder.handle_message(at(0), &name(9), begin(None));
    holder.handle_message(at(0), &name(9), piece(0, b"abc"));
    let id = job(&outputs(&mut holder), |job| matches!(job, ExtentJob::Piece { .. })).unwrap();
    holder.handle_disk(at(0), id, Err(ExtentFault::Full));
    let refused = Transfer::Refused { extent: EXTENT, why: RefusalReason::Full };
    assert!(sent(&outputs(&mut holder)).contains(&(name(9), refused)));
    holder.handle_message(at(1), &name(9), Transfer::Finish { extent: EXTENT, length: 3 });
    let unknown = Transfer::Refused { extent: EXTENT, why: RefusalReason::Unknown };
    assert_eq!(sent(&outputs(&mut holder)), [(name(9), unknown)]);
}

fn asks(holder: &mut Holder, seconds: u64) -> bool {
    holder.handle_timeout(at(seconds));
    outputs(holder).iter().any(|one| matches!(one, HolderOutput::AskInUse { .. }))
}

fn drops(holder: &mut Holder) -> bool {
    job(&outputs(holder), |job| matches!(job, ExtentJob::Drop { .. })).is_some()
}

/// An extent that the catalog does not know goes only if it was old when the question went out,
/// and only on the word of an epoch that is not over.
#[test]
fn only_old_garbage_goes() {
    let mut holder = sealed_holder();
    holder.handle_view(at(1), Epoch(5), false);
    assert!(!asks(&mut holder, 59));
    assert!(asks(&mut holder, 60));
    let unknown = vec![(EXTENT, ExtentUse::Unknown)];
    holder.handle_in_use(at(61), &share(), Epoch(5), unknown.clone());
    assert!(!drops(&mut holder), "a publish may still come");
    assert!(asks(&mut holder, 3_700));
    holder.handle_in_use(at(3_701), &share(), Epoch(4), unknown.clone());
    assert!(!drops(&mut holder), "an older primary may not know it");
    assert!(!asks(&mut holder, 3_800));
    assert!(asks(&mut holder, 3_810));
    holder.handle_in_use(at(3_811), &share(), Epoch(5), unknown);
    assert!(drops(&mut holder));
    assert_eq!(holder.held(), (0, 0));
}

/// An extent that is promised to a repairer while a question is under way stays.
#[test]
fn what_is_promised_meanwhile_stays() {
    let mut holder = sealed_holder();
    assert!(asks(&mut holder, 60));
    assert!(!asks(&mut holder, 4_000));
    assert!(asks(&mut holder, 4_010));
    holder.handle_message(at(4_011), &name(3), Transfer::Finish { extent: EXTENT, length: 3 });
    holder.handle_in_use(at(4_012), &share(), Epoch(0), vec![(EXTENT, ExtentUse::Unknown)]);
    assert!(!drops(&mut holder));
}

/// A damaged copy is not said. It is fetched from another holder.
#[test]
fn a_damaged_copy_is_fetched_again() {
    let mut holder = sealed_holder();
    let set = HolderSet { version: 1, members: vec![name(0), name(1), name(2)] };
    holder.handle_message(at(1), &name(9), Transfer::SetIs { extent: EXTENT, set });
    outputs(&mut holder);
    let purpose = ReadPurpose::Client;
    let order = ReadOrder { request: 4, extent: EXTENT, offset: 0, bytes: 3, purpose };
    holder.handle_message(at(2), &name(9), Transfer::Read(order));
    let id = job(&outputs(&mut holder), |job| matches!(job, ExtentJob::Read { .. })).unwrap();
    holder.handle_disk(at(2), id, Err(ExtentFault::Bad));
    let out = outputs(&mut holder);
    assert!(out.contains(&HolderOutput::BadCopy(EXTENT)));
    let said = sent(&out);
    assert!(said.contains(&(name(9), Transfer::Data { request: 4, bytes: Err(ReadError::Bad) })));
    let asked = said.iter().any(|(to, one)| *to == name(1) && matches!(one, Transfer::Read(_)));
    assert!(asked, "nobody is asked for it: {said:?}");
}

/// Those who hold an extent instead of this one may not know, and one may have lost its copy.
#[test]
fn a_copy_given_up_unheard_goes_after_the_others_were_asked() {
    let mut holder = sealed_holder();
    let set = |version, members: [usize; 3]| HolderSet {
        version,
        members: members.into_iter().map(name).collect(),
    };
    let message = Transfer::SetIs { extent: EXTENT, set: set(1, [0, 1, 2]) };
    holder.handle_message(at(1), &name(9), message);
    outputs(&mut holder);
    let day = 24 * 3_600 + 1;
    assert!(asks(&mut holder, day));
    let newer = vec![(EXTENT, ExtentUse::Held(set(2, [1, 2, 3])))];
    holder.handle_in_use(at(day), &share(), Epoch(5), newer.clone());
    let out = outputs(&mut holder);
    let is_told = |output: &HolderOutput| match output {
        HolderOutput::Held(stored) => stored.set == Some(set(2, [1, 2, 3])),
        _ => false,
    };
    assert!(out.iter().any(is_told), "{out:?}");
    assert_eq!(job(&out, |job| matches!(job, ExtentJob::Drop { .. })), None);
    assert!(asks(&mut holder, day + 60), "it asks again soon");
    holder.handle_in_use(at(day + 60), &share(), Epoch(5), newer);
    assert!(drops(&mut holder));
}
