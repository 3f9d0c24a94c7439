//! The connections at the sockets where others come in. It owns their crowds, which the servers of
//! the sockets share.

use crate::control::server;
use crate::membership::Ended;
use crate::metrics::http;
use crate::subsystem::{Boxed, Page, Subsystem};
use memberd_control::message::StatusReport;
use memberd_control::socket::Access;
use memberd_transport::{Crowd, CrowdCounts, PeerServer};

/// The crowds at all listening sockets.
#[derive(Debug)]
pub struct Connections {
    /// Members, and strangers at their port.
    pub members: Crowd,
    /// Clients of the socket for all requests.
    pub control: Crowd,
    /// Clients of the read-only socket.
    pub control_read: Crowd,
    /// Clients of the socket for searches.
    pub control_search: Crowd,
    /// Scrapers of metrics.
    pub metrics: Crowd,
}

impl Connections {
    /// The crowds of sockets without connections.
    pub fn none() -> Self {
        Connections {
            members: PeerServer::crowd(),
            control: server::crowd(),
            control_read: server::crowd(),
            control_search: server::crowd(),
            metrics: http::crowd(),
        }
    }

    fn counts(&self) -> [(&'static str, CrowdCounts); 5] {
        [
            ("members", self.members.counts()),
            ("control", self.control.counts()),
            ("control_read", self.control_read.counts()),
            ("control_search", self.control_search.counts()),
            ("metrics", self.metrics.counts()),
        ]
    }
}

impl Subsystem for Connections {
    fn status<'t>(&'t self, _: &'t mut StatusReport, _: Access) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async { Ok(()) })
    }

    fn metrics<'t>(&'t self, page: &'t mut Page) -> Boxed<'t, Result<(), Ended>> {
        Box::pin(async move {
            let text = &mut page.text;
            let counts = self.counts();
            let mut open = text.gauge("memberd_connections", "Open connections, by socket.");
            for (socket, counts) in counts {
                open.labelled("socket", socket, counts.silent + counts.served);
            }
            let mut ended = text.counter(
                "memberd_connections_ended_total",
                "Silent connections that were ended to let others in.",
            );
            for (socket, counts) in counts {
                ended.labelled("socket", socket, counts.ended);
            }
            let mut refused = text.counter(
                "memberd_connections_refused_total",
                "Connections whose request found no place in time.",
            );
            for (socket, counts) in counts {
                refused.labelled("socket", socket, counts.refused);
            }
            Ok(())
        })
    }
}
