//! What watching cost, as text.

use super::units::time;
use crate::snapshot::Overhead;

/// A line of what watching cost, on all devices together; two when the kernel measured nothing.
pub(crate) fn text(overhead: &Overhead) -> String {
    let daemon = format!("{} of a core in tunmon", percent(overhead.daemon.core_share));
    let Some(bpf) = &overhead.bpf else {
        return format!(
            "overhead {daemon}; in the kernel not measured:\n         \
             sysctl kernel.bpf_stats_enabled=1 turns it on (2 clock reads a packet)\n"
        );
    };
    let runs = bpf.ingress.runs + bpf.egress.runs;
    let share = percent(bpf.ingress.core_share + bpf.egress.core_share);
    let each = (bpf.ingress.run_seconds + bpf.egress.run_seconds) / runs.max(1) as f64;
    let each = if runs == 0 { "no packets".to_owned() } else { format!("{} a packet", time(each)) };
    format!("overhead {each}, {share} of a core in the kernel; {daemon}\n")
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Bpf, Daemon, HookCost};

    fn overhead(runs: u64) -> Overhead {
        let hook = |runs: u64, core_share| HookCost {
            runs,
            run_seconds: runs as f64 * 4e-8,
            seconds_per_run: (runs != 0).then_some(4e-8),
            core_share,
        };
        let (ingress, egress) = (hook(runs, 0.004), hook(3 * runs, 0.012));
        Overhead { daemon: Daemon { core_share: 0.0011 }, bpf: Some(Bpf { measured_seconds: 2.0, ingress, egress }) }
    }

    #[test]
    fn both_directions_are_one_figure() {
        let line = "overhead 40ns a packet, 1.60 % of a core in the kernel; 0.11 % of a core in tunmon\n";
        assert_eq!(text(&overhead(100)), line);
        assert!(text(&overhead(0)).starts_with("overhead no packets, "), "{}", text(&overhead(0)));
    }

    #[test]
    fn without_statistics_it_says_how_to_turn_them_on() {
        let text = text(&Overhead { bpf: None, ..overhead(1) });
        assert!(text.contains("sysctl kernel.bpf_stats_enabled=1"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }
}
