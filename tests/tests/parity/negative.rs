//! The comparison can fail: whatever differs between both sides is found.

use monitor::bpf::trial::Segments;
use monitor_common::event::{Any, Fragment, Rtt};
use tests::frame::base_packets;

use super::can_load;
use super::compare;
use super::generated::sequence;
use super::pair::{Pair, Settings};
use super::step::{Program, Step};

fn base(name: &str) -> Step {
    let packets = base_packets();
    let (_, bytes) = packets.into_iter().find(|(other, _)| *other == name).unwrap();
    Step::new(Program::TcTx, bytes)
}

/// A pair that knows the base packets' tunnel and flow.
fn pair() -> Pair {
    let mut pair = Pair::new(Settings::default());
    pair.show(&base("data_plain")).unwrap();
    pair
}

#[test]
fn another_seed_is_found() {
    if !can_load() {
        return;
    }
    let settings = Settings { tunnels: 4096, ..Settings::default() };
    let mut pair = Pair::with_seeds(settings, settings.seed ^ 1);
    let found = sequence(1, 500, &[Program::Xdp, Program::TcTx]).iter().find_map(|step| pair.show(step).err());
    assert!(found.unwrap().contains("packet"), "the tunnels' slots differ");
}

#[test]
fn one_changed_byte_is_found() {
    if !can_load() {
        return;
    }
    let mut pair = pair();
    // Another VNI is another tunnel, which the short way does not know.
    let whole = base("data_plain");
    pair.show_both(&whole, &whole).unwrap();
    assert_eq!(pair.compare_counts(), Ok(()));
    pair.show_both(&changed(&whole, 48), &whole).unwrap_err();
    assert!(pair.compare_counts().is_err());
    // By the long way the packet shows it: time to live, VNI, option, sequence number.
    let whole = base("syn_many_options");
    for at in [22, 46, 187, whole.bytes.len() - 40 + 4] {
        let found = pair.show_both(&changed(&whole, at), &whole).unwrap_err();
        assert!(found.starts_with("packet"), "byte {at}: {found}");
    }
}

fn changed(step: &Step, at: usize) -> Step {
    let mut changed = step.clone();
    changed.bytes[at] ^= 1;
    changed
}

#[test]
fn another_length_program_or_segmentation_is_found() {
    if !can_load() {
        return;
    }
    let whole = base("data_plain");
    let padded = Step { bytes: [&whole.bytes[..], &[0]].concat(), ..whole.clone() };
    let received = Step { program: Program::TcRx, ..whole.clone() };
    let cut = Step { segments: Some(Segments { size: 50, count: 2 }), ..whole.clone() };
    for other in [padded, received, cut] {
        let mut pair = pair();
        let shown = pair.show_both(&other, &whole);
        assert!(shown.and_then(|_| pair.compare_counts()).is_err(), "{other:?}");
    }
}

#[test]
fn other_events_are_found() {
    let fragment = Any::Fragment(Fragment { id: 7, ..Fragment::default() });
    let other = Any::Fragment(Fragment { id: 8, ..Fragment::default() });
    let mut later = Fragment { id: 7, ..Fragment::default() };
    later.head.at_ns = 5;
    assert_eq!(compare::events(&[fragment], &[Any::Fragment(later)], true), Ok(1));
    assert!(compare::events(&[fragment], &[other], false).is_err());
    assert!(compare::events(&[fragment], &[], true).is_err());
    assert_eq!(compare::events(&[fragment], &[], false), Ok(0));
    assert_eq!(
        compare::events(&[Any::Rtt(Rtt { rtt_ns: 64, ..Rtt::default() })], &[Any::Rtt(Rtt::default())], true),
        Ok(1)
    );
}
