//! The host's own counters of fragments and of its Geneve devices, of the network namespace of the calling thread.

use std::fs;

use crate::netlink::Route;
use crate::snapshot::Host;

/// Reads them time after time.
pub(super) struct Counters(Host);

impl Counters {
    /// Begins now.
    pub(super) fn new(route: &mut Route) -> Self {
        Self(read(route, Host::default()))
    }

    /// What was added since the last call.
    pub(super) fn interval(&mut self, route: &mut Route) -> Host {
        let (before, now) = (self.0, read(route, self.0));
        self.0 = now;
        Host {
            reassembly_failures: now.reassembly_failures.saturating_sub(before.reassembly_failures),
            reassembly_timeouts: now.reassembly_timeouts.saturating_sub(before.reassembly_timeouts),
            reassembled: now.reassembled.saturating_sub(before.reassembled),
            fragmentation_failures: now.fragmentation_failures.saturating_sub(before.fragmentation_failures),
            geneve_errors: now.geneve_errors.saturating_sub(before.geneve_errors),
        }
    }
}

/// The counters now; what cannot be read for once is as it was `before`, so that nothing seems to be added later.
fn read(route: &mut Route, before: Host) -> Host {
    let [v4, v6] = ["snmp", "snmp6"].map(|name| fs::read_to_string(format!("/proc/thread-self/net/{name}")));
    // Without IPv6 there is no second file.
    let host = v4.map_or(before, |v4| host(&v4, &v6.unwrap_or_default()));
    Host { geneve_errors: route.geneve_errors().unwrap_or(before.geneve_errors), ..host }
}

/// `snmp` has a line of names and one of numbers for each protocol, `snmp6` a name and a number a line.
fn host(v4: &str, v6: &str) -> Host {
    let mut lines = v4.lines().filter_map(|line| line.strip_prefix("Ip: "));
    let (names, numbers) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let of_v4 = |name: &str| {
        let at = names.split(' ').position(|other| other == name)?;
        numbers.split(' ').nth(at)?.parse::<u64>().ok()
    };
    let of_v6 = |name: &str| {
        let mut found = v6.lines().filter_map(|line| line.strip_prefix("Ip6")?.strip_prefix(name));
        found.find(|rest| rest.starts_with([' ', '\t']))?.trim().parse::<u64>().ok()
    };
    let both = |name| of_v4(name).unwrap_or_default() + of_v6(name).unwrap_or_default();
    Host {
        reassembly_failures: both("ReasmFails"),
        reassembly_timeouts: both("ReasmTimeout"),
        reassembled: both("ReasmOKs"),
        fragmentation_failures: both("FragFails"),
        geneve_errors: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_summed_by_name() {
        let v4 = "Ip: Forwarding ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails\n\
                  Ip: 1 2 30 10 5 0 7\nIcmp: InMsgs\nIcmp: 0\n";
        let v6 = "Ip6ReasmOKs                     \t4\nIp6ReasmFails                   \t3\nIp6FragFails\t1\n";
        let expected = Host {
            reassembly_failures: 8,
            reassembly_timeouts: 2,
            reassembled: 14,
            fragmentation_failures: 8,
            geneve_errors: 0,
        };
        assert_eq!(host(v4, v6), expected);
        assert_eq!(host("", ""), Host::default());
        assert!(!fs::read_to_string("/proc/thread-self/net/snmp").unwrap().is_empty());
    }
}
