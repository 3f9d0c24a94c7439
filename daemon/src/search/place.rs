//! The place of one search. It owns the place, and gives it back while nobody reads the search's
//! output.
//!
//! A reader that stops, as a pager does, stops the search, which still has its memory and its
//! threads. So the number of searches without a place is bounded too.

use super::local::LocalSearcher;
use super::serve::LocalQuery;
use crate::lock::lock;
use memberd_search::MemoryBudget;
use memberd_transport::{Admission, Full, Permit, Source};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long a search waits for its place.
pub(super) const TURN_LIMIT: Duration = Duration::from_secs(5);

/// The place of a search, if it has one.
#[derive(Debug)]
pub(super) struct SearchPlace {
    places: Admission,
    set_aside: Admission,
    source: Source,
    /// As the search takes it. Others may wait for what it has.
    memory: MemoryBudget,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// The place of a search that may run.
    place: Option<Permit>,
    /// The place of a search that is set aside.
    aside: Option<Permit>,
}

/// What becomes of a search whose output is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It stays as it is.
    Stays,
    /// It has given its place back. It needs one again before more of its output is taken.
    SetAside,
    /// It must end: others wait for its memory, or for its place while too many are set aside. Of
    /// those whose memory is waited for, one ends at a time.
    MustEnd,
}

impl SearchPlace {
    /// No place yet, for a search of this machine.
    pub(super) fn new(searcher: &LocalSearcher, query: &LocalQuery) -> Arc<Self> {
        let follows = query.request.files.follow;
        let places = if follows { &searcher.follows } else { &searcher.slots };
        Arc::new(SearchPlace {
            places: places.clone(),
            set_aside: searcher.set_aside.clone(),
            source: query.source,
            memory: query.compiled.as_ref().map_or_else(
                || searcher.memory_for(&query.request, query.source),
                |compiled| compiled.search.memory().clone(),
            ),
            held: Mutex::default(),
        })
    }

    /// The memory that all searches share, as this one takes it.
    pub(super) fn memory(&self) -> &MemoryBudget {
        &self.memory
    }

    /// Takes a place, and waits in turn if there is none.
    ///
    /// # Errors
    /// When the turn does not come within [`TURN_LIMIT`].
    pub(super) async fn enter(&self) -> Result<(), Full> {
        let place = self.places.enter_within_as(self.source, TURN_LIMIT).await?;
        lock(&self.held).place = Some(place);
        Ok(())
    }

    /// Says what becomes of the search, whose output has not been read for a while.
    pub(super) fn note_unread(&self) -> Unread {
        if self.memory.note_unread() {
            return Unread::MustEnd;
        }
        let mut held = lock(&self.held);
        if held.place.is_none() {
            return Unread::Stays;
        }
        match self.set_aside.try_enter_as(self.source) {
            Ok(aside) => {
                *held = Held { place: None, aside: Some(aside) };
                Unread::SetAside
            }
            Err(_) if self.places.is_waited_for() => Unread::MustEnd,
            Err(_) => Unread::Stays,
        }
    }

    /// Whether the search is set aside.
    pub(super) fn is_set_aside(&self) -> bool {
        lock(&self.held).aside.is_some()
    }

    /// Waits in turn until a search that was set aside has a place again.
    pub(super) async fn enter_again(self: Arc<Self>) {
        let place = self.places.enter_as(self.source).await;
        *lock(&self.held) = Held { place: Some(place), aside: None };
    }

    /// Gives back what the search has, since it has ended.
    pub(super) fn leave(&self) {
        *lock(&self.held) = Held::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::limits::Limits;
    use memberd_control::grep::GrepRequest;
    use memberd_search::ExposedFiles;
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(10);

    fn searcher(searches: usize) -> LocalSearcher {
        let limits = Limits { searches, ..Limits::default() };
        LocalSearcher::new("vm1".to_owned(), ExposedFiles::new::<&str>(&[]).unwrap(), limits)
    }

    fn place(searcher: &LocalSearcher, uid: u32) -> Arc<SearchPlace> {
        let (request, source) = (GrepRequest::default(), Source::User(uid));
        SearchPlace::new(searcher, &LocalQuery { request, source, compiled: None, from: None })
    }

    /// A search whose reader has stopped lets another one run, and takes its turn after it.
    #[tokio::test]
    async fn an_unread_search_makes_room_and_takes_its_turn_later() {
        let searcher = searcher(1);
        let (stopped, other) = (place(&searcher, 1), place(&searcher, 2));
        stopped.enter().await.unwrap();
        assert_eq!(stopped.note_unread(), Unread::SetAside);
        assert_eq!(stopped.note_unread(), Unread::Stays);
        assert!(stopped.is_set_aside());
        let counts = searcher.counts();
        assert_eq!((counts.running, counts.set_aside), (0, 1));
        other.enter().await.unwrap();
        let again = tokio::spawn(Arc::clone(&stopped).enter_again());
        tokio::task::yield_now().await;
        assert!(!again.is_finished() && stopped.is_set_aside());
        other.leave();
        timeout(SOON, again).await.unwrap().unwrap();
        assert!(!stopped.is_set_aside());
        stopped.leave();
        let counts = searcher.counts();
        assert_eq!((counts.running, counts.set_aside), (0, 0));
    }

    /// It has its memory as long as it is there.
    #[tokio::test]
    async fn an_unread_search_ends_when_others_wait_for_its_memory() {
        let searcher = searcher(1);
        let unread = place(&searcher, 1);
        unread.enter().await.unwrap();
        assert_eq!(unread.note_unread(), Unread::SetAside);
        let mut request = GrepRequest::default();
        request.pattern.patterns = vec![br"\w\{100\}[qz]$".to_vec()];
        std::thread::scope(|scope| {
            let held = searcher.compile_in(&request, unread.memory()).unwrap();
            let read = searcher.compile(&request, Source::User(2)).unwrap();
            // It waits for longer than this test takes.
            let waiting = scope.spawn(|| searcher.compile(&request, Source::User(3)));
            let mut must_end = false;
            while !must_end && !waiting.is_finished() {
                must_end = unread.note_unread() == Unread::MustEnd;
                std::thread::sleep(Duration::from_millis(1));
            }
            drop(held);
            assert!(must_end);
            waiting.join().unwrap().unwrap();
            drop(read);
        });
        assert_eq!(unread.note_unread(), Unread::Stays);
    }

    /// Where too many are set aside, an unread search keeps its place until somebody waits for it.
    #[tokio::test]
    async fn an_unread_search_ends_when_it_cannot_be_set_aside() {
        let searcher = searcher(1);
        let aside = place(&searcher, 1);
        aside.enter().await.unwrap();
        assert_eq!(aside.note_unread(), Unread::SetAside);
        let (unread, waiting) = (place(&searcher, 1), place(&searcher, 2));
        unread.enter().await.unwrap();
        assert_eq!(unread.note_unread(), Unread::Stays);
        let waiter = tokio::spawn(async move { waiting.enter().await });
        tokio::task::yield_now().await;
        assert_eq!(unread.note_unread(), Unread::MustEnd);
        unread.leave();
        timeout(SOON, waiter).await.unwrap().unwrap().unwrap();
    }
}
