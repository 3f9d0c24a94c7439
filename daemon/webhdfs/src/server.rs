//! The server: connections, requests, and the places that bound them.

use crate::access::{self, May, Shares};
use crate::answer::{self, Answer};
use crate::error::FileError;
use crate::file_system::{Create, FileSystem, Kind};
use crate::metadata::Metadata;
use crate::operation::{Asked, Operation};
use crate::repeats::Repeats;
use crate::transfer::Upload;
use crate::watched::Watched;
use crate::{guard, listing, redirect, transfer};
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::EXPECT;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

/// The most bytes of a request's head, and of what is read at once.
const BUFFER_BYTES: usize = 128 << 10;

/// The pause after `accept` has failed, for lack of file descriptors for instance.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// What clients may do, and how much at once.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether they may change files.
    pub may: May,
    /// What they see.
    pub shares: Shares,
    /// The bounds.
    pub limits: Limits,
}

/// Bounds on what clients do.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open connections. More wait in the kernel's queue.
    pub connections: usize,
    /// Files that are read or written at once. When that many are, the first request of another
    /// one is answered by 503.
    pub transfers: usize,
    /// Other requests at once. More wait.
    pub requests: usize,
    /// How long an operation or a commit may take. Clients of Java wait for 60 s.
    pub answer_within: Duration,
    /// How long a connection may wait for a request.
    pub head_within: Duration,
    /// How long a request may go on without a byte that moves.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 1_024,
            transfers: 64,
            requests: 64,
            answer_within: Duration::from_secs(50),
            head_within: Duration::from_secs(60),
            idle: Duration::from_secs(600),
        }
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Whoever reaches the listener may use it, so it must be of this machine alone.
    #[error("{0} is not an address of loopback: choose 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// The socket has no address.
    #[error("the listener has no address: {0}")]
    NoAddress(#[from] std::io::Error),
}

/// Serves a file system by WebHDFS.
pub struct Server {
    files: Arc<dyn FileSystem>,
    settings: Settings,
    repeats: Repeats,
    connections: Arc<Semaphore>,
    transfers: Arc<Semaphore>,
    requests: Arc<Semaphore>,
}

impl Server {
    /// A server without connections.
    pub fn new(files: Arc<dyn FileSystem>, settings: Settings) -> Arc<Server> {
        let places = |most| Arc::new(Semaphore::new(most));
        Arc::new(Server {
            files,
            repeats: Repeats::default(),
            connections: places(settings.limits.connections),
            transfers: places(settings.limits.transfers),
            requests: places(settings.limits.requests),
            settings,
        })
    }

