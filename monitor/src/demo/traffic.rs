//! Traffic between the two pods of each tunnel, from the kernel's own TCP, UDP and ICMP.
//!
//! Each pod serves and asks, over IPv4 and IPv6 in turn, so that the watched node sees requests in both directions.
//! A failed request is expected under a fault: it is given up and the next one follows. About 5 Mbit/s in all.

pub(super) mod echo;
mod tcp;
mod udp;

use std::{net::SocketAddr, time::Duration};

use anyhow::Result;

use super::{
    topology::{Family, Node, Tunnel},
    worker::Workers,
};
use tcp::Load;

/// Short questions on short connections, so that handshakes occur.
const SMALL: Load = Load { answer_bytes: 100, pause: Duration::from_millis(200), requests: 5 };
/// Answers of many full-sized packets.
const MEDIUM: Load = Load { answer_bytes: 16 * 1024, pause: Duration::from_millis(500), requests: 10 };
/// 64 KiB ten times a second: 5.2 Mbit/s.
const BULK: Load = Load { answer_bytes: tcp::ANSWER_BYTES_MAX, pause: Duration::from_millis(100), requests: 600 };
/// The one tunnel with bulk traffic, downloaded by node 2, so that node 1 sends the data.
const BULK_VNI: u32 = 200;

/// Starts the servers of one pod; the caller's thread is in the pod's namespace.
pub(super) fn serve(workers: &mut Workers) -> Result<()> {
    let listener = tcp::listen()?;
    workers.spawn("tcp server", move |stop| tcp::serve(&listener, stop))?;
    let socket = udp::listen()?;
    workers.spawn("udp server", move |stop| udp::serve(&socket, stop))
}

/// Starts the clients of the pod on `node`; the caller's thread is in the pod's namespace.
pub(super) fn ask(workers: &mut Workers, tunnel: &Tunnel, node: Node) -> Result<()> {
    let peers = Family::BOTH.map(|family| tunnel.pod(node.peer(), family));
    let web = peers.map(|peer| SocketAddr::new(peer, tcp::PORT));
    workers.spawn("tcp small", move |stop| tcp::ask(web, &SMALL, stop))?;
    workers.spawn("tcp medium", move |stop| tcp::ask(web, &MEDIUM, stop))?;
    if tunnel.vni == BULK_VNI && node == Node::Two {
        workers.spawn("tcp bulk", move |stop| tcp::ask(web, &BULK, stop))?;
    }
    let datagram = peers.map(|peer| SocketAddr::new(peer, udp::PORT));
    workers.spawn("udp", move |stop| udp::ask(datagram, stop))?;
    workers.spawn("echo", move |stop| echo::ask(peers, stop))
}
