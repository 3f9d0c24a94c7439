//! A connection that notes when bytes moved, so that one on which none move can be ended.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// When bytes moved last, in milliseconds since the start.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    start: Instant,
    last: Arc<AtomicU64>,
}

/// A connection and its progress.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    stream: S,
    progress: Progress,
}

impl Progress {
    fn new() -> Self {
        Progress { start: Instant::now(), last: Arc::default() }
    }

    fn note(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// Waits until no byte has moved for this long.
    pub(crate) async fn ended(self, idle: Duration) {
        loop {
            let last = self.last.load(Ordering::Relaxed);
            let until = self.start + Duration::from_millis(last) + idle;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

impl<S> Watched<S> {
    /// Watches a connection.
    pub(crate) fn new(stream: S) -> (Self, Progress) {
        let progress = Progress::new();
        (Watched { stream, progress: progress.clone() }, progress)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        self.progress.note();
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.progress.note();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        self.progress.note();
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn only_a_connection_without_progress_ends() {
        let (mut far, near) = tokio::io::duplex(10);
        let (mut near, progress) = Watched::new(near);
        let idle = Duration::from_secs(60);
        let ended = tokio::spawn(progress.ended(idle));
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(40)).await;
            far.write_all(b"x").await.unwrap();
            near.read_u8().await.unwrap();
            assert!(!ended.is_finished());
        }
        timeout(idle + Duration::from_secs(1), ended).await.unwrap().unwrap();
    }
}
