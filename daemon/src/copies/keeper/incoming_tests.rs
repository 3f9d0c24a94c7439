use super::*;
use std::net::SocketAddr;

fn peers(peers: &[(&str, &str)]) -> Peers {
    let peer = |(name, address): &(&str, &str)| Peer {
        name: Name::new(name).unwrap(),
        address: address.parse::<SocketAddr>().unwrap(),
        zone: None,
    };
    Some(Arc::new(peers.iter().map(peer).collect()))
}

#[tokio::test]
async fn a_source_writes_only_from_its_own_address() {
    let (jobs, _taken) = mpsc::channel(1);
    let known_peers = peers(&[("vm1", "10.0.0.1:7"), ("vm2", "10.0.0.2:7"), ("vm3", "10.0.0.2:8")]);
    let (_sender, watched) = watch::channel(known_peers);
    let incoming = Incoming::new(jobs, watched);
    let at = |address: &str| address.parse::<IpAddr>().unwrap();
    let vm1 = Name::new("vm1").unwrap();
    assert!(incoming.check(&vm1, at("10.0.0.1")).await.is_ok());
    assert!(incoming.check(&vm1, at("10.0.0.2")).await.is_err());
    let most = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map(|address| incoming.most_of(at(address)));
    assert_eq!(most, [2, 4, 2]);
}
