//! Answers `memberctl grep`: it checks the request, chooses the members, and streams the replies.
//! It owns no state.

use crate::blocking::run_low_priority;
use crate::control::client::{Client, ClientError};
use crate::control::permissions::ListenerPolicy;
use crate::control::refusal::{ended, not_in_group, refused};
use crate::membership::Command;
use crate::search::audit::AuditedSearch;
use crate::search::kept::{KeptLogs, Target, find};
use crate::search::{
    Chosen, Compiled, DistributedGrep, GrepPlan, MemberChoice, Missed, Restriction,
};
use crate::services::Services;
use memberd_control::grep::{GrepAsker, GrepFollow, GrepMembers, GrepOutcome, GrepRequest};
use memberd_control::message::{RefusalKind, Reply};
use memberd_membership::Name;
use memberd_transport::Source;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// The time until a client first receives the progress of its grep.
const PROGRESS_AFTER: Duration = Duration::from_millis(500);

/// The interval of later progress reports.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Greps all members' logs and streams the results. All searches end when the client disconnects.
pub(crate) async fn handle(
    request: GrepRequest,
    client: &mut Client,
    policy: &ListenerPolicy,
    services: &Services,
) -> Result<(), ClientError> {
    // A question is asked by a request of its own.
    search(GrepRequest { stats: None, ..request }, client, policy, services).await
}

/// The same, for a request that may carry a question.
pub(super) async fn search(
    mut request: GrepRequest,
    client: &mut Client,
    policy: &ListenerPolicy,
    services: &Services,
) -> Result<(), ClientError> {
    request.asker = Some(asker(client, services).await);
    let mut audited =
        AuditedSearch::of_client(&services.search.searcher.audit, &request, policy.name());
    let result = grep(request, client, policy, &mut audited, services).await;
    match (&result, &mut audited) {
        (Ok(Ended::Done), Some(audited)) => audited.note_end("done"),
        (Ok(Ended::Refused(reason)), Some(audited)) => audited.note_end(reason),
        _ => {}
    }
    result.map(drop)
}

/// How a grep ended.
enum Ended {
    Done,
    /// With what the client was told.
    Refused(String),
    /// The client has gone.
    Gone,
}

async fn refuse(client: &mut Client, refusal: Reply) -> Result<Ended, ClientError> {
    client.send(&refusal).await?;
    match refusal {
        Reply::Refused(refusal) => Ok(Ended::Refused(refusal.message)),
        _ => Ok(Ended::Gone),
    }
}

/// Who asks, as this daemon knows it.
async fn asker(client: &Client, services: &Services) -> GrepAsker {
    let member = services.search.searcher.machine().to_owned();
    match client.source() {
        Source::User(uid) => {
            GrepAsker { member, user: services.search.users.name(uid).await, uid: Some(uid) }
        }
        Source::Machine(_) | Source::Anyone => GrepAsker { member, user: None, uid: None },
    }
}

async fn grep(
    request: GrepRequest,
    client: &mut Client,
    policy: &ListenerPolicy,
    audited: &mut Option<AuditedSearch>,
    services: &Services,
) -> Result<Ended, ClientError> {
    let entry = services.search.greps.enter(&request, client.source(), policy.access);
    let _running = match entry {
        Ok(entry) => entry,
        Err(full) => {
            return refuse(client, refused(RefusalKind::Failed, full.to_string())).await;
        }
    };
    let restriction = services.search.restriction(policy.access);
    let planned = plan(request, &restriction, client.source(), services).await;
    let (plan, missed) = match planned {
        Ok(planned) => planned,
        Err(refusal) => return refuse(client, refusal).await,
    };
    if let Some(audited) = audited {
        audited.note_targets(&plan.targets);
    }
    for Unsearched { member, outcome } in missed {
        client.send(&Reply::GrepMember { member: member.to_string(), outcome }).await?;
    }
    for target in &plan.targets {
        if let Target::Kept(logs) = target
            && let Some(keeper) = logs.keepers.first()
        {
            let (member, copy) = (logs.missed.name.to_string(), keeper.copy.clone());
            client.send(&Reply::GrepCopy { member, copy }).await?;
        }
    }
    let mut grep = DistributedGrep::start(plan, &services.search, &services.membership.handle)?;
    let mut progress = interval_at(Instant::now() + PROGRESS_AFTER, PROGRESS_EVERY);
    progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let reply = tokio::select! {
            reply = grep.next() => reply,
            _ = progress.tick() => {
                audited.iter_mut().for_each(AuditedSearch::note_time);
                Some(grep.progress())
            }
            () = client.gone() => return Ok(Ended::Gone),
        };
        let Some(reply) = reply else { break };
        audited.iter_mut().for_each(|audited| audited.note_reply(&reply));
        client.stream(&reply).await?;
    }
    client.send(&Reply::Done).await?;
    Ok(Ended::Done)
}

/// A member that is gone, and whose logs are not searched.
struct Unsearched {
    member: Name,
    outcome: GrepOutcome,
}

