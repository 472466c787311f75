//! The rights that tunmon starts with, and those that it keeps.

use std::fs;

use tests::needs;
use tests::tunmon::Tunmon;

use super::support::{FEW, Pair, geneve};

#[test]
fn everything_is_given_up_after_the_start() {
    let Some(pair) = Pair::create() else { return };
    let tunmon = Tunmon::start(&pair.near, "d0", "--interval 200ms").unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", tunmon.pid())).unwrap();
    let word = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let kept = tunmon.start_record()["capabilities"].as_array().unwrap().clone();
    assert_eq!(word("NoNewPrivs:"), "1");
    assert_eq!(word("CapEff:"), word("CapPrm:"));
    for name in ["CapInh:", "CapBnd:", "CapAmb:"] {
        assert_eq!(u64::from_str_radix(&word(name), 16), Ok(0), "{name}");
    }
    let bits = u64::from_str_radix(&word("CapEff:"), 16).unwrap();
    assert_eq!(bits.count_ones() as usize, kept.len(), "{bits:x} {kept:?}");
    if tunmon.start_record()["features"]["tcx"] == true {
        assert_eq!(bits, 0);
    }
    tunmon.stop().unwrap();
}

/// The least that a container is given.
#[test]
fn three_capabilities_are_enough_to_watch_and_to_attach_again() {
    let Some(pair) = Pair::create() else { return };
    if let Some(reason) = needs::missing(&[&["setpriv"]]) {
        return needs::skip(&reason);
    }
    let rights = "+bpf,+net_admin,+perfmon";
    let wrapper = format!("setpriv --bounding-set=-all,{rights} --inh-caps=-all,{rights} --ambient-caps=-all,{rights}");
    let mut tunmon = Tunmon::start_by(&pair.near, &wrapper, "d0", "--interval 200ms").unwrap();
    pair.make_anew(&mut tunmon, 1);
    pair.send("d0");
    assert_eq!(geneve(&tunmon.stop().unwrap().summary().unwrap()), FEW as u64);
}
