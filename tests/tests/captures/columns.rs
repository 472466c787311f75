//! The columns of tshark's tables beside the fields of `tunmon.packet/v1`, both as text; "" is absent.

use std::collections::HashMap;

use serde_json::Value;

/// A row of a table by its columns' names.
pub(crate) type Row<'a> = HashMap<&'a str, &'a str>;

/// Column, what the table says, what the line says.
pub(crate) type Pair = (&'static str, String, String);

/// Everything that both say about one frame. `first` is the line of the capture's first frame.
pub(crate) fn compared(row: &Row<'_>, line: &Value, first: &Value) -> Vec<Pair> {
    let mut pairs = frame(row, line, first);
    pairs.extend(outer(row, line));
    pairs.extend(geneve(row, line));
    pairs.extend(inner(row, line));
    pairs.extend(transport(row, line));
    pairs
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => u8::from(*flag).to_string(),
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A number in as many hexadecimal digits as tshark prints.
fn hex(value: &Value, digits: usize) -> String {
    value.as_u64().map_or_else(String::new, |number| format!("0x{number:0digits$x}"))
}

fn pair(row: &Row<'_>, column: &'static str, ours: String) -> Pair {
    (column, row[column].to_owned(), ours)
}

fn frame(row: &Row<'_>, line: &Value, first: &Value) -> Vec<Pair> {
    let time = |line: &Value| line["ts_ns"].as_i64().expect("a frame has a time");
    let ours = (time(line) - time(first)) as f64 / 1000.0;
    let theirs: f64 = row["time_rel_us"].parse().expect("a table has times");
    // The table's times went through a binary fraction of seconds.
    let is_close = (ours - theirs).abs() < 1.5;
    vec![
        ("class", class(row), text(&line["class"])),
        ("time_rel_us", theirs.to_string(), if is_close { theirs } else { ours }.to_string()),
        pair(row, "frame", text(&line["frame"])),
        pair(row, "len", text(&line["length_bytes"])),
        pair(row, "caplen", text(&line["captured_bytes"])),
    ]
}

/// The class that the table's `kind` and Geneve columns amount to.
fn class(row: &Row<'_>) -> String {
    let class = match row["kind"] {
        "geneve" | "geneve_frag_first" if row["gnv_ver"] != "0" => "malformed",
        "geneve" | "geneve_frag_first" if row["gnv_oam"] == "1" => "geneve_control",
        "geneve" | "geneve_frag_first" if !["0x6558", "0x0800", "0x86dd"].contains(&row["gnv_ptype"]) => {
            "geneve_opaque"
        }
        "geneve" | "geneve_frag_first" => "geneve",
        "frag_later" => "fragment",
        "icmp_quoting_geneve" => "icmp_error",
        _ => "other",
    };
    class.to_owned()
}

fn last(vlans: &Value) -> String {
    vlans.as_array().and_then(|ids| ids.last()).map_or_else(String::new, text)
}

fn is_v6(ip: &Value) -> bool {
    ip["src"].as_str().is_some_and(|address| address.contains(':'))
}

/// tshark's length of an IPv6 packet leaves the 40 bytes of its header out.
fn ip_length(ip: &Value) -> String {
    let header = if is_v6(ip) { 40 } else { 0 };
    ip["ip_length_bytes"].as_u64().map_or_else(String::new, |length| (length - header).to_string())
}

/// More-fragments flag and offset in units of 8 bytes: in every IPv4 header, in an IPv6 packet's fragment header.
fn fragment(ip: &Value) -> (String, String) {
    let fragment = &ip["fragment"];
    if fragment.is_null() && (is_v6(ip) || ip["src"].is_null()) {
        return (String::new(), String::new());
    }
    let units = fragment["offset_bytes"].as_u64().unwrap_or(0) / 8;
    (u8::from(fragment["more"] == true).to_string(), units.to_string())
}

fn outer(row: &Row<'_>, line: &Value) -> Vec<Pair> {
    let outer = &line["outer"];
    let (more, offset) = fragment(outer);
    let is_zero = |sum: &str| if sum.is_empty() { String::new() } else { u8::from(sum == "0x0000").to_string() };
    vec![
        pair(row, "vlan", last(&outer["vlans"])),
        pair(row, "o_src", text(&outer["src"])),
        pair(row, "o_dst", text(&outer["dst"])),
        pair(row, "o_ttl", text(&outer["ttl"])),
        pair(row, "o_ipid", hex(&outer["id"], if is_v6(outer) { 8 } else { 4 })),
        pair(row, "o_df", text(&outer["df"])),
        pair(row, "o_mf", more),
        pair(row, "o_fragoff", offset),
        pair(row, "o_iplen", ip_length(outer)),
        pair(row, "o_proto", text(&outer["protocol"])),
        pair(row, "o_sport", text(&outer["src_port"])),
        pair(row, "o_dport", text(&outer["dst_port"])),
        pair(row, "o_udplen", text(&outer["udp_length_bytes"])),
        ("o_udpcsum", is_zero(row["o_udpcsum"]), text(&outer["checksum_zero"])),
    ]
}

fn geneve(row: &Row<'_>, line: &Value) -> Vec<Pair> {
    let geneve = &line["geneve"];
    let options = geneve["options"].as_array().map(Vec::as_slice).unwrap_or_default();
    let list = |value: fn(&Value) -> String| options.iter().map(value).collect::<Vec<_>>().join(";");
    let length = |option: &Value| (4 + text(&option["data"]).len() / 2).to_string();
    vec![
        pair(row, "gnv_ver", text(&geneve["version"])),
        pair(row, "gnv_oam", text(&geneve["control"])),
        pair(row, "gnv_crit", text(&geneve["critical"])),
        pair(row, "gnv_ptype", text(&geneve["protocol"])),
        pair(row, "vni", hex(&geneve["vni"], 6)),
        pair(row, "optbytes", text(&geneve["options_bytes"])),
        pair(row, "opt_class", list(|option| text(&option["class"]))),
        pair(row, "opt_type", list(|option| text(&option["type"]))),
        pair(row, "opt_len", list(length)),
        pair(row, "opt_data", list(|option| text(&option["data"]))),
    ]
}

fn inner(row: &Row<'_>, line: &Value) -> Vec<Pair> {
    let inner = &line["inner"];
    let (more, offset) = fragment(inner);
    vec![
        pair(row, "i_esrc", text(&inner["src_mac"])),
        pair(row, "i_edst", text(&inner["dst_mac"])),
        pair(row, "i_vlan", last(&inner["vlans"])),
        pair(row, "i_src", text(&inner["src"])),
        pair(row, "i_dst", text(&inner["dst"])),
        ("i_proto", protocol(row), text(&inner["protocol"])),
        pair(row, "i_len", ip_length(inner)),
        pair(row, "i_df", text(&inner["df"])),
        pair(row, "i_mf", more),
        pair(row, "i_fragoff", offset),
        pair(row, "i_sport", text(&inner["src_port"])),
        pair(row, "i_dport", text(&inner["dst_port"])),
    ]
}

/// The protocol behind the extension headers; the table has IPv6's first next header, and the names of the layers.
fn protocol(row: &Row<'_>) -> String {
    let is_extension = ["0", "43", "44", "60"].contains(&row["i_proto"]) && row["i_src"].contains(':');
    let is_icmp = row["protocols"].split(':').any(|layer| layer == "icmpv6");
    if is_extension && is_icmp { "58" } else { row["i_proto"] }.to_owned()
}

fn transport(row: &Row<'_>, line: &Value) -> Vec<Pair> {
    let (inner, tcp) = (&line["inner"], &line["inner"]["tcp"]);
    let flags = tcp["flags"].as_str().map_or_else(String::new, |flags| flags.replacen("0x", "0x0", 1));
    let bfd = match inner["bfd"]["state"].as_str() {
        None => "",
        Some("admin_down") => "0x00",
        Some("down") => "0x01",
        Some("init") => "0x02",
        Some(_) => "0x03",
    };
    let mut pairs = vec![
        pair(row, "tcp_flags", flags),
        pair(row, "tcp_seq", text(&tcp["seq"])),
        pair(row, "tcp_ack", text(&tcp["ack"])),
        pair(row, "tcp_len", text(&tcp["payload_bytes"])),
        pair(row, "tsval", text(&tcp["tsval"])),
        pair(row, "tsecr", text(&tcp["tsecr"])),
        pair(row, "arp_op", text(&inner["arp"]["operation"])),
        pair(row, "bfd_state", bfd.to_owned()),
    ];
    let carrier = if inner["icmp"].is_null() { &line["outer"] } else { inner };
    let icmp = &carrier["icmp"];
    pairs.push(pair(row, "icmp_type", text(&icmp["type"])));
    // Of ICMPv6 the table has the type only.
    if !is_v6(carrier) {
        pairs.push(pair(row, "icmp_code", text(&icmp["code"])));
        pairs.push(pair(row, "icmp_seq", text(&icmp["sequence"])));
        pairs.push(pair(row, "icmp_mtu", text(&icmp["mtu_bytes"])));
    }
    pairs
}
