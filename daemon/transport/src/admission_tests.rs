//! Tests of places: how they are taken, shared out, waited for and given back.

use super::*;
use std::net::Ipv4Addr;

const ONE: Source = Source::User(1);
const OTHER: Source = Source::User(2);

fn admission(limit: usize) -> Admission {
    Admission::new("tests", limit, |limit| format!("{limit} tests run already"))
}

fn shared(limit: usize) -> Admission {
    admission(limit).shared(|taken| format!("you have {taken} tests"))
}

/// Takes places until there is none for this source.
fn take_all(admission: &Admission, source: Source) -> Vec<Permit> {
    std::iter::from_fn(|| admission.try_enter_as(source).ok()).collect()
}

#[test]
fn places_are_taken_until_their_permit_is_dropped() {
    let admission = admission(2);
    let first = admission.try_enter().unwrap();
    let second = admission.try_enter().unwrap();
    assert_eq!(admission.taken(), 2);
    let full = admission.try_enter().unwrap_err();
    assert_eq!(full.to_string(), "2 tests run already");
    drop(first);
    assert_eq!(admission.taken(), 1);
    assert!(admission.try_enter_many(2).is_err());
    drop(second);
    assert_eq!(admission.try_enter_many(2).unwrap().places(), 2);
    assert_eq!(admission.taken(), 0);
}

#[test]
fn a_part_of_a_permit_gives_back_its_own_places() {
    let admission = admission(3);
    let mut all = admission.try_enter_many(3).unwrap();
    let part = all.split(2).unwrap();
    assert!(all.split(2).is_none());
    assert_eq!(all.places(), 1);
    drop(part);
    assert_eq!(admission.taken(), 1);
    let another = all.try_another().unwrap();
    assert_eq!((admission.taken(), another.places()), (2, 1));
}

/// One source gets half, the next half of the rest, and so on, down to the last place.
#[test]
fn no_source_gets_all_places_that_are_shared() {
    let admission = shared(32);
    let machine = |last| Source::Machine(Ipv4Addr::new(192, 0, 2, last).into());
    let taken: Vec<_> = (0..6).map(|last| take_all(&admission, machine(last))).collect();
    assert_eq!(taken.iter().map(Vec::len).collect::<Vec<_>>(), [16, 8, 4, 2, 1, 1]);
    let words = admission.try_enter_as(machine(9)).unwrap_err().to_string();
    assert_eq!(words, "32 tests run already");
}

#[test]
fn who_has_its_share_is_told_so() {
    let admission = shared(4);
    let mine = take_all(&admission, ONE);
    assert_eq!(mine.len(), 2);
    assert_eq!(admission.try_enter_as(ONE).unwrap_err().to_string(), "you have 2 tests");
    assert_eq!(
        admission.try_enter_many_as(OTHER, 2).unwrap_err().to_string(),
        "4 tests run already"
    );
    assert_eq!(admission.try_enter_many_as(OTHER, 1).unwrap().places(), 1);
    assert_eq!(admission.try_enter_many_as(ONE, 0).unwrap().places(), 0);
}

/// Half of the places can be taken at once as well as one by one.
#[test]
fn many_places_at_once_are_at_most_the_share() {
    let admission = shared(1_024);
    assert!(admission.try_enter_many_as(ONE, 513).is_err());
    let all = admission.try_enter_many_as(ONE, 512).unwrap();
    assert!(all.try_another().is_err());
    assert_eq!(take_all(&admission, OTHER).len(), 256);
}

/// A small number of places is shared out as well; a single one goes to whoever is first.
#[test]
fn one_place_is_not_divided() {
    let admission = shared(1);
    let only = admission.try_enter_as(ONE).unwrap();
    assert!(admission.try_enter_as(OTHER).is_err());
    drop(only);
    admission.try_enter_as(OTHER).unwrap();
}

/// A task that waits for a place, and gives it back when it is dropped.
async fn wait(admission: &Admission, source: Source) -> tokio::task::JoinHandle<Permit> {
    let waiting = admission.clone();
    let task = tokio::spawn(async move { waiting.enter_as(source).await });
    tokio::task::yield_now().await;
    task
}

/// A place that becomes free goes to the source with fewer places, though it came later.
#[tokio::test]
async fn who_has_fewer_places_is_served_first() {
    let admission = admission(3);
    let mut taken = take_all(&admission, ONE);
    let (late, later) = (wait(&admission, ONE).await, wait(&admission, OTHER).await);
    assert!(admission.is_waited_for());
    taken.pop();
    let served = later.await.unwrap();
    assert!(!late.is_finished() && admission.is_waited_for());
    drop(served);
    drop(late.await.unwrap());
    assert_eq!((admission.taken(), admission.is_waited_for()), (2, false));
}

/// Who has its share waits, and a newcomer passes by.
#[tokio::test]
async fn who_waits_for_its_share_stops_nobody() {
    let admission = shared(4);
    let mut mine = take_all(&admission, ONE);
    let waiting = wait(&admission, ONE).await;
    let other = admission.try_enter_as(OTHER).unwrap();
    assert!(!waiting.is_finished());
    drop(other);
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "it has its share still");
    mine.pop();
    assert_eq!(waiting.await.unwrap().places(), 1);
}

/// Who gives up waiting loses no place, whether it was called already or not.
#[tokio::test]
async fn who_gives_up_waiting_takes_no_place_along() {
    let admission = admission(1);
    let only = admission.try_enter_as(ONE).unwrap();
    let (first, second) = (wait(&admission, ONE).await, wait(&admission, OTHER).await);
    second.abort();
    assert!(second.await.is_err());
    // It is called, and aborted before it runs again.
    drop(only);
    first.abort();
    assert!(first.await.is_err());
    assert_eq!((admission.taken(), admission.is_waited_for()), (0, false));
}

#[tokio::test]
async fn a_place_that_becomes_free_in_time_is_taken() {
    let admission = admission(1);
    let only = admission.try_enter().unwrap();
    let waiting = admission.clone();
    let waiter = tokio::spawn(async move { waiting.enter_within(Duration::from_secs(60)).await });
    tokio::task::yield_now().await;
    drop(only);
    let taken = waiter.await.unwrap();
    assert!(taken.is_ok());
    assert!(admission.enter_within(Duration::from_millis(1)).await.is_err());
    let waiting = admission.clone();
    let waiter = tokio::spawn(async move { waiting.enter().await.places() });
    tokio::task::yield_now().await;
    assert!(!waiter.is_finished());
    drop(taken);
    assert_eq!(waiter.await.unwrap(), 1);
}
