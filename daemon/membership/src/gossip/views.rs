//! Spreads which agreed view is the newest, in groups that agree on views. It owns the newest that
//! this member spreads. What is in a view is nobody's business here.

use super::broadcast::{Broadcasts, Fact, Source};
use crate::context::Context;
use crate::members::Members;
use crate::message::Body;
use crate::time::Instant;
use std::time::Duration;

/// How long a member holds that a view is the newest, and so spreads no older one.
const HELD: Duration = Duration::from_secs(5);

/// Says which view is the newest that the sender has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ViewNews {
    /// The hash of the founders' names.
    pub founding: [u8; 16],
    /// How often the line of views was recovered.
    pub recoveries: u32,
    /// Which of the recoveries with that count it was.
    pub recovery: [u8; 16],
    /// The number of the view.
    pub number: u64,
    /// The hash of the view.
    pub hash: [u8; 32],
}

impl ViewNews {
    /// Whether it replaces other news. Those of another founding never do: each would replace the
    /// other for ever.
    fn is_newer_than(&self, other: &ViewNews) -> bool {
        self.founding == other.founding
            && (self.recoveries, self.recovery, self.number)
                > (other.recoveries, other.recovery, other.number)
    }
}

/// All news of views are about one thing: which is the newest.
impl Fact for ViewNews {
    type About = ();

    fn about(&self) -> &() {
        &()
    }
}

/// The news of views that one member spreads.
#[derive(Debug, Default)]
pub(crate) struct Views {
    broadcasts: Broadcasts<ViewNews>,
    newest: Option<(ViewNews, Instant)>,
    /// The founding of this member's own views, once it has any.
    own: Option<[u8; 16]>,
}

impl Views {
    /// Takes news to spread. Returns whether they are newer than those that are held.
    pub(crate) fn learn(
        &mut self,
        news: ViewNews,
        source: Source,
        members: &Members,
        context: &Context,
    ) -> bool {
        let now = context.now.mono;
        if source == Source::FirstHand {
            self.own = Some(news.founding);
        }
        let of_own = self.own.is_none_or(|own| own == news.founding);
        let held = self.newest.as_ref().filter(|(_, until)| now < *until);
        // What came before this member had views may be of another founding.
        let held = held.filter(|(held, _)| self.own.is_none_or(|own| own == held.founding));
        if !of_own || held.is_some_and(|(held, _)| !news.is_newer_than(held)) {
            return false;
        }
        self.newest = Some((news, now + HELD));
        self.broadcasts.learn(news, source, members.up(), Duration::ZERO, now);
        true
    }

    /// Sends the news that are due.
    pub(crate) fn tell_if_due(&mut self, members: &Members, context: &mut Context) {
        let Some(round) = self.broadcasts.round(members.up(), context.now.mono) else { return };
        for (to, news) in round.addressed(members, context) {
            for address in to {
                for news in &news {
                    context.send(address, Body::View(*news));
                }
            }
        }
    }

    /// When news are due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.broadcasts.next_at()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gossip::broadcast::FANOUT;
    use crate::testing::Fixture;

    fn news(number: u64) -> ViewNews {
        ViewNews { founding: [1; 16], recoveries: 0, recovery: [0; 16], number, hash: [2; 32] }
    }

    #[test]
    fn a_view_is_told_to_all_of_a_small_group_once() {
        let mut fixture = Fixture::new(6);
        let mut views = Views::default();
        assert!(views.learn(news(3), Source::FirstHand, &fixture.members, &fixture.context));
        views.tell_if_due(&fixture.members, &mut fixture.context);
        let sent = fixture.sent();
        assert_eq!(sent.len(), 5);
        assert!(sent.iter().all(|(_, body)| *body == Body::View(news(3))));
        assert_eq!(views.next_at(), None);
    }

    #[test]
    fn only_newer_news_are_passed_on_to_a_few() {
        let mut fixture = Fixture::new(20);
        let mut views = Views::default();
        let mut learn = |number, fixture: &Fixture| {
            views.learn(news(number), Source::SecondHand, &fixture.members, &fixture.context)
        };
        assert!(learn(3, &fixture));
        assert!(!learn(3, &fixture) && !learn(2, &fixture));
        assert!(learn(4, &fixture));
        fixture.pass(5_001);
        assert!(learn(2, &fixture), "what was said of a view that nobody has is forgotten");
        views.tell_if_due(&fixture.members, &mut fixture.context);
        assert_eq!(fixture.sent().len(), FANOUT);
    }

    /// Two that are each newer than the other would be told in turns for ever.
    #[test]
    fn news_of_another_founding_replace_nothing() {
        let mut fixture = Fixture::new(20);
        let other = |number| ViewNews { founding: [9; 16], ..news(number) };
        let mut views = Views::default();
        let mut learn = |news, source, fixture: &Fixture| {
            views.learn(news, source, &fixture.members, &fixture.context)
        };
        assert!(learn(other(7), Source::SecondHand, &fixture));
        assert!(!learn(news(3), Source::SecondHand, &fixture));
        assert!(learn(news(3), Source::FirstHand, &fixture), "its own views count at once");
        assert!(!learn(other(8), Source::SecondHand, &fixture));
        fixture.pass(5_001);
        assert!(!learn(other(8), Source::SecondHand, &fixture), "it knows its own founding");
        assert!(learn(news(4), Source::SecondHand, &fixture));
    }

    #[test]
    fn a_recovery_is_newer_than_any_number() {
        let recovered = ViewNews { recoveries: 1, recovery: [1; 16], ..news(2) };
        assert!(recovered.is_newer_than(&news(9)) && !news(9).is_newer_than(&recovered));
    }
}
