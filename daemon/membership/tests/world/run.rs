//! How time passes: one happening after another, and what nodes ask for carried out.

use super::queue::Planned;
use super::{Happening, Seen, World};
use memberd_membership::{
    CALL_TIMEOUT, Call, CallError, CallReply, Event, Incarnation, JoinRefusal, MAX_DATAGRAM,
    Output, PROTOCOL_VERSION, Transmit, wire::encode_versioned,
};
use std::time::Duration;

impl World {
    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until a condition holds and returns how long that took.
    pub fn run_until(
        &mut self,
        limit: Duration,
        what: &str,
        mut holds: impl FnMut(&World) -> bool,
    ) -> Duration {
        let (start, end) = (self.now, self.now + limit);
        while !holds(self) {
            if !self.step(end) {
                self.now = end;
                assert!(holds(self), "seed {}: not within {limit:?}: {what}", self.seed);
            }
        }
        self.now - start
    }

    /// The same for a condition that costs much: it is looked at only so often, and at the end.
    pub fn run_until_at_most_every(
        &mut self,
        pause: Duration,
        limit: Duration,
        what: &str,
        holds: impl Fn(&World) -> bool,
    ) -> Duration {
        let (start, end) = (self.now, self.now + limit);
        while !holds(self) {
            assert!(self.now < end, "seed {}: not within {limit:?}: {what}", self.seed);
            self.run_for(pause.min(end - self.now));
        }
        self.now - start
    }

    fn step(&mut self, end: Duration) -> bool {
        if self.queue.peek().is_none_or(|planned| planned.at > end) {
            return false;
        }
        if let Some(Planned { at, happening, .. }) = self.queue.pop() {
            self.now = self.now.max(at);
            self.happen(happening);
        }
        if self.checked && self.now >= self.checks.next_at {
            self.check();
        }
        true
    }

    fn happen(&mut self, happening: Happening) {
        let member = match &happening {
            Happening::Datagram { to, .. }
            | Happening::Request { to, .. }
            | Happening::Reply { to, .. } => *to,
            Happening::Wake { member, .. } | Happening::Resume { member } => *member,
        };
        if self.machines[member].stopped_until > self.now {
            self.machines[member].inbox.push(happening);
            return;
        }
        if self.machines[member].inbox.is_empty() {
            self.handle(happening);
        } else {
            // A woken process drains its sockets before it looks at its timers.
            let waiting = std::mem::take(&mut self.machines[member].inbox);
            let (wakes, rest): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .chain([happening])
                .partition(|happening| matches!(happening, Happening::Wake { .. }));
            for happening in rest.into_iter().chain(wakes) {
                self.handle(happening);
            }
        }
        self.drain(member);
    }

    fn handle(&mut self, happening: Happening) {
        match happening {
            Happening::Datagram { to, from, bytes } => {
                let now = self.clocks(to);
                let bytes = self.machines[to].understands(bytes);
                if let Some(node) = self.machines[to].node.as_mut().filter(|_| !bytes.is_empty()) {
                    node.handle_datagram(now, from, &bytes).unwrap();
                }
            }
            Happening::Request { to, from, process, id, bytes } => {
                let now = self.clocks(to);
                if self.cuts.apart(from, to) {
                    return;
                }
                let bytes = self.machines[to].understands(bytes);
                let reply = match &mut self.machines[to].node {
                    // An older member refuses a request that it does not know.
                    Some(_) if bytes.is_empty() => {
                        let refusal = JoinRefusal::Version { group: PROTOCOL_VERSION - 1 };
                        Ok(encode_versioned(&CallReply::Refused(refusal)))
                    }
                    Some(node) => Ok(node.handle_request(now, &bytes)),
                    None => Err(CallError::Unreachable("connection refused".to_owned())),
                };
                let reply = reply.map(|bytes| self.machines[to].says(bytes));
                let at = self.now + self.delay();
                self.at(at, Happening::Reply { to: from, process, id, reply });
            }
            Happening::Reply { to, process, id, reply } => {
                let now = self.clocks(to);
                let reply = reply.map(|bytes| self.machines[to].understands(bytes));
                let machine = &mut self.machines[to];
                if let Some(node) = machine.node.as_mut().filter(|_| machine.process == process) {
                    node.handle_reply(now, id, reply.as_deref().map_err(Clone::clone));
                }
            }
            Happening::Wake { member, due } => {
                let now = self.clocks(member);
                let machine = &mut self.machines[member];
                if machine.woken_for != Some(due) {
                    return;
                }
                machine.woken_for = None;
                if let Some(node) = machine.node.as_mut()
                    && node.poll_timeout().is_some_and(|due| due <= now.mono)
                {
                    self.woken += 1;
                    node.handle_timeout(now);
                }
            }
            Happening::Resume { .. } => {}
        }
    }

