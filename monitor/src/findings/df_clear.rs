//! TM106: tunnel packets may be fragmented, and they are: that DF is clear is what lets it happen in silence.

use serde::Serialize;

use super::{Hit, Rule, Severity, direction, value};
use crate::snapshot::{Snapshot, Tunnel};

/// The rule.
pub(super) const RULE: Rule = Rule {
    code: "TM106",
    kind: "outer_df_clear",
    severity: Severity::Info,
    page: include_str!("../../../docs/findings/TM106.md"),
    judge,
};

#[derive(Serialize)]
struct Evidence {
    direction: &'static str,
    outer_fragments: u64,
    rx_df_clear_packets: u64,
    rx_packets: u64,
    tx_df_clear_packets: u64,
    tx_packets: u64,
}

/// Clear by itself it is a matter of configuration, such as the default of a plain Geneve device.
fn judge(snapshot: &Snapshot) -> Vec<Hit> {
    let is_cut = |tunnel: &&Tunnel| tunnel.cut_in_silence() != [0, 0];
    snapshot.evidence.tunnels.iter().filter(is_cut).map(hit).collect()
}

fn hit(tunnel: &Tunnel) -> Hit {
    let [rx, tx] = tunnel.cut_in_silence();
    let direction = direction(rx, tx);
    let who = match direction {
        "rx" => tunnel.peer.to_string(),
        "tx" => "this node".to_owned(),
        _ => format!("{} and this node", tunnel.peer),
    };
    Hit {
        vni: Some(tunnel.vni),
        peer: Some(tunnel.peer),
        count: rx + tx,
        cause: format!("{who} sends tunnel packets without DF, so routers cut them and nobody learns of it"),
        fix:
            "ovs-vsctl remove open . external_ids ovn-encap-df_default, or set options:df_default=true of the tunnel's \
              interface"
                .to_owned(),
        test: format!("tcpdump -vni DEVICE 'host {} and udp port 6081' shows flags [DF] or [none]", tunnel.peer),
        evidence: value(&Evidence {
            direction,
            outer_fragments: rx + tx,
            rx_df_clear_packets: tunnel.rx.df_clear,
            rx_packets: tunnel.rx.packets,
            tx_df_clear_packets: tunnel.tx.df_clear,
            tx_packets: tunnel.tx.packets,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::testing;

    #[test]
    fn it_is_told_only_where_packets_are_cut() {
        let mut snapshot = testing::healthy();
        snapshot.evidence.tunnels[0].rx.df_clear = 9;
        assert_eq!(judge(&snapshot), []);
        snapshot.evidence.tunnels[0].tx.outer_fragments = 4;
        assert_eq!(judge(&snapshot), [], "those are sent with DF");
        snapshot.evidence.tunnels[0].rx.outer_fragments = 2;
        let [hit] = judge(&snapshot).try_into().unwrap();
        assert_eq!((&hit.evidence["direction"], hit.count), (&"rx".into(), 2));
        assert_eq!((&hit.evidence["rx_df_clear_packets"], &hit.evidence["rx_packets"]), (&9.into(), &100.into()));
    }
}