impl Unsearched {
    /// Nobody keeps its logs, or it is not known whether anybody does.
    fn new(Missed { name, since: failed, left, .. }: Missed, unknown: Option<&str>) -> Self {
        let outcome = match unknown {
            None => GrepOutcome::NotAsked { failed, left },
            Some(why) => GrepOutcome::Lost(why.to_owned()),
        };
        Unsearched { member: name, outcome }
    }

    /// Somebody keeps its logs, which do not count yet.
    fn uncounted(logs: KeptLogs) -> Self {
        let gone = if logs.missed.left { "left" } else { "failed" };
        let words = format!("{gone}; its copies are not counted by stats yet");
        Unsearched { member: logs.missed.name, outcome: GrepOutcome::Lost(words) }
    }
}

/// Compiles the request and chooses its members, or returns the reply that refuses it. Also returns
/// the members that are gone, and whose logs are not searched.
async fn plan(
    mut request: GrepRequest,
    restriction: &Restriction,
    user: Source,
    services: &Services,
) -> Result<(GrepPlan, Vec<Unsearched>), Reply> {
    let not_permitted = |message: String| refused(RefusalKind::NotPermitted, message);
    let failed = |message: String| refused(RefusalKind::Failed, message);
    restriction.restrict(&mut request).map_err(not_permitted)?;
    // The client does not choose who is asked for copies.
    request.kept_of = None;
    // The journal is not kept.
    request.copies &= request.files.journal.is_none();
    let follows_files = request.files.follow && request.files.journal.is_none();
    request.follow_from = follows_files.then(GrepFollow::default);
    // What is kept does not grow any more. A follow reads copies once a member is lost.
    let wants_copies = request.copies && !request.files.follow;
    let (mut compiled, mut request) = compile(request, user, services).await?;
    let left = if wants_copies { request.members.on.as_slice() } else { &[] };
    let (choice, chosen) = choose(&request.members, left, restriction, services).await?;
    let Chosen { up, failed: mut missed, may_keep } = chosen;
    let mut targets: Vec<Target> = up.into_iter().map(Target::Member).collect();
    let (mut unknown, mut uncounted) = (None, Vec::new());
    if wants_copies && !missed.is_empty() {
        let search = &services.search;
        let found = find(&search.caller, &search.searcher, missed, may_keep, user)
            .await
            .map_err(|error| failed(format!("cannot ask for copies: {error}")))?;
        if request.stats.is_some() {
            uncounted = found.kept.into_iter().map(Unsearched::uncounted).collect();
        } else {
            targets.extend(found.kept.into_iter().map(Target::Kept));
            targets.sort_by(Target::order);
        }
        (missed, unknown) = (found.unkept, found.unknown);
    }
    let unsearched = missed.into_iter().map(|missed| Unsearched::new(missed, unknown.as_deref()));
    let unsearched = uncounted.into_iter().chain(unsearched);
    let connections =
        services.search.reserve_connections(&request, targets.len(), user).map_err(failed)?;
    if let Some(width) = &mut request.printing.name_width {
        *width = longest_name(&targets);
        compiled.set_name_width(*width);
    }
    Ok((GrepPlan { request, user, compiled, choice, targets, connections }, unsearched.collect()))
}

/// Chooses the members, or returns the reply that refuses the request. Those that left are chosen
/// only if their names are among `left`.
pub(super) async fn choose(
    members: &GrepMembers,
    left: &[String],
    restriction: &Restriction,
    services: &Services,
) -> Result<(MemberChoice, Chosen), Reply> {
    let usage = |message: String| refused(RefusalKind::Usage, message);
    let list = match services.membership.handle.ask(|reply| Command::List { reply }).await {
        Ok(Some(list)) => list.members().collect::<Vec<_>>(),
        Ok(None) => return Err(not_in_group()),
        Err(error) => return Err(ended(error)),
    };
    let choice =
        MemberChoice::new(members).map_err(usage)?.limited_to(&restriction.tags).with_left(left);
    if let Some(message) = choice.beyond_limit(&list) {
        return Err(refused(RefusalKind::NotPermitted, message));
    }
    let chosen = choice.choose_members(&list).map_err(usage)?;
    Ok((choice, chosen))
}

/// Compiles the request, so that an invalid pattern is refused before anything is sent. This may
/// take long, but heartbeats do not wait for it.
async fn compile(
    request: GrepRequest,
    user: Source,
    services: &Services,
) -> Result<(Compiled, GrepRequest), Reply> {
    let searcher = Arc::clone(&services.search.searcher);
    let compiled = run_low_priority(move || (searcher.compile(&request, user), request)).await;
    let (compiled, request) = compiled.map_err(|error| {
        refused(RefusalKind::Failed, format!("cannot look at the pattern: {error}"))
    })?;
    Ok((compiled.map_err(|message| refused(RefusalKind::Usage, message))?, request))
}

/// How many characters the longest name of these members has.
fn longest_name(members: &[Target]) -> u8 {
    let lengths = members.iter().map(|member| member.name().as_str().chars().count());
    let longest = lengths.max().unwrap_or(0);
    u8::try_from(longest).unwrap_or(u8::MAX)
}
