//! The demo's own tunnel endpoint, for kernels without Geneve devices: one thread a node.
//!
//! ```text
//!   pod eth0 (TAP) ──read──▶ header + frame ──UDP, 4 source ports──▶ peer:6081
//!   pod eth0 (TAP) ◀─write── frame of the VNI ◀──strip── UDP :6081
//! ```
//!
//! Pods' devices are in the pods' namespaces, sockets in the node's. DF is set, as real tunnel endpoints do.

use std::{
    fs::File,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read, Write},
    net::{SocketAddr, UdpSocket},
    os::fd::AsFd,
};

use anyhow::{Context, Result};

use super::{
    geneve,
    netns::Namespace,
    oversize::Switch,
    sys,
    tap::FRAME_BYTES_MAX,
    topology::{Family, GENEVE_PORT, Node, TUNNELS, UNDERLAY_MTU_BYTES},
    worker::{STOP_CHECK, Stop},
};

/// Flows are spread over so many source ports for each IP version of the underlay.
const SOURCE_PORTS: usize = 4;

/// The tunnel endpoint of one node.
pub(super) struct Encapsulator {
    pods: [Pod; TUNNELS.len()],
    v4: Underlay,
    v6: Underlay,
    /// Where packets go that are too long, if that is the fault.
    switch: Option<Switch>,
}

/// A pod's cable, and the buffer that begins with the Geneve header of its tunnel.
struct Pod {
    tap: File,
    header_bytes: usize,
    packet: Vec<u8>,
}

/// The node's sockets of one IP version.
struct Underlay {
    receive: UdpSocket,
    send: [UdpSocket; SOURCE_PORTS],
    peer: SocketAddr,
}

impl Encapsulator {
    /// Opens the sockets in the caller's namespace, which is that of `node`, and makes its pods' devices.
    /// With `is_too_large`, pods have the MTU of `eth0`.
    pub(super) fn open(node: Node, pods: &[Namespace; TUNNELS.len()], is_too_large: bool) -> Result<Self> {
        let [a, b, c] = [0, 1, 2].map(|index| Pod::open(node, index, &pods[index], is_too_large));
        let switch = if is_too_large { Some(Switch::open("eth0")?) } else { None };
        let [v4, v6] = Family::BOTH.map(|family| Underlay::open(node, family));
        Ok(Self { pods: [a?, b?, c?], v4: v4?, v6: v6?, switch })
    }

    pub(super) fn run(mut self, stop: &Stop) -> io::Result<()> {
        let mut buffer = [0; FRAME_BYTES_MAX];
        while !stop.is_stopped() {
            let [a, b, c] = self.pods.each_ref().map(|pod| pod.tap.as_fd());
            let sockets = [self.v4.receive.as_fd(), self.v6.receive.as_fd()];
            let [pod_a, pod_b, pod_c, v4, v6] = sys::wait_readable([a, b, c, sockets[0], sockets[1]], STOP_CHECK)?;
            for (index, readable) in [pod_a, pod_b, pod_c].into_iter().enumerate() {
                if readable {
                    self.encapsulate(index)?;
                }
            }
            for (underlay, readable) in [(&self.v4, v4), (&self.v6, v6)] {
                if readable {
                    self.decapsulate(underlay, &mut buffer);
                }
            }
        }
        Ok(())
    }

    fn encapsulate(&mut self, index: usize) -> io::Result<()> {
        let pod = &mut self.pods[index];
        let frame_bytes = pod.tap.read(&mut pod.packet[pod.header_bytes..])?;
        let packet = &pod.packet[..pod.header_bytes + frame_bytes];
        let underlay = match TUNNELS[index].outer {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        let socket = &underlay.send[flow_hash(&packet[pod.header_bytes..]) % SOURCE_PORTS];
        // A packet that the underlay refuses (too big, no route) is lost, as in any tunnel endpoint.
        let sent = socket.send_to(packet, underlay.peer);
        if let (Err(error), Some(switch)) = (sent, &self.switch)
            && error.raw_os_error() == Some(libc::EMSGSIZE)
        {
            switch.send(socket.local_addr()?, underlay.peer, packet);
        }
        Ok(())
    }

    fn decapsulate(&self, underlay: &Underlay, buffer: &mut [u8]) {
        // An error here belongs to an earlier packet (ICMP), or a bad checksum emptied the queue after the poll.
        let Ok(length_bytes) = underlay.receive.recv(buffer) else { return };
        let Some((vni, frame)) = geneve::strip(&buffer[..length_bytes]) else { return };
        if let Some(index) = TUNNELS.iter().position(|tunnel| tunnel.vni == vni) {
            // A pod device that is down refuses the frame: then it is lost.
            drop((&self.pods[index].tap).write(frame));
        }
    }
}

impl Pod {
    fn open(node: Node, index: usize, namespace: &Namespace, is_too_large: bool) -> Result<Self> {
        let tunnel = &TUNNELS[index];
        let mtu_bytes = if is_too_large { UNDERLAY_MTU_BYTES } else { tunnel.mtu_bytes };
        let tap = namespace.tap("eth0", mtu_bytes, &tunnel.pod_prefixes(node))?;
        let mut packet = geneve::header(tunnel, node);
        let header_bytes = packet.len();
        packet.resize(FRAME_BYTES_MAX, 0);
        Ok(Self { tap, header_bytes, packet })
    }
}

impl Underlay {
    fn open(node: Node, family: Family) -> Result<Self> {
        let local = node.underlay(family);
        let bind = |port| UdpSocket::bind((local, port)).with_context(|| format!("binding UDP {local} port {port}"));
        let receive = bind(GENEVE_PORT)?;
        receive.set_nonblocking(true).with_context(|| format!("the socket of UDP {local} port {GENEVE_PORT}"))?;
        let send = [bind(0)?, bind(0)?, bind(0)?, bind(0)?];
        for socket in &send {
            sys::forbid_fragments(socket.as_fd(), family).with_context(|| format!("setting DF on UDP {local}"))?;
        }
        Ok(Self { receive, send, peer: SocketAddr::new(node.peer().underlay(family), GENEVE_PORT) })
    }
}

/// Equal for the packets of one inner flow: addresses, protocol and, with TCP and UDP, ports.
fn flow_hash(frame: &[u8]) -> usize {
    let (protocol, addresses, ports) = match frame.get(12..14) {
        Some([0x08, 0x00]) => (frame.get(23), frame.get(26..34), frame.get(34..38)),
        Some([0x86, 0xdd]) => (frame.get(20), frame.get(22..54), frame.get(54..58)),
        _ => (None, frame.get(..12), None),
    };
    let ports = ports.filter(|_| matches!(protocol, Some(6 | 17)));
    let mut hasher = DefaultHasher::new();
    (protocol, addresses, ports).hash(&mut hasher);
    hasher.finish() as usize
}
