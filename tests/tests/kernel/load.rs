//! Every program loads on this kernel, within the budget.

use aya::util::KernelVersion;
use monitor::bpf::{Kernel, Sizes, load};
use tests::{cost, needs};

#[test]
fn every_program_loads_within_its_budget() {
    if !needs::is_root() {
        needs::skip("not root: loading programs needs it");
        return;
    }
    let kernel = Kernel::load(&[6081], Sizes::new(128, 256, 65_536, load::processors().unwrap()), 0).unwrap();
    let costs = cost::costs(&kernel).unwrap();
    let broken: Vec<String> = costs.iter().flat_map(cost::broken).collect();
    assert!(broken.is_empty(), "{broken:?}");
    // Packets in several buffers, for XDP, are of Linux 5.18; all other programs load everywhere.
    let has_frags = KernelVersion::current().unwrap() >= KernelVersion::new(5, 18, 0);
    assert_eq!(kernel.features.xdp_frags, has_frags);
    let missing: Vec<&str> = kernel
        .programs()
        .filter(|(name, program)| {
            program.fd().is_err() && (has_frags || !is_of_frags(name)) && !OF_DROPS.contains(name)
        })
        .map(|(name, _)| name)
        .collect();
    assert!(missing.is_empty(), "not loaded: {missing:?}");
    for cost in &costs {
        println!("{}: verified {:?}, translated {:?}", cost.program, cost.verified, cost.translated);
    }
}

/// They load where the kernel describes its types and takes them; without them all else works.
const OF_DROPS: [&str; 3] = ["tunmon_dropped", "tunmon_refused", "tunmon_unsent"];

fn is_of_frags(name: &str) -> bool {
    name.ends_with("_f") || name.ends_with("_frag")
}
