//! Binds the sockets of the daemon. A [`Bound`] owns them until its servers do.

use crate::config::Config;
use crate::control::socket::Sockets;
use anyhow::{Context as _, anyhow};
use memberd_transport::listen;
use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, UdpSocket};

/// The sockets that are bound before the daemon is ready.
pub(super) struct Bound {
    pub(super) udp: UdpSocket,
    pub(super) tcp: TcpListener,
    pub(super) control: Sockets,
    pub(super) metrics: Option<TcpListener>,
}

impl Bound {
    /// Binds them.
    ///
    /// # Errors
    /// When an address is in use, or is not one of this machine.
    pub(super) async fn bind(config: &Config) -> anyhow::Result<Bound> {
        let address = SocketAddr::new(config.bind, config.address.port());
        let in_use = |error: io::Error, protocol: &str| match error.kind() {
            io::ErrorKind::AddrInUse => anyhow!(
                "{protocol} port {address} is in use, by another memberd perhaps: stop it, or set \
                node.port"
            ),
            io::ErrorKind::AddrNotAvailable => anyhow!(
                "{} is not an address of this machine, or not yet: assign it, or set node.address \
                (node.bind where addresses are translated)",
                address.ip()
            ),
            _ => anyhow!(error).context(format!("cannot bind {protocol} {address}")),
        };
        let udp = UdpSocket::bind(address).await.map_err(|error| in_use(error, "UDP"))?;
        let tcp = listen(address).map_err(|error| in_use(error, "TCP"))?;
        let metrics = match config.metrics {
            Some(at) => Some(
                listen(at)
                    .with_context(|| format!("cannot serve metrics at {at}: set metrics.listen"))?,
            ),
            None => None,
        };
        let control = Sockets::open(&config.control_socket, &config.search)?;
        Ok(Bound { udp, tcp, control, metrics })
    }
}
