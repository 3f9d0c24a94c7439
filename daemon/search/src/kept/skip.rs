//! What a search must know to leave out blocks: what its lines contain, and what else it reads.

use memberd_copies::kept::KeptBlock;
use memberd_copies::needs::Needs;

use crate::schedule::Window;
use crate::search::Search;
use memberd_control::grep::GrepBinary;

/// Which blocks a search can leave out.
#[derive(Debug, Clone)]
pub(crate) struct Skip {
    /// What every selected line contains.
    pub(crate) needs: Needs,
    /// Only text is printed, so that a NUL byte changes what follows.
    pub(crate) only_text: bool,
    /// How many lines around a selected one are printed, too.
    pub(crate) before: u64,
    pub(crate) after: u64,
    /// Each line is wanted with its time.
    pub(crate) by_time: bool,
    pub(crate) window: Window,
    /// Lines end at other bytes than those of the index. With -z, its times are not theirs.
    pub(crate) other_lines: bool,
}

impl Skip {
    /// For a search of the lines in `window`, in the order of time if `by_time`.
    pub(crate) fn new(search: &Search, window: Window, by_time: bool) -> Skip {
        let query = &search.query;
        let has_context = query.prints_lines() && window.is_unbounded();
        let context = |lines: Option<u32>| lines.filter(|_| has_context).unwrap_or(0);
        let other_lines = query.pattern.null_data;
        // In a window, context goes on over what lies outside of it.
        let any = other_lines || (search.has_context() && !window.is_unbounded());
        Skip {
            needs: if any { Needs::Anything } else { search.needs().clone() },
            only_text: !other_lines && query.printing.binary != GrepBinary::Text,
            before: context(query.printing.before_context).into(),
            after: context(query.printing.after_context).into(),
            by_time,
            window,
            other_lines,
        }
    }

    /// Whether a selected line may lie in the block, or it must be read for another reason than
    /// its time.
    pub(crate) fn may_matter(&self, block: &KeptBlock) -> bool {
        block.may_match || (self.only_text && block.has_nul)
    }
}
