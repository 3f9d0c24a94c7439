//! Spreads the records of forgotten members. It owns which of them are new here, and when they are
//! told next.
//!
//! A new record goes to a few random members at once, and each that hears it first does the same.
//! As long as there are records, a member also tells some to a random other now and then, with the
//! hash of all. Where that differs, the two exchange all records. So whoever was cut off, or lost
//! every datagram, learns them too, although no digest of lists covers the gone.

use super::broadcast::FANOUT;
use crate::calls::CallPurpose;
use crate::context::Context;
use crate::forgotten::Forgotten;
use crate::identity::Name;
use crate::members::Members;
use crate::message::{Body, UPDATES_ROOM, fitting, pieces};
use crate::time::Instant;
use crate::wire::CallRequest;
use rand::RngExt;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// More new records than this are not told one by one. The hash gives them away.
const MOST_AT_ONCE: usize = 64;

/// For this long after a new record, records are told every [`EAGER_PAUSE`].
const EAGER: Duration = Duration::from_secs(10);

/// The mean pause of that time.
const EAGER_PAUSE: Duration = Duration::from_secs(1);

/// The mean pause between two tellings at rest.
const PAUSE: Duration = Duration::from_secs(10);

/// The shortest time between two exchanges of all records.
const EXCHANGE_PAUSE: Duration = Duration::from_secs(3);

/// The state of the spreading.
#[derive(Debug, Default)]
pub(crate) struct Forgetting {
    new: BTreeSet<Name>,
    eager_until: Option<Instant>,
    next_at: Option<Instant>,
    exchanged_at: Option<Instant>,
}

impl Forgetting {
    /// Takes the name of a record that is new here.
    pub(crate) fn learn(&mut self, name: Name, now: Instant) {
        if self.new.len() < MOST_AT_ONCE {
            self.new.insert(name);
        }
        self.eager_until = Some(now + EAGER);
        self.next_at = Some(now);
    }

    /// Somebody has joined, perhaps through a member that does not know the records.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.eager_until = Some(now + EAGER);
        let soon = now + EAGER_PAUSE;
        self.next_at = Some(self.next_at.map_or(soon, |next| next.min(soon)));
    }

    /// When records are told next; nothing while there are none.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// Tells records when that is due, and drops those whose time is over.
    pub(crate) fn tell_if_due(&mut self, members: &mut Members, context: &mut Context) {
        let now = context.now.mono;
        if self.next_at.is_none_or(|next| next > now) {
            return;
        }
        members.forgotten.expire(now);
        if members.forgotten.is_empty() {
            *self = Forgetting::default();
            return;
        }
        let nobody = BTreeSet::new();
        let new = std::mem::take(&mut self.new);
        if !new.is_empty() {
            let to = members.random(FANOUT, &nobody, &context.local, &mut context.rng);
            tell(&to, new.iter(), members, context);
        }
        let others = members.random(1, &nobody, &context.local, &mut context.rng);
        if let Some(other) = others.first() {
            let hash = Some(members.forgotten.hash());
            let records = some_records(members, context);
            context.send(*other, Body::Forgotten { hash, records });
        }
        let eager = self.eager_until.is_some_and(|until| until > now);
        let pause = if eager { EAGER_PAUSE } else { PAUSE };
        self.next_at = Some(now + pause.mul_f64(0.5 + context.rng.random::<f64>()));
    }

    /// Another member's records have this hash. If ours differ, all are exchanged.
    pub(crate) fn compare(
        &mut self,
        hash: u32,
        from: SocketAddr,
        members: &Members,
        context: &mut Context,
    ) {
        let now = context.now.mono;
        let lately = self.exchanged_at.is_some_and(|at| now.since(at) < EXCHANGE_PAUSE);
        let purpose = CallPurpose::ExchangeForgotten;
        if hash == members.forgotten.hash() || lately || context.outputs.calls.any(purpose) {
            return;
        }
        self.exchanged_at = Some(now);
        let sender = context.local.introduction();
        let request = CallRequest::Forget { sender, forgotten: members.forgotten.all(now) };
        context.call(from, &request, purpose);
    }
}

/// Tells the records of these names, in as many datagrams as needed.
pub(crate) fn tell<'n>(
    to: &[SocketAddr],
    names: impl Iterator<Item = &'n Name>,
    members: &Members,
    context: &mut Context,
) {
    let now = context.now.mono;
    let records = names.filter_map(|name| members.forgotten.get(name, now)).collect();
    for records in pieces(records, UPDATES_ROOM, Forgotten::wire_size) {
        for address in to {
            context.send(*address, Body::Forgotten { hash: None, records: records.clone() });
        }
    }
}

/// As many records as fit into a datagram, from a random one on.
fn some_records(members: &Members, context: &mut Context) -> Vec<Forgotten> {
    let forgotten = &members.forgotten;
    let begin = context.rng.random_range(0..forgotten.names().len().max(1));
    let names = forgotten.names().skip(begin).chain(forgotten.names().take(begin));
    let now = context.now.mono;
    let mut records: Vec<Forgotten> =
        names.take(MOST_AT_ONCE).filter_map(|name| forgotten.get(name, now)).collect();
    records.truncate(fitting(&records, UPDATES_ROOM, Forgotten::wire_size));
    records
}
