//! All metrics: names, kinds, labels and meanings. docs/metrics.md is made of this table, and a test compares them.

use std::fmt::Write;

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows, and begins at 0 when tunmon begins; with `--pin` it goes on.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Numbers of times by size.
    Histogram,
}

impl Kind {
    /// Its name in the exposition formats.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
pub struct Metric {
    /// Its name, of a counter with `_total`.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells, in one sentence.
    pub help: &'static str,
}

impl Metric {
    /// Its unit, which its name ends with.
    pub(super) fn unit(&self) -> &'static str {
        let name = self.family();
        ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(unit)).unwrap_or_default()
    }

    /// The name without `_total`, as OpenMetrics calls a counter's family.
    pub(super) fn family(&self) -> &'static str {
        self.name.strip_suffix("_total").unwrap_or(self.name)
    }
}

/// Declares each metric as a constant, and the table of all of them by headings.
macro_rules! catalogue {
    ($($heading:literal { $($id:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)* })*) => {
        $($(
            #[doc = $help]
            pub(super) static $id: Metric =
                Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };
        )*)*

        /// All metrics by heading.
        pub static ALL: &[(&str, &[&Metric])] = &[$(($heading, &[$(&$id),*])),*];
    };
}

catalogue! {
    "Round-trip times" {
        RTT = Histogram "tunmon_rtt_seconds" ["device", "vni", "leg", "method"]
            "Round-trip times of flows inside the tunnels of a virtual network, seen at this device: leg remote = underlay, \
             peer and its pod; local = this node's switch and pod.";
        PEER_RTT = Histogram "tunmon_peer_rtt_seconds" ["device", "peer", "peer_node", "leg", "method"]
            "The same by the other end of the tunnel.";
    }
    "Traffic" {
        RECEIVE_PACKETS = Counter "tunmon_receive_packets_total" ["device", "vni"]
            "Tunnel packets received, as they were on the wire.";
        RECEIVE_BYTES = Counter "tunmon_receive_bytes_total" ["device", "vni"]
            "Their bytes from the outer Ethernet header on, without FCS.";
        TRANSMIT_PACKETS = Counter "tunmon_transmit_packets_total" ["device", "vni"]
            "Tunnel packets transmitted, as they are on the wire.";
        TRANSMIT_BYTES = Counter "tunmon_transmit_bytes_total" ["device", "vni"]
            "Their bytes from the outer Ethernet header on, without FCS.";
        PEER_RECEIVE_PACKETS = Counter "tunmon_peer_receive_packets_total" ["device", "peer", "peer_node"]
            "Tunnel packets received from a peer.";
        PEER_RECEIVE_BYTES = Counter "tunmon_peer_receive_bytes_total" ["device", "peer", "peer_node"]
            "Their bytes.";
        PEER_TRANSMIT_PACKETS = Counter "tunmon_peer_transmit_packets_total" ["device", "peer", "peer_node"]
            "Tunnel packets transmitted to a peer.";
        PEER_TRANSMIT_BYTES = Counter "tunmon_peer_transmit_bytes_total" ["device", "peer", "peer_node"]
            "Their bytes.";
        TUNNEL_RECEIVE_PACKETS = Counter "tunmon_tunnel_receive_packets_total" ["device", "vni", "local", "peer"]
            "Tunnel packets received by one end (local) from the other (peer), for 1024 tunnels at most: what the fleet view \
             compares with the other node's.";
        TUNNEL_TRANSMIT_PACKETS = Counter "tunmon_tunnel_transmit_packets_total" ["device", "vni", "local", "peer"]
            "Tunnel packets transmitted by one end (local) to the other (peer).";
    }
    "MTU and fragments" {
        DEVICE_MTU = Gauge "tunmon_device_mtu_bytes" ["device"]
            "MTU of the device.";
        PATH_MTU = Gauge "tunmon_path_mtu_bytes" ["device", "peer", "peer_node"]
            "The least MTU that is known of the way to a peer: the device's, the route's, what the kernel has learned, what a \
             router has announced.";
        PEER_INNER_MTU = Gauge "tunmon_peer_inner_mtu_bytes" ["device", "peer", "peer_node"]
            "What pods may use to that peer: the path MTU less the most overhead that was seen.";
        INNER_MTU_SAFE = Gauge "tunmon_inner_mtu_safe_bytes" ["device", "family"]
            "What pods may use to all peers whose underlay is IPv4 or IPv6.";
        INNER_PACKET_MAX = Gauge "tunmon_inner_packet_max_bytes" ["device", "vni"]
            "Longest inner IP packet since the start.";
        PEER_OVERHEAD_MAX = Gauge "tunmon_peer_overhead_max_bytes" ["device", "peer", "peer_node"]
            "The most that tunnels to a peer have added to an inner packet since the start.";
        RECEIVE_FRAGMENTS = Counter "tunmon_receive_fragments_total" ["device", "vni"]
            "Outer fragments of tunnel packets received.";
        TRANSMIT_FRAGMENTS = Counter "tunmon_transmit_fragments_total" ["device", "vni"]
            "Outer fragments of tunnel packets transmitted.";
        RECEIVE_INNER_FRAGMENTS = Counter "tunmon_receive_inner_fragments_total" ["device", "vni"]
            "Tunnel packets received that carry a fragment.";
        TRANSMIT_INNER_FRAGMENTS = Counter "tunmon_transmit_inner_fragments_total" ["device", "vni"]
            "Tunnel packets transmitted that carry a fragment.";
        LATER_FRAGMENTS = Counter "tunmon_later_fragments_total" ["device", "outcome"]
            "Later outer fragments: attributed to a tunnel by their first one, or orphan.";
        REASSEMBLY_FAILURES = Counter "tunmon_reassembly_failures_total" ["device", "peer", "peer_node"]
            "Tunnel packets received in pieces that did not all come, as far as events of the pieces were reported (TM109).";
        DF_CLEAR = Counter "tunmon_df_clear_packets_total" ["device", "vni", "direction"]
            "Tunnel packets over IPv4 whose DF bit is clear: routers may cut them in silence.";
        TOO_BIG = Counter "tunmon_icmp_too_big_total" ["device", "peer", "peer_node", "scope"]
            "ICMP errors that say that a packet is too big: outer ones about tunnel packets, inner ones inside tunnels; as \
             far as they were reported within the limits on rates.";
    }
    "Integrity and drops" {
        SEEN = Counter "tunmon_packets_seen_total" ["device", "class"]
            "All packets that the device has seen, by what they are; the sum over class is exact.";
        MALFORMED = Counter "tunmon_malformed_packets_total" ["device", "reason"]
            "Packets to a tunnel port that are no whole tunnel packet.";
        ICMP_ERRORS = Counter "tunmon_icmp_errors_total" ["device", "peer", "peer_node", "type", "code"]
            "ICMP errors about tunnel packets, as far as they were reported within the limits on rates.";
        DROPS = Counter "tunmon_drops_total" ["device", "reason", "place"]
            "Tunnel packets of this host that its kernel has dropped or refused, by the kernel's reason and function, as far \
             as they were reported within the limits on rates.";
    }
    "Findings" {
        FINDINGS = Counter "tunmon_findings_total" ["device", "code", "severity"]
            "How often findings were raised.";
        FINDING_ACTIVE = Gauge "tunmon_finding_active" ["device", "code", "severity", "vni", "network", "peer", "peer_node"]
            "1 for each finding that is not over; from the 129th on they are told together.";
    }
    "Names" {
        VNI_INFO = Gauge "tunmon_vni_info" ["vni", "network", "kind", "source"]
            "1 for each virtual network that was seen and has a name.";
        PEER_INFO = Gauge "tunmon_peer_info" ["peer", "peer_node", "chassis", "source"]
            "1 for each peer that was seen and has a name.";
        LOCAL_INFO = Gauge "tunmon_local_info" ["local", "node"]
            "1 for each end of a tunnel on this node, with the node's name.";
        OVS_INFO = Gauge "tunmon_ovs_info" ["chassis", "encap_type", "encap_csum"]
            "1, with what this node's switch says of itself: its OVN chassis, its tunnels, whether OVN wants outer UDP checksums.";
        OVS_TUNNEL_UP = Gauge "tunmon_ovs_tunnel_up" ["interface", "peer", "peer_node"]
            "Whether this node's switch says that its tunnel's interface is up.";
        OVS_BFD_UP = Gauge "tunmon_ovs_bfd_up" ["interface", "peer", "peer_node"]
            "Whether this node's switch says that BFD is up, where it runs.";
        SOURCE_UP = Gauge "tunmon_source_up" ["source"]
            "Whether a source of names is there.";
        SOURCE_ENTRIES = Gauge "tunmon_source_entries" ["source"]
            "Nodes, networks and ports that it has told of.";
        SOURCE_SYNC = Gauge "tunmon_source_last_sync_timestamp_seconds" ["source"]
            "When what it tells was last known to be so.";
    }
    "tunmon itself" {
        BUILD = Gauge "tunmon_build_info" ["version"]
            "1.";
        ATTACHMENT = Gauge "tunmon_attachment_info" ["device", "ingress", "egress"]
            "1 for each device that is watched, with the hooks.";
        ATTACHED = Gauge "tunmon_attached" ["device"]
            "Whether the programs are attached to a device.";
        BLIND = Counter "tunmon_blind_seconds_total" ["device"]
            "The time in which a device was not watched.";
        EVENTS = Counter "tunmon_events_total" ["device", "kind", "outcome"]
            "Events by what became of them in the kernel: submitted, rate_limited, or lost because the ring was full; the sum \
             over outcome is those that were wanted.";
        EVENTS_READ = Counter "tunmon_events_read_total" ["device", "kind", "outcome"]
            "Events that were read: delivered, or decode_error.";
        OVERFLOW = Counter "tunmon_label_overflow_total" ["device", "label"]
            "VNIs and peers that have ever been counted in other, because there were too many.";
        SHARED_SAMPLES = Counter "tunmon_rtt_shared_samples_total" ["device"]
            "Round-trip times that are in no histogram of their own, because the kernel's table was full; they are in the \
             sums and not in the counts.";
        FLOWS_EVICTED = Counter "tunmon_flows_evicted_total" ["device"]
            "Flows that lost their entry to another before they were idle.";
        MAP_ENTRIES = Gauge "tunmon_map_entries" ["map"]
            "Entries in use of a table of the kernel.";
        MAP_MAX = Gauge "tunmon_map_max_entries" ["map"]
            "Entries that it has room for.";
        BPF_SECONDS = Counter "tunmon_bpf_run_seconds_total" ["direction"]
            "The time that the programs took, while the kernel measured it (kernel.bpf_stats_enabled).";
        BPF_RUNS = Counter "tunmon_bpf_runs_total" ["direction"]
            "Their runs, while the kernel measured them.";
        GATHER = Gauge "tunmon_scrape_duration_seconds" []
            "The time that it took to gather what is exported.";
        CPU = Counter "process_cpu_seconds_total" []
            "The time of processors that tunmon has used, in user space.";
        RSS = Gauge "process_resident_memory_bytes" []
            "Its memory, without the kernel's tables.";
        FDS = Gauge "process_open_fds" []
            "Its open files.";
        MAX_FDS = Gauge "process_max_fds" []
            "The most that it may open.";
        STARTED = Gauge "process_start_time_seconds" []
            "When it was started.";
    }
}

/// The page of all metrics.
pub fn markdown() -> String {
    let mut text = include_str!("preamble.md").to_owned();
    for (heading, metrics) in ALL {
        let _ = write!(text, "\n## {heading}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n");
        for metric in *metrics {
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, kind) = (metric.name, metric.kind.name());
            let _ = writeln!(text, "| `{name}` | {kind} | {} | {} |", labels.join(", "), metric.help);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `TUNMON_WRITE_DOCS=1 cargo test -p monitor metrics` writes it.
    #[test]
    fn the_page_of_metrics_is_what_the_code_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
        if std::env::var_os("TUNMON_WRITE_DOCS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(path).unwrap();
        assert!(page == markdown(), "write docs/metrics.md anew: TUNMON_WRITE_DOCS=1 cargo test -p monitor metrics");
    }

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for metric in ALL.iter().flat_map(|(_, metrics)| *metrics) {
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{}", metric.name);
            let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(is_plain(metric.name) && metric.labels.iter().all(|label| is_plain(label)), "{}", metric.name);
        }
    }
}
