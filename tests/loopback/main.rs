//! Fleets of real daemons on loopback, tested from outside: through memberctl, the control socket,
//! the logs and signals.

#![cfg(test)]

mod audit;
mod completions;
mod conflicts;
mod control;
mod crashes;
mod descriptors;
mod disks;
mod ends;
mod events;
mod files;
mod forget;
mod founding;
mod grep_answers;
mod grep_compressed;
mod grep_json;
mod grep_like_gnu;
mod grep_limits;
mod grep_lists;
mod grep_matches;
mod grep_members;
mod grep_rotation;
mod grep_streams;
mod grep_terminal;
mod grep_times;
mod grep_trouble;
mod grep_windows;
mod hostile;
mod introducer;
mod inventory;
mod join;
mod key_withdrawn;
mod leave;
mod list;
mod manual;
mod manual_statuses;
mod memory;
mod metrics;
mod operations;
mod places;
mod places_searches;
mod readme;
mod rejoin;
mod reload;
mod replay;
mod sealed;
mod search_memory;
mod secrets;
mod stalls;
mod startup;
mod state;
mod tags;
mod top;
mod versions;