    /// Carries out what a node asks for, in its order: events, datagrams, calls.
    pub(super) fn drain(&mut self, i: usize) {
        let now = self.clocks(i);
        let Some(mut node) = self.machines[i].node.take() else { return };
        let mut asked_for = 0;
        let mut payload = Vec::new();
        while let Some(output) = node.poll_output(&mut payload) {
            asked_for += 1;
            match output {
                Output::Event(event) => self.see(i, event),
                Output::Transmit(transmit) => self.transmit(i, transmit, &payload),
                Output::Call(call) => self.call(i, call),
            }
        }
        self.most_at_once = self.most_at_once.max(asked_for);
        let due = node.poll_timeout();
        self.machines[i].node = Some(node);
        let machine = &mut self.machines[i];
        if let Some(due) = due
            && machine.woken_for.is_none_or(|woken| due < woken)
        {
            machine.woken_for = Some(due);
            let wait = machine.rate.true_time(due.since(now.mono));
            self.at(self.now + wait, Happening::Wake { member: i, due });
        }
    }

    fn see(&mut self, by: usize, event: Event) {
        if let Event::Incarnation(incarnation) = event {
            let machine = &mut self.machines[by];
            assert!(machine.last < Some(incarnation), "vm{by}'s incarnation did not grow");
            machine.last = Some(incarnation);
        }
        self.seen.push(Seen { at: self.now, by, event });
    }

    fn transmit(&mut self, from: usize, Transmit { to, kind, .. }: Transmit, payload: &[u8]) {
        assert!(payload.len() <= MAX_DATAGRAM, "{kind} of {} bytes", payload.len());
        let machine = &self.machines[from];
        let present = machine.last.map(Incarnation::to_bytes);
        assert!(
            present.is_some_and(|present| payload.ends_with(&present)),
            "vm{from} speaks in the name of a former incarnation"
        );
        self.sent += 1;
        self.sent_bytes += payload.len() as u64;
        match machine.dialect {
            None => self.carry(from, to, payload),
            Some(dialect) => match &dialect(payload)[..] {
                [] => {}
                said => self.carry(from, to, said),
            },
        }
    }

    /// Connects, asks, and waits for the reply, for no longer than is promised.
    fn call(&mut self, from: usize, call: Call) {
        let (process, id) = (self.machines[from].process, call.id);
        let timed_out = Err(CallError::Unreachable("timed out".to_owned()));
        self.at(
            self.now + CALL_TIMEOUT,
            Happening::Reply { to: from, process, id, reply: timed_out },
        );
        if let Some(to) = self.index(call.to).filter(|to| !self.cuts.apart(*to, from)) {
            let at = self.now + self.delay() * 3;
            let bytes = self.machines[from].says(call.payload);
            self.at(at, Happening::Request { to, from, process, id, bytes });
        }
    }

    pub(super) fn at(&mut self, at: Duration, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Planned { at, sequence: self.sequence, happening });
    }
}
