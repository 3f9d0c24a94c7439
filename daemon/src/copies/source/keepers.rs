//! Who keeps the copies of this machine's files. It owns the keepers, and who is passed over for a
//! while.

use super::SourceSettings;
use super::file::Followed;
use super::files::{FileKey, Files};
use super::link::{FromLink, Link, LinkEvent, LinkId, Opening};
use super::offer::Offer;
use super::shipped::Keeper;
use super::status::KeeperStatus;
use crate::copies::members::Peer;
use memberd_copies::placement::{self, Candidate};
use memberd_copies::store::Refused;
use memberd_copies::wire::FromKeeper;
use memberd_membership::Name;
use memberd_transport::Caller;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

/// How long a keeper may be away before another takes its place: it may be restarting.
const AWAY: Duration = Duration::from_secs(15);

/// How long a keeper that is up may be without a conversation before another takes its place.
const APART: Duration = Duration::from_secs(60);

/// How long a member is passed over that is no keeper, or takes nothing.
const AVOIDED: Duration = Duration::from_secs(120);

/// The pause before the next connection to the same keeper.
const RETRY: Duration = Duration::from_secs(1);

/// Why a member is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PassedOver {
    /// It keeps no copies, or has no room for them.
    Excused,
    /// It should keep them, and cannot.
    Failed,
}

/// A member that is passed over.
struct Avoided {
    until: Instant,
    why: String,
    /// It keeps no copies, or has no room for them. Nothing has failed.
    is_excused: bool,
}

/// The keepers.
pub(super) struct Keepers {
    source: Name,
    caller: Caller,
    events: mpsc::Sender<FromLink>,
    keepers: Vec<Keeper>,
    /// Keepers that are not up, and since when.
    away: BTreeMap<Name, Instant>,
    /// Members that are passed over.
    avoided: BTreeMap<Name, Avoided>,
    /// Why members were passed over last, so that the log says it once.
    logged: BTreeMap<Name, String>,
    links: u64,
    /// Whose turn it is.
    turn: usize,
    wanted: usize,
}

impl Keepers {
    /// None yet. What comes from them goes to `events`.
    pub(super) fn new(source: Name, caller: Caller, events: mpsc::Sender<FromLink>) -> Self {
        Keepers {
            source,
            caller,
            events,
            keepers: Vec::new(),
            away: BTreeMap::new(),
            avoided: BTreeMap::new(),
            logged: BTreeMap::new(),
            links: 0,
            turn: 0,
            wanted: 0,
        }
    }

    /// Chooses the keepers among those that are up, and connects to them.
    pub(super) fn choose(
        &mut self,
        peers: Option<&[Peer]>,
        settings: &SourceSettings,
        now: Instant,
    ) {
        let SourceSettings { copies, is_by_default, .. } = *settings;
        let Some(peers) = peers else {
            // Out of the group there is nobody.
            self.keepers.clear();
            self.wanted = 0;
            return;
        };
        self.avoided.retain(|_, avoided| avoided.until > now);
        self.logged.retain(|name, _| peers.iter().any(|peer| peer.name == *name));
        self.note_away(peers, now);
        let is_excused =
            |name: &Name| self.avoided.get(name).is_some_and(|avoided| avoided.is_excused);
        let may_keep = peers
            .iter()
            .filter(|peer| peer.name != self.source && !(is_by_default && is_excused(&peer.name)));
        self.wanted = copies.min(may_keep.count());
        let zone_of = |name: &Name| {
            let peer = peers.iter().find(|peer| peer.name == *name);
            peer.and_then(|peer| peer.zone.as_deref())
        };
        let present: Vec<Name> = self.keepers.iter().map(|keeper| keeper.name.clone()).collect();
        let may_keep = |name: &&Name| **name != self.source && !self.avoided.contains_key(*name);
        let up = peers.iter().map(|peer| &peer.name);
        let all = up.chain(self.away.keys()).filter(may_keep);
        let candidates: Vec<Candidate> =
            all.map(|name| Candidate { name, zone: zone_of(name) }).collect();
        let source = Candidate { name: &self.source, zone: zone_of(&self.source) };
        let chosen = placement::keepers(source, &candidates, copies, &present);
        self.keepers.retain(|keeper| {
            let stays = chosen.contains(&keeper.name);
            if !stays {
                let name = &keeper.name;
                info!(keeper = %name, "copies of this machine's logs are no longer sent there");
            }
            stays
        });
        for name in chosen {
            if !present.contains(&name) {
                self.keepers.push(Keeper::new(name, now));
            }
        }
        self.connect(peers, now);
    }

