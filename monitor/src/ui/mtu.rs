//! The table of `tunmon mtu`; at most 110 columns.

use std::fmt::Write;
use std::net::IpAddr;

use super::path::{overhead, path_with_end, size};
use crate::export::mtu::{Mtu, Network};
use crate::snapshot::{Parts, Sizes, Snapshot};

/// What stands above the columns.
const HEAD: &str =
    "             PEER   OVERH DEVICE  PATH                   RX OUTER  INNER  TX OUTER  INNER  POD MTU UNUSED";

/// The peers of a device; with the networks of the one that was asked about.
pub(crate) fn text(snapshot: &Snapshot, rows: &[Mtu<'_>], asked: Option<IpAddr>) -> String {
    let mut text = title(snapshot);
    if rows.is_empty() {
        let _ = writeln!(text, "no tunnel packets were seen");
        return text;
    }
    let _ = writeln!(text, "{HEAD}");
    let (mut parts, mut least) = (Vec::new(), None);
    for row in rows {
        peer(&mut text, row);
        note(&mut parts, &row.sizes);
        for network in row.vnis.iter().filter(|_| asked.is_some()) {
            vni(&mut text, network);
            note(&mut parts, &network.share.sizes);
        }
        least = least.into_iter().chain(row.path.recommended_inner_mtu_bytes).min();
    }
    for parts in parts {
        let _ = writeln!(text, "overhead {parts}");
    }
    if let (Some(mtu), 2..) = (least, rows.len()) {
        let _ = writeln!(text, "packets of up to {mtu} bytes reach all of these peers");
    }
    text
}

/// That a peer was not seen, and what its route says.
pub(crate) fn unseen(snapshot: &Snapshot, row: &Mtu<'_>) -> String {
    let mut text = title(snapshot);
    let _ = writeln!(text, "no tunnel packet to or from {} was seen", row.peer);
    match &row.path.route {
        Some(_) => {
            let [path, device] = [path_with_end(&row.path), size(row.device_mtu_bytes)];
            let _ = writeln!(text, "the way to it takes {path}; MTU of the device {device}");
        }
        None => {
            let _ = writeln!(text, "this host has no route to it");
        }
    }
    text
}

fn title(snapshot: &Snapshot) -> String {
    let title = format!("--- tunmon mtu: {}, {:.1} s ", snapshot.device, snapshot.interval_seconds);
    format!("{title:-<105}\n")
}

fn peer(text: &mut String, row: &Mtu<'_>) {
    let name = row.peer.to_string();
    if name.len() > 17 {
        let _ = writeln!(text, "{name}");
    }
    let name = if name.len() > 17 { "" } else { &name };
    let path = [size(row.device_mtu_bytes), path_with_end(&row.path)];
    let left = [row.path.recommended_inner_mtu_bytes, row.path.unused_inner_bytes];
    line(text, name, &row.sizes, &path, left);
}

fn vni(text: &mut String, network: &Network) {
    let left = [network.recommended_inner_mtu_bytes, network.unused_inner_bytes];
    line(text, &format!("VNI {}", network.share.vni), &network.share.sizes, &Default::default(), left);
}

fn line(text: &mut String, name: &str, sizes: &Sizes, [device, path]: &[String; 2], left: [Option<u32>; 2]) {
    let [rx_outer, rx_inner] = [sizes.rx_outer_length_max_bytes, sizes.rx_inner_length_max_bytes].map(size);
    let [tx_outer, tx_inner] = [sizes.tx_outer_length_max_bytes, sizes.tx_inner_length_max_bytes].map(size);
    let [mtu, unused] = left.map(size);
    let _ = write!(text, "{name:>17} {:>7} {device:>6}  {path:<22} ", overhead(sizes));
    let _ = writeln!(text, "{rx_outer:>8} {rx_inner:>6} {tx_outer:>9} {tx_inner:>6} {mtu:>8} {unused:>6}");
}

/// Notes what an overhead consists of, each only once.
fn note(all: &mut Vec<Parts>, sizes: &Sizes) {
    all.extend(sizes.overhead_parts.filter(|parts| !all.contains(parts)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Path;

    #[test]
    fn lines_are_as_wide_as_their_head_and_no_wider_than_the_screen() {
        let sizes = Sizes { overhead_min_bytes: Some(50), overhead_max_bytes: Some(58), ..Sizes::default() };
        let row = |peer: &str| Mtu {
            interval_seconds: 5.0,
            device: "eth0",
            device_mtu_bytes: Some(1500),
            peer: peer.parse().unwrap(),
            seen: true,
            traffic: Default::default(),
            sizes,
            path: Path::new(Some(1500), None, Some(1400), Some(1500)).with(&sizes),
            vnis: Vec::new(),
        };
        let mut text = String::new();
        peer(&mut text, &row("192.0.2.2"));
        peer(&mut text, &row("2001:db8:1111:2222:3333:4444:5555:6666"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!((lines[0].len(), HEAD.len()), (105, 105), "{}", lines[0]);
        assert!(lines[0].contains("50-58   1500  1400<1500 icmp "), "{}", lines[0]);
        assert!(lines[0].ends_with("1342      -"), "{}", lines[0]);
        assert_eq!(lines[2].trim_start(), lines[0].trim_start().trim_start_matches("192.0.2.2").trim_start());
    }
}
