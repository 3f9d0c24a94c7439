//! One search of what this machine offers. Blocks.

use super::reply::PeerReply;
use super::reply_sink::ReplySink;
use super::{LocalSearcher, journal, narrow};
use memberd_control::grep::{GrepRequest, GrepTotals};
use memberd_search::{MAX_FILES, Narrow, Output, Plan, Search, Totals, Window};
use std::sync::atomic::AtomicBool;

/// Searches, and returns the last reply.
pub(super) fn search(
    searches: &LocalSearcher,
    request: &GrepRequest,
    mut output: ReplySink,
    cancel: &AtomicBool,
) -> PeerReply {
    let compiled =
        searches.compiled.compile(request).and_then(|compiled| Ok((compiled, narrow(request)?)));
    let searched = compiled.and_then(|(compiled, narrow)| match &request.files.journal {
        Some(journal) => {
            let program = searches
                .journal()
                .ok_or("its settings do not offer its journal: set logs.journal there")?;
            let asked = journal::Asked {
                journal,
                files: &request.files,
                by_time: request.printing.by_time,
            };
            let totals = journal::search(
                &program,
                &searches.machine,
                &compiled.search,
                asked,
                &mut output,
                cancel,
            )?;
            Ok((totals, Vec::new()))
        }
        None if request.files.follow => {
            let totals = compiled.search.follow(
                &searches.machine,
                &searches.offer(),
                &narrow,
                &mut output,
                cancel,
            );
            Ok((totals, Vec::new()))
        }
        None => Ok(files(searches, request, &compiled.search, &narrow, &mut output, cancel)),
    });
    if let Ok((totals, _)) = &searched {
        searches.count(totals.bytes);
    }
    match searched {
        _ if output.is_over() => {
            let limit = searches.limits.search_output;
            PeerReply::Refused(format!(
                "it found more than {limit} bytes, its limits.search_output"
            ))
        }
        Ok((totals, _)) if totals.interrupted => broken_off(),
        Ok((totals, unmatched)) => {
            let totals = GrepTotals {
                files: totals.files,
                bytes: totals.bytes,
                lines: totals.lines,
                errors: totals.errors,
                milliseconds: memberd_membership::millis(totals.elapsed),
                unmatched,
            };
            // If nobody takes the last lines, nobody takes the totals either.
            output
                .flush()
                .map_or(PeerReply::Done(GrepTotals::default()), |()| PeerReply::Done(totals))
        }
        Err(reason) => PeerReply::Refused(reason),
    }
}

/// The last reply of a search that was cancelled. Nobody waits for it any more.
pub(super) fn broken_off() -> PeerReply {
    PeerReply::Refused("the search was broken off".to_owned())
}

/// Searches files. Tells also which of the request's globs match none.
fn files(
    searches: &LocalSearcher,
    request: &GrepRequest,
    search: &Search,
    narrow: &Narrow,
    output: &mut ReplySink,
    cancel: &AtomicBool,
) -> (Totals, Vec<String>) {
    let found = searches.offer().files(narrow);
    let mut problems = 0;
    for problem in &found.problems {
        problems += 1;
        if !request.printing.no_messages && output.message(problem.to_string()).is_err() {
            break;
        }
    }
    if found.cut {
        problems += 1;
        // If nobody takes it, the search ends at once.
        let _ = output.message(format!(
            "more than {MAX_FILES} files match: the first of them are searched; name fewer"
        ));
    }
    let totals =
        search.run(&plan(searches, request), &searches.machine, &found.files, output, cancel);
    (Totals { errors: totals.errors + problems, ..totals }, found.unmatched)
}

/// How the search goes about its files.
fn plan(searches: &LocalSearcher, request: &GrepRequest) -> Plan {
    Plan {
        window: Window { since: request.files.since, until: request.files.until },
        by_time: request.printing.by_time,
        threads: searches.limits.search_threads,
        long_lines: searches.long_lines.clone(),
    }
}
