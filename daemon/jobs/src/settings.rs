//! The protocol's times and bounds, each with its reason.

/// A rule that is switched off, so that the simulator can show that it finds that.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// A new owner reads the log without fencing it.
    NoFence,
    /// An owner acknowledges what it has only in memory.
    AckBeforeAppend,
    /// Cursors and sums are two records.
    TwoWrites,
    /// Every delta counts, wherever it begins.
    IgnoreCursor,
    /// An append happens whatever the log has.
    BlindAppend,
    /// Rows go to the sink wherever it ends.
    BlindSink,
    /// Rows go to the sink before the record that names their place is durable.
    SinkFirst,
    /// The watermark is the newest stamp, even if the machine's clock is far behind it.
    NoClockCap,
    /// A new file holds no window back before the owner knows it.
    NoAnnouncing,
    /// Late lines go into closed windows, and nobody hears of it.
    SilentLate,
    /// A window beyond its limits has no rows, and nobody hears of it.
    SilentLimit,
    /// The sink ends when the first partition has ended.
    HastyTrailer,
    /// The sink writes the list of a window as soon as one partition has closed it.
    HastyList,
    /// The sink takes no list that comes for a window that it has written.
    StaleList,
    /// Cursors are dropped although windows that can change have lines of their files.
    HastyDrop,
    /// No cursor is ever dropped.
    NeverDrop,
    /// Two leaders may write the table.
    TableUnfenced,
}

/// Times and bounds of the protocol. All members of a fleet have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How often a source cuts ranges, in milliseconds. The host looks at files as often.
    pub look_ms: u64,
    /// After how long without an answer a question is asked again, in milliseconds.
    pub retry_ms: u64,
    /// After how long without a new line a file follows its machine's clock, in milliseconds.
    pub quiet_ms: u64,
    /// How often a leader says which table there is, in milliseconds.
    pub beat_ms: u64,
    /// How long a membership must be the same before stages move for balance, in milliseconds.
    pub settle_ms: u64,
    /// How many stages may be on the move for balance at once.
    pub moves: usize,
    /// The most bytes of a file in one delta.
    pub range_bytes: u64,
    /// The most bytes of sums in one delta: with more, a range is cut anew. One line has less.
    pub delta_bytes: usize,
    /// The most bytes of one frame with several deltas.
    pub frame_bytes: usize,
    /// The most cursors in one message: at most [`MAX_TOLD`](crate::MAX_TOLD).
    pub told: usize,
    /// The most deltas of a source that a partition has not acknowledged.
    pub unacknowledged: usize,
    /// The most rows in one message to the sink: at most [`MAX_ROWS`](crate::MAX_ROWS).
    pub rows: usize,
    /// With so many rows that the sink does not have, an owner takes no more sums.
    pub waiting_rows: usize,
    /// The most bytes of one message to the sink with several rows.
    pub rows_bytes: usize,
    /// The most bytes of text in one record of the sink, but for its last row.
    pub text_bytes: usize,
    /// The most bytes of a partition's list of rows of a window, if stages order them. With more
    /// the job stops. It goes into one message of at most 1 MiB. A window's lines in the sink have
    /// at most `text_bytes`.
    pub list_bytes: usize,
    /// The memory of the lists of all sinks of a member, in bytes. With more the job stops whose
    /// list it is.
    pub lists_bytes: usize,
    /// The most bytes of one append. A longer record comes as an image.
    pub append_bytes: usize,
    /// A log is replaced by an image once it has so many times the image's bytes.
    pub log_factor: u64,
    /// A shorter log is never replaced, in bytes.
    pub log_bytes: u64,
    /// The memory of an owner's sums, in bytes.
    pub sums_bytes: usize,
    /// The memory of all sums and waiting rows of a member, in bytes. A record, an image or the
    /// merging of a window needs a few times its own bytes beside it, for a moment.
    pub member_bytes: usize,
    /// A rule that is switched off, in tests alone.
    #[doc(hidden)]
    pub mutant: Option<Mutant>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            look_ms: 100,
            retry_ms: 2_000,
            quiet_ms: 2_000,
            beat_ms: 1_000,
            settle_ms: 30_000,
            moves: 2,
            range_bytes: 4 << 20,
            delta_bytes: 512 << 10,
            frame_bytes: 640 << 10,
            told: 4_000,
            unacknowledged: 2,
            rows: 1_000,
            waiting_rows: 200_000,
            rows_bytes: 256 << 10,
            text_bytes: 512 << 10,
            list_bytes: 768 << 10,
            lists_bytes: 32 << 20,
            append_bytes: 1 << 20,
            log_factor: 4,
            log_bytes: 64 << 10,
            sums_bytes: 64 << 20,
            member_bytes: 64 << 20,
            mutant: None,
        }
    }
}

impl Settings {
    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}