    /// Notes which keepers are not up. Those that are for too long are forgotten.
    fn note_away(&mut self, peers: &[Peer], now: Instant) {
        for keeper in &mut self.keepers {
            let is_up = peers.iter().any(|peer| peer.name == keeper.name);
            if is_up {
                self.away.remove(&keeper.name);
                if !keeper.is_going() && now - keeper.apart_since >= APART {
                    let why = keeper.trouble.clone().unwrap_or_else(|| "no answer".to_owned());
                    let avoided = Avoided { until: now + AVOIDED, why, is_excused: false };
                    self.avoided.insert(keeper.name.clone(), avoided);
                }
            } else {
                self.away.entry(keeper.name.clone()).or_insert(now);
                keeper.disconnect(now + RETRY, now);
            }
        }
        self.away.retain(|_, since| now - *since < AWAY);
    }

    fn connect(&mut self, peers: &[Peer], now: Instant) {
        for keeper in &mut self.keepers {
            let peer = peers.iter().find(|peer| peer.name == keeper.name);
            let is_due = keeper.retry_at.is_some_and(|at| at <= now);
            let (Some(Peer { address, .. }), true) = (peer, is_due) else { continue };
            self.links += 1;
            let opening = Opening {
                id: LinkId(self.links),
                keeper: &keeper.name,
                to: *address,
                source: &self.source,
            };
            keeper.connect(Link::open(&opening, self.caller.clone(), self.events.clone()));
        }
    }

    /// When the next connection is to be tried, or somebody is away for too long.
    pub(super) fn due(&self) -> Option<Instant> {
        let is_here = |keeper: &&Keeper| !self.away.contains_key(&keeper.name);
        let retries = self.keepers.iter().filter(is_here).filter_map(|keeper| keeper.retry_at);
        let away = self.away.values().map(|since| *since + AWAY);
        let avoided = self.avoided.values().map(|avoided| avoided.until);
        retries.chain(away).chain(avoided).min()
    }

    /// Takes what came from a keeper.
    pub(super) fn take(
        &mut self,
        FromLink { keeper, link, event }: FromLink,
        files: &mut Files,
        offer: &Offer,
        now: Instant,
    ) {
        let Some(keeper) = self.keepers.iter_mut().find(|known| known.name == keeper) else {
            return;
        };
        if !keeper.has_link(link) {
            return;
        }
        let said = match event {
            LinkEvent::Said(said) => said,
            LinkEvent::Ended { why, is_no_keeper } => {
                debug!(keeper = %keeper.name, why, "a connection for copies has ended");
                let passed_over = is_no_keeper.then_some(PassedOver::Excused);
                return self.lose(link, why, passed_over, now);
            }
        };
        match said {
            FromKeeper::Standings { standings, more } => {
                if !keeper.note_standings(standings, more) {
                    return;
                }
                if keeper.begin(files, offer, now).is_err() {
                    keeper.disconnect(now + RETRY, now);
                } else {
                    info!(keeper = %keeper.name, "copies of this machine's logs are kept there");
                    self.logged.remove(&keeper.name);
                }
            }
            FromKeeper::Kept(kept) => keeper.note_kept(&kept),
            FromKeeper::Refused { stream, reason } => {
                debug!(keeper = %keeper.name, ?stream, %reason, "a keeper of copies refuses");
                let passed_over = match reason {
                    Refused::Full | Refused::TooMany => Some(PassedOver::Excused),
                    Refused::Failed(_) => Some(PassedOver::Failed),
                    _ => None,
                };
                self.lose(link, reason.to_string(), passed_over, now);
            }
            FromKeeper::Stopped { reason } => {
                self.lose(link, reason, Some(PassedOver::Failed), now);
            }
        }
    }

    /// The conversation over this connection has ended. One with whom none makes sense is passed
    /// over.
    fn lose(&mut self, link: LinkId, why: String, passed_over: Option<PassedOver>, now: Instant) {
        let Some(keeper) = self.keepers.iter_mut().find(|keeper| keeper.has_link(link)) else {
            return;
        };
        keeper.disconnect(now + RETRY, now);
        keeper.trouble = Some(why.clone());
        let Some(passed_over) = passed_over else { return };
        let name = keeper.name.clone();
        if self.logged.insert(name.clone(), why.clone()).as_ref() != Some(&why) {
            warn!(keeper = %name, why, "copies of this machine's logs are not kept there");
        }
        let is_excused = passed_over == PassedOver::Excused;
        self.avoided.insert(name, Avoided { until: now + AVOIDED, why, is_excused });
    }

    /// The offer is another.
    pub(super) fn offer_changed(&mut self) {
        self.keepers.iter_mut().for_each(Keeper::offer_changed);
    }

    /// How many there are, connected or not.
    pub(super) fn len(&self) -> usize {
        self.keepers.len()
    }

    /// How many there should be.
    pub(super) fn wanted(&self) -> usize {
        self.wanted
    }

