//! The start record says what this kernel has, and the text what is done without what it has not.

use aya::util::KernelVersion;
use serde_json::Value;
use tests::netns::{self, End, Namespace};
use tests::{needs, process, tunmon};

use super::nodes::DEVICE;
use super::support;

#[test]
fn the_start_record_tells_the_features_of_this_kernel() {
    if support::skip_for(needs::missing(&[needs::NETWORK])) {
        return;
    }
    let [one, two] = ["one", "two"].map(|label| Namespace::create(label).unwrap());
    netns::veth(End::bare(&one, DEVICE), End::bare(&two, DEVICE), 1500).unwrap();
    let version = KernelVersion::current().unwrap();
    let [has_tcx, has_frags, has_reasons] =
        [(6, 6), (5, 18), (5, 17)].map(|(major, minor)| version >= KernelVersion::new(major, minor, 0));

    let said = |form: &str| {
        let program = tunmon::binary().unwrap();
        let mut command = one.command(program.to_str().unwrap());
        process::run(command.args(["--iface", DEVICE, "-o", form, "--duration", "100ms"])).unwrap()
    };
    let start: Value = serde_json::from_str(said("json").lines().next().unwrap()).unwrap();
    let features = &start["features"];
    assert_eq!(features["tcx"], has_tcx);
    assert_eq!(features["xdp_frags"], has_frags);
    // Kernels without BTF and without tracefs do not tell.
    assert!(features["drop_reasons"].is_null() || features["drop_reasons"] == has_reasons, "{features}");

    let text = said("text");
    assert_eq!(text.contains("this kernel has no TCX: "), !has_tcx, "{text}");
    assert_eq!(text.contains("this kernel has no XDP for packets in several buffers: "), !has_frags, "{text}");
}
