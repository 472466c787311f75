//! Laboratories and oracles for the tests of tunmon: real tunnels to watch, and independent tools to say what passed.
//!
//! A *laboratory* ([`lab`]) is two real Open vSwitch or OVN nodes in network namespaces. An *oracle* tells the truth about
//! the same traffic without any of tunmon's code: [`tcpdump`] records it, [`tshark`] dissects it, [`oracle`] counts it,
//! [`ping`] times it. [`tunmon`] runs the product beside them. Everything cleans up when it is dropped, and any number of
//! tests may run side by side. All of it needs root; [`needs`] tells what is missing.
//!
//! [`bytecode`] proves things of the BPF object, [`cost`] asks the verifier, [`bench`] measures the programs, [`load`] the
//! whole tunmon at full speed, and [`calm`] tells whether it disturbs; none of them needs a laboratory.

pub mod bench;
pub mod bpf;
pub mod bpffs;
pub mod bytecode;
pub mod calm;
pub mod certificates;
pub mod cost;
pub mod frame;
pub mod lab;
pub mod load;
pub mod needs;
pub mod netns;
pub mod oracle;
pub mod ping;
pub mod process;
pub mod raw;
pub mod scratch;
pub mod tcpdump;
pub mod traffic;
pub mod tshark;
pub mod tunmon;
pub mod wait;
