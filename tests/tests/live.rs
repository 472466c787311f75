//! Live tests: real Open vSwitch and OVN tunnels, with tunmon on node1's `eth0` and independent oracles beside it.
//!
//! They need root, OVS, OVN, tcpdump and tshark; without, they say `SKIPPED` and pass.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod live {
    mod counts;
    mod layouts;
    mod oracle;
    mod ovn;
    mod rtt;
    mod support;
    mod underlay;
    mod user;
}
