//! The results for people.

use super::figures::{Row, Twins};

/// Prints the table, and what to think of it.
pub fn print(rows: &[Row], twins: &[Twins], remarks: &[String]) {
    let width = rows.iter().map(|row| row.id.len()).max().unwrap_or(0);
    println!(
        "{:<width$} {:<9} {:>6}{:>8}{:>8}{:>8}{:>7}{:>9}{:>7}{:>8}{:>9}",
        "path", "hook", "flows", "net ns", "target", "C ns", "x C", "x empty", "insns", "helpers", "matches"
    );
    for row in rows {
        let (target, c_net, ratio_to_c) =
            (figure(row.target_ns, 1), figure(row.c_net_ns, 1), figure(row.ratio_to_c, 2));
        let (instructions, helpers) = (number(row.instructions), number(row.helper_calls));
        let matches = row.matches_per_packet.filter(|matches| *matches != 0.0);
        let matches = matches.map_or_else(String::new, |matches| matches.to_string());
        let end = if row.valid == Some(false) { "  INVALID: the maps do not show the work" } else { "" };
        print!("{:<width$} {:<9} {:>6}{:>8.1}{target:>8}{c_net:>8}", row.id, row.hook, row.flows, row.net_ns);
        println!("{ratio_to_c:>7}{:>9.2}{instructions:>7}{helpers:>8}{matches:>9}{end}", row.ratio_to_empty);
    }
    println!();
    for twins in twins {
        let (hook, percent) = (twins.hook.name(), twins.apart() * 100.0);
        println!("empty program at {hook}: {:.1} ns, its twin {percent:.1} % apart", twins.empty_ns);
    }
    println!("Net: least time of a packet less the empty program's, with its driver on the paths rtt_*.");
    println!("C: a plain C program with hash tables that does the path's basic work; measured in the same rounds.");
    println!("Its ratio on a path of a few ns is mostly noise.");
    println!("Insns, helpers: executed instructions of the bytecode, calls of helpers without look-ups; exact.");
    println!("Targets are for a machine whose empty XDP program takes 10 ns.");
    println!("Where the kernel puts a program moves its figure by some ns from run to run: compare several runs.");
    println!("Test runs without a network card, with warm caches, often in a VM: a packet from the wire costs more.");
    end(remarks, twins);
}

/// Prints what stands between the figures and the truth.
pub fn end(remarks: &[String], twins: &[Twins]) {
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

fn number(number: Option<u64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}
