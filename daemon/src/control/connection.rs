//! Serves one control client: it reads the hello and the request, and sends the replies. It owns no
//! state.

use super::client::{Client, ClientError};
use super::permissions::ListenerPolicy;
use super::refusal::refused;
use crate::dispatch::handle;
use crate::services::Services;
use memberd_control::frame::FrameError;
use memberd_control::message::{Hello, PROTOCOL_VERSION, RefusalKind, Reply, RequestRefusal};
use memberd_control::socket::Access;
use memberd_transport::Arrival;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long a client may take to send its hello and its request.
const REQUEST_LIMIT: Duration = Duration::from_secs(3);

/// How long a request waits for a place. memberctl waits longer for a reply.
const TURN_LIMIT: Duration = Duration::from_secs(3);

/// The replies to a request that another socket than the full one does not allow.
const LOOKING_ONLY: &str = "this socket is for looking only (list, status, events, metrics, top, \
wait, log without a level): use the control socket, which is for members of group memberd \
                            (sudo usermod -aG memberd $USER, then log in again)";
const SEARCHING_ONLY: &str = "this socket is for searching and looking only (grep, files, list, \
status, events, metrics, top, wait, log without a level): use the control socket, which is for \
                              members of group memberd";

/// Serves one client.
///
/// # Errors
/// When the client breaks the protocol, hangs or disconnects. This affects no other client.
pub async fn serve_client(
    stream: UnixStream,
    arrival: Arrival,
    policy: &ListenerPolicy,
    services: &Services,
) -> Result<(), ClientError> {
    let mut client = Client::new(stream, arrival.source());
    let hello: Hello = timeout(REQUEST_LIMIT, client.read_hello()).await??;
    let program = format!("memberd {}", env!("CARGO_PKG_VERSION"));
    client.write(&Hello { protocol: PROTOCOL_VERSION, program: program.clone() }).await?;
    if hello.protocol != PROTOCOL_VERSION {
        let message = format!(
            "{} speaks control protocol {}, {program} speaks {PROTOCOL_VERSION}: install the same \
            version of both",
            hello.program, hello.protocol
        );
        return client
            .send(&Reply::Refused(RequestRefusal { kind: RefusalKind::Version, message }))
            .await;
    }
    let read = timeout(REQUEST_LIMIT, client.read_request(policy)).await?;
    let (request, _place) = match read {
        Ok(request) => request,
        Err(ClientError::Full(full)) => {
            let refusal = RequestRefusal { kind: RefusalKind::Failed, message: full.to_string() };
            return client.send(&Reply::Refused(refusal)).await;
        }
        Err(
            error @ ClientError::Frame(
                FrameError::Malformed(_)
                | FrameError::TooLong { .. }
                | FrameError::TrailingBytes(_),
            ),
        ) => {
            let refusal = RequestRefusal { kind: RefusalKind::Usage, message: error.to_string() };
            return client.send(&Reply::Refused(refusal)).await;
        }
        Err(error) => return Err(error),
    };
    if !policy.access.allows(&request) {
        let words = if policy.access == Access::Search { SEARCHING_ONLY } else { LOOKING_ONLY };
        return client.send(&refused(RefusalKind::NotPermitted, words)).await;
    }
    let _served = match arrival.serve_within(TURN_LIMIT).await {
        Ok(place) => place,
        Err(full) => return client.send(&refused(RefusalKind::Failed, full.to_string())).await,
    };
    handle(request, &mut client, policy, services).await
}
