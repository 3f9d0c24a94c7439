//! Answers `memberctl stream`. It owns no state.

use super::calls::Call;
use super::describe;
use super::spec;
use super::store::TableError;
use super::task::now;
use super::{Change, Command, Handle};
use crate::blocking::run_low_priority;
use crate::control::client::{Client, ClientError};
use crate::membership::Ended;
use memberd_control::message::Reply;
use memberd_control::streams::{StreamFrom, StreamReply, StreamRequest};
use memberd_jobs::Name;

/// Carries out a request about jobs.
///
/// # Errors
/// When the client has disconnected or hangs.
pub(crate) async fn handle(
    request: StreamRequest,
    client: &mut Client,
    jobs: &Handle,
) -> Result<(), ClientError> {
    let reply = tokio::select! {
        reply = answer(request, jobs) => reply,
        () = client.gone() => return Ok(()),
    };
    let reply = reply.unwrap_or_else(|reason| StreamReply::Failed { reason });
    client.send(&Reply::Stream(reply)).await
}

async fn answer(request: StreamRequest, jobs: &Handle) -> Result<StreamReply, String> {
    match request {
        StreamRequest::Start(asked) => {
            // The leader checks it again: it may have another version.
            spec::job_spec(&asked)?;
            let (sources, query) = (jobs.sources.clone(), asked.query.clone());
            let checked = run_low_priority(move || sources.check_pattern(&query)).await;
            checked.map_err(|error| error.to_string())??;
            jobs.ask_leader(Call::Change(StreamRequest::Start(asked))).await
        }
        StreamRequest::List => {
            let told = jobs.ask(Command::Tell).await.map_err(|ended| ended.to_string())?;
            let jobs = told.table.jobs.iter();
            let mut list: Vec<_> = jobs.map(|(id, job)| describe::summary(*id, job)).collect();
            list.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(StreamReply::List(list))
        }
        StreamRequest::Status { name } => describe::status(&name, jobs).await,
        request @ (StreamRequest::Cancel { .. } | StreamRequest::Forget { .. }) => {
            jobs.ask_leader(Call::Change(request)).await
        }
    }
}

/// Changes the table, on the member that leads.
///
/// # Errors
/// When it does not lead, or the change was not made: one line.
pub(super) async fn change(request: StreamRequest, jobs: &Handle) -> Result<StreamReply, String> {
    match request {
        StreamRequest::Start(mut asked) => {
            if asked.from == StreamFrom::Now {
                // So a member that is started anew knows which files are new.
                asked.from = StreamFrom::At(now().wall_ms);
            }
            let spec = spec::job_spec(&asked)?;
            ensure_table(jobs).await?;
            jobs.store.check_sink(&spec.sink).await.map_err(|error| error.to_string())?;
            let there = jobs.commands.send(Command::TableThere).await;
            there.map_err(|_| Ended.to_string())?;
            let changed = jobs.change(Change::Start(spec)).await?;
            let told = jobs.ask(Command::Tell).await.map_err(|ended| ended.to_string())?;
            let started = told.table.jobs.get(&changed.job);
            let started = started.map(|job| describe::summary(changed.job, job));
            Ok(StreamReply::Started(started.ok_or("the job has been cancelled")?))
        }
        StreamRequest::Cancel { name, force } => {
            jobs.change(Change::Cancel(name.clone())).await?;
            if force {
                jobs.change(Change::Abandon(name)).await?;
            }
            Ok(StreamReply::Done)
        }
        StreamRequest::Forget { name, member } => {
            let member = Name::new(&member).map_err(|error| error.to_string())?;
            for job in names(name, &member, jobs).await? {
                jobs.change(Change::Forget(job, member.clone())).await?;
            }
            Ok(StreamReply::Done)
        }
        StreamRequest::List | StreamRequest::Status { .. } => {
            Err("this is no change of the job table".to_owned())
        }
    }
}

/// Makes the table, if there never was one. One that is lost is made anew by the leader.
async fn ensure_table(jobs: &Handle) -> Result<(), String> {
    let Err(error) = jobs.store.ensure_table().await else { return Ok(()) };
    if matches!(error, TableError::Lost) {
        let missed = jobs.commands.send(Command::TableMissed).await;
        missed.map_err(|_| Ended.to_string())?;
    }
    Err(error.to_string())
}

/// The jobs that a request names: one, or all in which a member takes part.
async fn names(name: Option<String>, member: &Name, jobs: &Handle) -> Result<Vec<String>, String> {
    if let Some(name) = name {
        return Ok(vec![name]);
    }
    let told = jobs.ask(Command::Tell).await.map_err(|ended| ended.to_string())?;
    let counts = told.table.jobs.values().filter(|job| job.sources.contains_key(member));
    let names: Vec<String> = counts.map(|job| job.spec.name.clone()).collect();
    match names.is_empty() {
        true => Err(format!("no job counts lines of {member}: see memberctl stream list")),
        false => Ok(names),
    }
}
