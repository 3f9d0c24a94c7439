//! What members ask each other about jobs, one question at a time: changes of the table by the
//! leader, and how far a job is. It owns no state.

use super::describe::Here;
use super::handlers::change;
use super::without::says_none;
use super::{Change, ChangeError, Changed, Command, Handle};
use crate::membership::Ended;
use crate::peer::JOB_CALLS;
use memberd_control::streams::{StreamReply, StreamRequest};
use memberd_jobs::{JobId, Name};
use memberd_transport::{Caller, Source};
use serde::{Deserialize, Serialize};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The most bytes of a question: a spec of a job.
pub const CALL_CAP: usize = 128 << 10;

/// The most bytes of an answer.
const ANSWER_CAP: usize = 256 << 10;

/// How deep values may be nested.
const DEPTH_CAP: usize = 32;

/// How long a change of the table may take. The first one makes the share of all jobs.
const CHANGE_LIMIT: Duration = Duration::from_secs(40);

/// How long another member may take to say how far a job is.
const STATUS_LIMIT: Duration = Duration::from_secs(5);

/// The pause before a leader that has just begun is asked again.
const PAUSE: Duration = Duration::from_millis(100);

const LATE: &str =
    "the job table has not changed in time, and may still: see memberctl stream list";

/// A question.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Call {
    /// To the leader: change the table.
    Change(StreamRequest),
    /// To any member: how far is this job there?
    Status(JobId),
}

/// An answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Answer {
    /// To a change, or why there is none.
    Stream(StreamReply),
    /// How far the job is there.
    Status(Here),
}

/// Asks a member a question that all with jobs can answer: how far is no job?
///
/// # Errors
/// When it does not answer, or has no jobs.
pub(super) async fn call_any(
    caller: &Caller,
    to: SocketAddr,
    limit: Duration,
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&Call::Status(JobId(0)), &mut bytes).map_err(io::Error::other)?;
    caller.call(to, JOB_CALLS, &bytes, ANSWER_CAP, limit).await
}

impl Handle {
    /// Answers the question of another member.
    ///
    /// # Errors
    /// When a stranger asks, it cannot be read, or the daemon ends.
    pub(crate) async fn answer(&self, question: &[u8], source: Source) -> io::Result<Vec<u8>> {
        if !self.is_member(source) {
            let error = "only members of the group may ask about its jobs";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, error));
        }
        let call = ciborium::de::from_reader_with_recursion_limit(question, DEPTH_CAP);
        let answer = self.carry_out(call.map_err(io::Error::other)?).await;
        let mut bytes = Vec::new();
        ciborium::into_writer(&answer, &mut bytes).map_err(io::Error::other)?;
        Ok(bytes)
    }

    /// Whether a member has the address from which somebody asks.
    fn is_member(&self, source: Source) -> bool {
        self.peers.borrow().values().any(|peer| Source::from(peer.address) == source)
    }

    async fn carry_out(&self, call: Call) -> Answer {
        match call {
            Call::Change(request) => {
                let changed = timeout(CHANGE_LIMIT, change(request, self)).await;
                let changed = changed.unwrap_or_else(|_| Err(LATE.to_owned()));
                Answer::Stream(changed.unwrap_or_else(|reason| StreamReply::Failed { reason }))
            }
            Call::Status(job) => {
                let told = self.ask(|reply| Command::Status(job, reply)).await;
                Answer::Status(told.unwrap_or_default())
            }
        }
    }

    /// Asks another member, or this one.
    ///
    /// # Errors
    /// When it does not answer: one line.
    pub(super) async fn call(&self, member: &Name, call: Call) -> Result<Answer, String> {
        if *member == self.own {
            return Ok(self.carry_out(call).await);
        }
        let to = self.peers.borrow().get(member).map(|peer| peer.address);
        let to = to.ok_or_else(|| format!("nobody knows the address of {member}"))?;
        let limit = match call {
            // The leader ends it by itself before.
            Call::Change(_) => CHANGE_LIMIT + STATUS_LIMIT,
            Call::Status(_) => STATUS_LIMIT,
        };
        let mut bytes = Vec::new();
        ciborium::into_writer(&call, &mut bytes).map_err(|error| error.to_string())?;
        let answer = self.caller.call(to, JOB_CALLS, &bytes, ANSWER_CAP, limit).await;
        let answer = answer.map_err(|error| match says_none(&error) {
            true => format!("{member} has no durable jobs: streams.jobs is false there"),
            false => format!("{member} does not answer: {error}"),
        })?;
        let read = ciborium::de::from_reader_with_recursion_limit(answer.as_slice(), DEPTH_CAP);
        read.map_err(|error| format!("the answer of {member} cannot be read: {error}"))
    }

    /// Asks the member that leads.
    ///
    /// # Errors
    /// When nobody leads, or it does not answer: one line.
    pub(super) async fn ask_leader(&self, call: Call) -> Result<StreamReply, String> {
        let leader = self.group.borrow().lead.as_ref().map(|lead| lead.name.clone());
        let leader = leader.ok_or("nobody leads now: see memberctl leader, then try again")?;
        match self.call(&leader, call).await? {
            Answer::Stream(reply) => Ok(reply),
            Answer::Status(_) => Err(format!("{leader} answers another question")),
        }
    }

    /// Has the task of this member, which leads, change the table.
    ///
    /// # Errors
    /// When it did not: one line.
    pub(super) async fn change(&self, change: Change) -> Result<Changed, String> {
        let changed = self.try_change(change).await.map_err(|ended| ended.to_string())?;
        changed.map_err(|error| error.to_string())
    }

    /// A leader that has just begun reads the table first.
    async fn try_change(&self, change: Change) -> Result<Result<Changed, ChangeError>, Ended> {
        loop {
            let change = change.clone();
            match self.ask(|reply| Command::Change(change, reply)).await? {
                Err(ChangeError::NoTable) => sleep(PAUSE).await,
                changed => return Ok(changed),
            }
        }
    }
}