    /// The keeper whose turn it is.
    pub(super) fn next(&mut self) -> Option<&mut Keeper> {
        self.turn = self.turn.wrapping_add(1).checked_rem(self.keepers.len()).unwrap_or(0);
        self.keepers.get_mut(self.turn)
    }

    /// Up to where all keepers have a file durably; none without a keeper.
    pub(super) fn kept_by_all(&self, key: FileKey) -> Option<u64> {
        self.keepers.iter().map(|keeper| keeper.kept(key)).min()
    }

    /// Whether nothing is under way.
    pub(super) fn has_all(&self) -> bool {
        self.keepers.iter().all(Keeper::has_all)
    }

    /// Tells keepers what has changed of the files.
    pub(super) fn tell_heads(&mut self, files: &Files, offer: &Offer, now: Instant) {
        for keeper in self.keepers.iter_mut().filter(|keeper| keeper.is_going()) {
            if keeper.tell_heads(files, offer).is_err() {
                keeper.disconnect(now + RETRY, now);
            }
        }
    }

    /// Tells keepers how much is not sent.
    pub(super) fn tell_behind(&mut self, files: &Files, now: Instant) {
        for keeper in self.keepers.iter_mut().filter(|keeper| keeper.is_going()) {
            if keeper.tell_behind(files, now).is_err() {
                keeper.disconnect(now + RETRY, now);
            }
        }
    }

    /// A file is no more. Returns how many bytes of it no keeper got.
    pub(super) fn end(
        &mut self,
        key: FileKey,
        file: &Followed,
        offer: &Offer,
        now: Instant,
    ) -> u64 {
        let mut least_lost = None;
        for keeper in &mut self.keepers {
            let kept = keeper.kept(key);
            let lost = file.size.saturating_sub(kept);
            least_lost = Some(lost.min(least_lost.unwrap_or(u64::MAX)));
            if keeper.forget(key, lost, offer).is_err() {
                keeper.disconnect(now + RETRY, now);
            }
        }
        least_lost.unwrap_or(0)
    }

    /// What is told of each.
    pub(super) fn told(&self, files: &Files, now: Instant) -> Vec<KeeperStatus> {
        let told = |keeper: &Keeper| KeeperStatus {
            name: keeper.name.clone(),
            is_going: keeper.is_going(),
            apart_for: if keeper.is_going() { Duration::ZERO } else { now - keeper.apart_since },
            behind_bytes: keeper.behind_bytes(),
            lag: keeper.lag(files, now),
            trouble: keeper.trouble.clone(),
        };
        self.keepers.iter().map(told).collect()
    }

    /// Who is passed over, and why.
    pub(super) fn avoided(&self) -> Vec<(Name, String)> {
        self.avoided.iter().map(|(name, avoided)| (name.clone(), avoided.why.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copies::source::Offer;
    use memberd_search::ExposedFiles;
    use memberd_transport::Seal;

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    /// Older members, and those without room, are no problem where nobody has asked for copies.
    #[tokio::test]
    async fn by_default_only_those_count_that_may_keep_copies() {
        let (address, bind) = (([127, 0, 0, 1], 1).into(), [127, 0, 0, 1].into());
        let caller = Caller { address, bind, seal: Seal::plain() };
        let (events, _events) = mpsc::channel(10);
        let mut keepers = Keepers::new(name("vm1"), caller, events);
        let peers: Vec<Peer> =
            ["vm1", "vm2", "vm3"].map(|of| Peer { name: name(of), address, zone: None }).into();
        let settings = |is_by_default| SourceSettings {
            copies: 2,
            is_by_default,
            rate: 1,
            offer: Offer::new(ExposedFiles::new::<&str>(&[]).unwrap(), &[]),
        };
        let now = Instant::now();
        let wanted = |keepers: &mut Keepers, is_by_default| {
            keepers.choose(Some(&peers), &settings(is_by_default), now);
            keepers.wanted()
        };
        assert_eq!(wanted(&mut keepers, true), 2);
        let refuse = |keepers: &mut Keepers, of: &str, why| {
            let keeper = keepers.keepers.iter().find(|keeper| keeper.name == name(of)).unwrap();
            let link = LinkId(if keeper.has_link(LinkId(1)) { 1 } else { 2 });
            keepers.lose(link, "no".to_owned(), Some(why), now);
        };
        refuse(&mut keepers, "vm2", PassedOver::Excused);
        refuse(&mut keepers, "vm3", PassedOver::Failed);
        assert_eq!(wanted(&mut keepers, true), 1, "one has failed");
        assert_eq!(wanted(&mut keepers, false), 2, "the settings ask for them");
        assert_eq!(keepers.logged.len(), 2);
    }
}