    /// Serves connections until it is dropped. What is being committed then is committed.
    ///
    /// # Errors
    /// If the listener is not on loopback.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<Infallible, ServeError> {
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            return Err(ServeError::NotLoopback(address));
        }
        let mut served = JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&self.connections).acquire_owned().await else {
                continue;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    // A head and its body are two writes; the second must not wait for an answer.
                    let _ = stream.set_nodelay(true);
                    let server = Arc::clone(&self);
                    served.spawn(async move {
                        server.connection(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection for WebHDFS");
                    sleep(AFTER_ERROR).await;
                }
            }
            while served.try_join_next().is_some() {}
        }
    }

    /// Serves one connection to its end.
    pub async fn connection(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let limits = &self.settings.limits;
        let (stream, progress) = Watched::new(stream);
        let service = service_fn(|request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head_within)
            .max_buf_size(BUFFER_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            ended = connection => if let Err(error) = ended {
                debug!(%error, "a connection of WebHDFS broke off");
            },
            () = progress.ended(limits.idle) => debug!("a connection of WebHDFS was idle"),
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let (head, body) = request.into_parts();
        let mut upload = Upload::new(body, head.headers.contains_key(EXPECT));
        let request = Request::from_parts(head, ());
        let answer = match self.carry_out(&request, &mut upload).await {
            Ok(answer) => answer,
            Err(error) => {
                debug!(%error, "a request of WebHDFS failed");
                answer::error(&error)
            }
        };
        upload.drain().await;
        answer
    }

    async fn carry_out(
        self: &Arc<Self>,
        request: &Request<()>,
        upload: &mut Upload,
    ) -> Result<Answer, FileError> {
        let host = guard::host(request)?;
        let uri = request.uri();
        let query = uri.query().unwrap_or_default().as_bytes();
        let asked = Asked::parse(request.method().as_str(), uri.path().as_bytes(), query)?;
        access::check(self.settings.may, &self.settings.shares, &asked)?;
        if asked.operation.has_data() && !asked.is_data {
            self.may_begin(&asked).await?;
            return answer::redirect(&redirect::location(&host, uri), asked.no_redirect);
        }
        match asked.operation {
            Operation::Open { .. } | Operation::Create { .. } | Operation::Append => {
                self.transfer(asked, upload).await
            }
            Operation::ListStatus => {
                let place = self.place(&self.requests).await?;
                let shares = self.settings.shares.clone();
                let listing =
                    listing::list(Arc::clone(&self.files), shares, asked.path.clone(), place);
                self.in_time(listing).await
            }
            _ => self.metadata(asked).await,
        }
    }

    /// Carries out an operation without data, to its end also if the client goes.
    async fn metadata(self: &Arc<Self>, asked: Asked) -> Result<Answer, FileError> {
        let place = self.place(&self.requests).await?;
        let server = Arc::clone(self);
        let task = tokio::spawn(async move {
            let metadata = Metadata {
                files: &*server.files,
                shares: &server.settings.shares,
                repeats: &server.repeats,
            };
            let said = metadata.answer(asked).await;
            drop(place);
            said
        });
        let ended = |error| FileError::Io(format!("the operation ended: {error}"));
        self.in_time(async { task.await.map_err(ended)? }).await.map(Answer::from)
    }

    /// Looks whether a transfer can begin, and changes nothing: an upload that must fail is so
    /// refused before its data comes.
    async fn may_begin(&self, asked: &Asked) -> Result<(), FileError> {
        if self.transfers.available_permits() == 0 {
            let most = self.settings.limits.transfers;
            return Err(FileError::Busy(format!("{most} files are read or written already")));
        }
        let _place = self.place(&self.requests).await?;
        let status = self.in_time(self.files.status(&asked.path)).await;
        let is_directory = status.as_ref().is_ok_and(|status| status.kind == Kind::Directory);
        match (&asked.operation, status) {
            (Operation::Create { .. }, Err(FileError::NotFound(_))) => Ok(()),
            (Operation::Create { overwrite, .. }, Ok(_)) if is_directory || !overwrite => {
                Err(FileError::Exists(asked.path.to_string()))
            }
            (Operation::Create { .. }, Ok(_)) => Ok(()),
            (_, Ok(_)) if is_directory => {
                Err(FileError::NotFound(format!("{} is a directory", asked.path)))
            }
            (Operation::Open { span }, Ok(status)) => span.within(status.length).map(|_| ()),
            (_, status) => status.map(|_| ()),
        }
    }

    async fn transfer(&self, asked: Asked, upload: &mut Upload) -> Result<Answer, FileError> {
        let place = self.place(&self.transfers).await?;
        let Asked { path, operation, user, .. } = asked;
        let creates = matches!(operation, Operation::Create { .. });
        let writer = match operation {
            Operation::Open { span } => {
                let reader = self.in_time(self.files.open(&path, span)).await?;
                return Ok(transfer::send(reader, place));
            }
            Operation::Create { overwrite, make_parents } => {
                let how = Create { overwrite, make_parents, user };
                self.in_time(self.files.create(&path, how)).await?
            }
            _ => self.in_time(self.files.append(&path)).await?,
        };
        let received = transfer::receive(upload, writer, self.settings.limits.answer_within).await;
        self.repeats.touch(&path);
        received.map(|()| transfer::committed(creates))
    }

    /// A place among those that are served at once.
    async fn place(&self, places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, FileError> {
        let busy = || FileError::Busy("too many requests at once".to_owned());
        let acquired = Arc::clone(places).acquire_owned();
        match timeout(self.settings.limits.answer_within, acquired).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, FileError>>,
    ) -> Result<T, FileError> {
        timeout(self.settings.limits.answer_within, work)
            .await
            .unwrap_or_else(|_| Err(transfer::unknown()))
    }
}
