//! The results for people.

use super::figures::{Row, Twins};

/// Prints the table, and what to think of it.
pub fn print(rows: &[Row], twins: &[Twins], remarks: &[String]) {
    println!(
        "{:<17}{:<11}{:>7}{:>10}{:>10}{:>13}{:>15}",
        "path", "hook", "flows", "net ns", "target", "x empty", "matches/packet"
    );
    for row in rows {
        let flows = row.flows.map_or_else(String::new, |flows| flows.to_string());
        let target = row.target_ns.map_or_else(String::new, |target| format!("{target:.1}"));
        let matches = if row.matches_per_packet == 0.0 { String::new() } else { row.matches_per_packet.to_string() };
        let end = if row.valid { "" } else { "  INVALID: the maps do not show the work" };
        let (net, ratio) = (row.net_ns, row.ratio_to_empty);
        println!("{:<17}{:<11}{flows:>7}{net:>10.1}{target:>10}{ratio:>13.2}{matches:>15}{end}", row.id, row.hook);
    }
    println!();
    for twins in twins {
        let (hook, percent) = (twins.hook.name(), twins.apart() * 100.0);
        println!("empty program at {hook}: {:.1} ns, its twin {percent:.1} % apart", twins.empty_ns);
    }
    println!("Net: least time of a packet less the empty program's, with its driver where there are flows.");
    println!("Targets are for a machine whose empty XDP program takes 10 ns.");
    println!("Where the kernel puts a program moves its figure by some ns from run to run: compare several runs.");
    println!("Test runs without a network card, with warm caches, often in a VM: a packet from the wire costs more.");
    for remark in remarks {
        println!("{remark}");
    }
    if twins.iter().any(Twins::is_void) {
        println!("VOID: the empty program and its twin are more than 3 % apart. Run it again on a quieter machine.");
    }
}
