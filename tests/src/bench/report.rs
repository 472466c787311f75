//! The results for people.

use super::figures::{Row, Twins};

/// Prints the table, and what to think of it.
pub fn print(rows: &[Row], twins: &[Twins], remarks: &[String]) {
    println!(
        "{:<17}{:<11}{:>7}{:>9}{:>9}{:>9}{:>8}{:>10}{:>16}",
        "path", "hook", "flows", "net ns", "target", "C ns", "x C", "x empty", "matches/packet"
    );
    for row in rows {
        let flows = row.flows.map_or_else(String::new, |flows| flows.to_string());
        let (target, c_net) = (figure(row.target_ns, 1), figure(row.c_net_ns, 1));
        let ratio_to_c = figure(row.ratio_to_c, 2);
        let matches = if row.matches_per_packet == 0.0 { String::new() } else { row.matches_per_packet.to_string() };
        let end = if row.valid { "" } else { "  INVALID: the maps do not show the work" };
        print!("{:<17}{:<11}{flows:>7}{:>9.1}{target:>9}{c_net:>9}{ratio_to_c:>8}", row.id, row.hook, row.net_ns);
        println!("{:>10.2}{matches:>16}{end}", row.ratio_to_empty);
    }
    println!();
    for twins in twins {
        let (hook, percent) = (twins.hook.name(), twins.apart() * 100.0);
        println!("empty program at {hook}: {:.1} ns, its twin {percent:.1} % apart", twins.empty_ns);
    }
    println!("Net: least time of a packet less the empty program's, with its driver where there are flows.");
    println!("C: a plain C program with hash tables that does the path's basic work; measured in the same rounds.");
    println!("Its ratio on a path of a few ns is mostly noise.");
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

fn figure(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(String::new, |figure| format!("{figure:.digits$}"))
}
