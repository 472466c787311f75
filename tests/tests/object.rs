//! What is proven of the BPF object itself, without a kernel: it always passes, it calls no helper that could do
//! otherwise, and it is a release object.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

use monitor::bpf::OBJECT;
use tests::bytecode::object::Object;
use tests::bytecode::rules;

fn object() -> Object {
    Object::parse(OBJECT).unwrap()
}

/// Entry and steps of the three hooks; TC has two entries and two first steps.
const PROGRAMS: usize = 5 + 5 + 7;

#[test]
fn every_program_of_each_hook_is_looked_at() {
    let object = object();
    let programs: Vec<(&str, &str)> = object.programs().map(|each| (&*each.section, &*each.name)).collect();
    let of = |wanted| programs.iter().filter(|(section, _)| *section == wanted).count();
    assert!(programs.len() >= PROGRAMS, "{programs:?}");
    assert!(of("xdp") >= 5 && of("xdp.frags") >= 5 && of("classifier") >= 7, "{programs:?}");
    for (section, name) in object.functions.iter().map(|each| (&each.section, &each.name)) {
        let drops = ["raw_tp/kfree_skb", "raw_tp/sock_send_length", "fexit/packet_sendmsg"];
        let is_known = [".text", "xdp", "xdp.frags", "classifier"].iter().chain(&drops).any(|known| known == section);
        assert!(is_known, "{name} is in section {section}, for which no return value is known");
    }
}

#[test]
fn every_exit_of_every_program_passes() {
    for program in object().programs() {
        let verdict = program.verdict().unwrap();
        assert_eq!(rules::exits(&program.code, verdict), [], "{} must return {verdict}", program.name);
    }
}

#[test]
fn no_helper_is_called_but_those_that_leave_packets_alone() {
    let mut called = Vec::new();
    for function in object().functions {
        assert_eq!(rules::calls(&function.code), [], "{}", function.name);
        called.extend(rules::helpers(&function.code));
    }
    // Each program hands over by a tail call and looks things up: finding none would mean that nothing was read.
    assert!(called.contains(&1) && called.contains(&12), "{called:?}");
}

#[test]
fn the_object_is_a_release_object_with_our_licence() {
    let object = object();
    assert_eq!(object.licence, "Dual MIT/GPL");
    assert!(object.maps.iter().any(|map| map == "RTT_EVENTS"), "{:?}", object.maps);
    let log: Vec<_> = object.maps.iter().filter(|map| map.to_uppercase().contains("LOG")).collect();
    assert!(log.is_empty(), "maps of aya-log: {log:?}");
}
