//! The log as a subsystem. The state stays in [`Log`].

use super::Log;
use crate::membership::Ended;
use crate::subsystem::{Boxed, Change, NotReloaded, Page, Subsystem};
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;

impl Subsystem for Log {
    fn reload<'t>(&'t self, settings: Change<'t>) -> Boxed<'t, Result<(), NotReloaded>> {
        Box::pin(async move {
            if settings.new.log_level != settings.old.log_level {
                self.set_filter(settings.new.log_level.into());
            }
            self.audit.switch(settings.new.log_searches);
            Ok(())
        })
    }

    fn status<'t>(
        &'t self,
        report: &'t mut StatusReport,
        _: Access,
    ) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            report.warnings.extend(self.troubles());
            report.counters.push(("log_lines_lost".to_owned(), self.lost_lines()));
            Ok(())
        })
    }

    fn metrics<'t>(&'t self, page: &'t mut Page) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            page.warnings += self.troubles().len();
            let help = "Lines of the log that were not written, to the file or to standard error \
                or the journal.";
            page.text.counter("memberd_log_lines_lost_total", help).value(self.lost_lines());
            Ok(())
        })
    }
}
