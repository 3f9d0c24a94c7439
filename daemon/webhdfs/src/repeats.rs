//! Renames and deletes that were just done. Java's HTTP client sends a request again by itself if a
//! kept connection broke before the answer came. Then the second one would say that there is
//! nothing to rename, although the first one renamed it.

use crate::path::HdfsPath;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How long a repeat is answered as the first one was.
const REMEMBERED: Duration = Duration::from_secs(10);

/// The most that are remembered. The oldest is forgotten.
const MOST: usize = 1_024;

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deed {
    /// What is renamed or deleted.
    pub(crate) path: HdfsPath,
    /// The new name, and all that makes another deed of it.
    pub(crate) to: Option<HdfsPath>,
    /// The options, and who asks.
    pub(crate) how: String,
}

/// The deeds of the last ten seconds.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    done: Mutex<VecDeque<Entry>>,
}

#[derive(Debug)]
struct Entry {
    deed: Deed,
    /// It becomes true when the deed succeeded. The sender is dropped when it ended.
    done: watch::Receiver<bool>,
    began: Instant,
}

/// What a request for a deed is.
#[derive(Debug)]
pub(crate) enum Entered {
    /// The first one.
    First(First),
    /// A later one.
    Again(Again),
}

/// A later request for a deed.
#[derive(Debug)]
pub(crate) struct Again(watch::Receiver<bool>);

impl Again {
    /// Waits for the end of the first request, and says whether it succeeded.
    pub(crate) async fn succeeded(mut self) -> bool {
        self.0.wait_for(|done| *done).await.is_ok()
    }
}

/// The first request for a deed, which carries it out.
#[derive(Debug)]
pub(crate) struct First(watch::Sender<bool>);

impl First {
    /// The deed was done, and repeats are answered by that.
    pub(crate) fn succeeded(self) {
        self.0.send_replace(true);
    }
}

impl Repeats {
    /// Notes that a deed begins, if the same one did not begin in the last ten seconds, or if
    /// something has touched its names since.
    pub(crate) fn enter(&self, deed: &Deed) -> Entered {
        let mut all = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(Entry::is_young);
        if let Some(same) = all.iter().find(|entry| entry.deed == *deed) {
            return Entered::Again(Again(same.done.clone()));
        }
        if all.len() == MOST {
            all.pop_front();
        }
        let (sender, done) = watch::channel(false);
        all.push_back(Entry { deed: deed.clone(), done, began: Instant::now() });
        Entered::First(First(sender))
    }

    /// Notes that something changed at a path: what was done there before counts no more.
    pub(crate) fn touch(&self, path: &HdfsPath) {
        let mut all = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|entry| !entry.deed.is_about(path));
    }

    /// Notes that a deed failed: nothing is remembered of it.
    pub(crate) fn failed(&self, deed: &Deed) {
        let mut all = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|entry| entry.deed != *deed);
    }

    /// As [`touch`](Repeats::touch), but for the deed itself.
    pub(crate) fn touch_others(&self, deed: &Deed) {
        let mut all = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|entry| {
            entry.deed == *deed || !deed.paths().any(|path| entry.deed.is_about(path))
        });
    }
}

impl Entry {
    fn is_young(&self) -> bool {
        self.began.elapsed() < REMEMBERED
    }
}

impl Deed {
    fn paths(&self) -> impl Iterator<Item = &HdfsPath> {
        std::iter::once(&self.path).chain(&self.to)
    }

    /// Whether it concerns this path, or something above or below it.
    fn is_about(&self, path: &HdfsPath) -> bool {
        self.paths().any(|own| own.is_within(path) || path.is_within(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(path: &str, to: &str) -> Deed {
        let parsed = |text: &str| HdfsPath::parse(text).unwrap();
        Deed { path: parsed(path), to: Some(parsed(to)), how: String::new() }
    }

    /// Does a deed for the first time.
    fn done(repeats: &Repeats, deed: &Deed) {
        let Entered::First(first) = repeats.enter(deed) else { panic!("it was done") };
        first.succeeded();
    }

    /// Whether it was done. If not, it is entered, and fails.
    async fn was_done(repeats: &Repeats, deed: &Deed) -> bool {
        match repeats.enter(deed) {
            Entered::First(_) => {
                repeats.failed(deed);
                false
            }
            Entered::Again(again) => again.succeeded().await,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_repeat_counts_for_ten_seconds() {
        let repeats = Repeats::default();
        let rename = deed("/s/a", "/s/b");
        assert!(!was_done(&repeats, &rename).await);
        done(&repeats, &rename);
        assert!(was_done(&repeats, &rename).await);
        tokio::time::advance(REMEMBERED).await;
        assert!(!was_done(&repeats, &rename).await);
    }

    /// The repeat comes while the first is still being done.
    #[tokio::test]
    async fn a_repeat_waits_for_the_first() {
        for succeeds in [true, false] {
            let (repeats, rename) = (Repeats::default(), deed("/s/a", "/s/b"));
            let Entered::First(first) = repeats.enter(&rename) else { panic!("not the first") };
            let Entered::Again(again) = repeats.enter(&rename) else { panic!("not again") };
            let second = tokio::spawn(again.succeeded());
            tokio::task::yield_now().await;
            assert!(!second.is_finished());
            if succeeds {
                first.succeeded();
            } else {
                drop(first);
            }
            assert_eq!(second.await.unwrap(), succeeds);
        }
    }

    #[tokio::test]
    async fn a_name_that_was_touched_is_not_remembered() {
        for (touched, counts) in
            [("/s/a", false), ("/s/b/c", false), ("/s", false), ("/s/ab", true), ("/s/c", true)]
        {
            let (repeats, rename) = (Repeats::default(), deed("/s/a", "/s/b"));
            done(&repeats, &rename);
            repeats.touch_others(&rename);
            repeats.touch(&HdfsPath::parse(touched).unwrap());
            assert_eq!(was_done(&repeats, &rename).await, counts, "{touched}");
        }
        let (repeats, rename) = (Repeats::default(), deed("/s/a", "/s/b"));
        done(&repeats, &rename);
        repeats.touch_others(&deed("/s/b", "/s/d"));
        assert!(!was_done(&repeats, &rename).await);
    }

    #[tokio::test]
    async fn only_so_many_are_remembered() {
        let repeats = Repeats::default();
        for number in 0..=MOST {
            done(&repeats, &deed(&format!("/s/{number}"), "/t"));
        }
        assert_eq!(repeats.done.lock().unwrap().len(), MOST);
        assert!(was_done(&repeats, &deed(&format!("/s/{MOST}"), "/t")).await);
        assert!(!was_done(&repeats, &deed("/s/0", "/t")).await);
    }
}
