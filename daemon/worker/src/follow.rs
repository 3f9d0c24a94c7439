//! Answers a question that follows files: it counts lines as memberd finds them. It owns their
//! sums.
//!
//! Nothing is said but in answer to memberd, so neither side ever waits for the other to read.

use crate::output::FoldOutput;
use crate::protocol::{Answer, Question, Written};
use crate::question::{Unanswered, plan, too_large};
use crate::tables::Tables;
use crate::teller::Teller;
use memberd_control::frame::read_frame;
use memberd_search::{Output as _, Zone};
use memberd_streams::{Fold, Limits};
use std::convert::Infallible;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;

/// The bytes of the table. Sums are sent when half of it is full, so a small one will do.
pub(crate) const TABLE_BYTES: usize = 4 << 20;

/// Counts what memberd finds, until it has gone.
pub(crate) fn follow(
    question: &Question,
    stream: &UnixStream,
    teller: &Teller,
    tables: &Tables,
) -> Result<Infallible, Unanswered> {
    let plan = plan(&question.query).map_err(Unanswered::Refused)?;
    let bytes = TABLE_BYTES + plan.shared_bytes() + plan.thread_bytes();
    let lease = tables.take_exactly(bytes);
    let _lease = lease.map_err(|none| Unanswered::Refused(none.to_string()))?;
    // Whoever gathers the sums has a limit of groups.
    let limits = Limits { groups: usize::MAX, bytes: TABLE_BYTES };
    let fold = Fold::new(Arc::new(plan), &question.member, limits);
    let (zone, line_end) = (Zone::local(), question.pattern.line_end());
    let mut output = FoldOutput::new(fold, line_end, &zone, teller).sending_early();
    loop {
        teller.tell(&Answer::More)?;
        let counted = match read_frame(&mut &*stream).map_err(|_| Unanswered::Gone)? {
            Written::Lines { path, modified, bytes } => {
                if !path.is_empty() {
                    output.begin_file(Path::new(OsStr::from_bytes(&path)), modified);
                }
                output.written(bytes)
            }
            Written::RoundEnd => output.send_sums(),
        };
        if let Some(full) = output.full() {
            return Err(too_large(full, true));
        }
        counted?;
    }
}
