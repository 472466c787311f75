//! The bench in a short run: each kind of path does its work, and programs of others run beside it. Needs root and clang.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use aya::TestRunOptions;
use monitor::failure::Failure;
use tests::bench::case::{self, Hook};
use tests::bench::driver::{self, Drive, Driver};
use tests::bench::loaded::floor;
use tests::bench::peer::Peer;
use tests::bench::run::{self, Plan};
use tests::bench::{baseline, figures, packets};
use tests::needs;
use tests::scratch::Scratch;

/// A path of each kind; those with flows only with so many, as a power of two.
const PATHS: [&str; 6] =
    ["not_ours_udp", "geneve_count_vlan", "tcp_steady_ovn", "long_echo", "rtt_match", "rtt_match_event"];
const FLOW_BITS: u32 = 10;

/// An object as libbpf has it: maps by their types, one of them pinned, and sections that aya does not know.
const FOREIGN: &str = r#"
#define SECTION(name) __attribute__((section(name), used))
struct { int (*type)[2]; int (*max_entries)[1]; unsigned *key; unsigned long long *value; int (*pinning)[1]; }
    COUNT SECTION(".maps");
static void *(*const look_up)(void *map, const void *key) = (void *)1;
SECTION("tc/egress") int count(void *context)
{
    unsigned key = 0;
    unsigned long long *value = look_up(&COUNT, &key);
    if (value)
        ++*value;
    return 0;
}
SECTION("xdp.frags/large") int large(void *context) { return 2; }
SECTION("xdp/wrong") int wrong(unsigned *context) { return *(unsigned *)(unsigned long)context[0]; }
SECTION("xdp/wrong") int also_wrong(unsigned *context) { return 0; }
SECTION("kprobe/x") int probe(void *context) { return 0; }
SECTION("license") char LICENCE[] = "GPL";
"#;

/// Says why the bench cannot run here.
fn skips() -> bool {
    let missing = needs::missing(&[&["clang"]]);
    if let Some(reason) = &missing {
        needs::skip(reason);
    }
    missing.is_some()
}

/// `OBJECT:PROGRAM` of an object that is written into `folder`.
fn written(folder: &Scratch, object: &[u8], program: &str) -> String {
    let file = folder.path().join("object.o");
    fs::write(&file, object).unwrap();
    format!("{}:{program}", file.display())
}

/// The two lines that say why a peer cannot be had.
fn refusal(error: &anyhow::Error) -> [String; 2] {
    let failure = error.downcast_ref::<Failure>().unwrap();
    assert_eq!(failure.code, 2);
    let lines: Vec<String> = failure.to_string().lines().map(str::to_owned).collect();
    lines.try_into().unwrap()
}

#[test]
fn a_short_run_does_the_work_of_each_kind_of_path() {
    if skips() {
        return;
    }
    let (c_folder, folder) = (Scratch::create("bench").unwrap(), Scratch::create("bench").unwrap());
    let foreign = written(&folder, &driver::compile_with(FOREIGN, &["-g"]).unwrap(), "");
    let c = written(&c_folder, &baseline::object().unwrap(), "");
    let peers = [format!("{c}baseline_xdp"), format!("{foreign}tc/egress"), format!("{foreign}large")];
    let peers: Vec<Peer> = peers.iter().map(|peer| Peer::find(peer).unwrap()).collect();
    let names: Vec<&str> = peers.iter().map(|peer| &*peer.name).collect();
    assert_eq!(names, ["baseline_xdp", "count", "large"]);
    let is_small = |drive: Drive| drive.flow_bits == FLOW_BITS;
    let paths = case::paths().into_iter().filter(|path| PATHS.contains(&path.id) && path.drive.is_none_or(is_small));
    let paths: Vec<_> = paths.collect();
    assert_eq!(paths.len(), PATHS.len());
    let mut expected: BTreeSet<String> = paths.iter().map(|path| path.id.to_owned()).collect();
    for path in paths.iter().filter(|path| !path.reports()) {
        expected.extend(peers.iter().map(|peer| format!("peer:{}/{}", peer.name, path.id)));
    }
    let plan = Plan { paths, hooks: Hook::ALL.to_vec(), peers, rounds: 1, patience: Duration::ZERO };
    let rows = figures::rows(&run::measure(plan).unwrap());
    assert_eq!(rows.iter().map(|row| row.id.clone()).collect::<BTreeSet<_>>(), expected);
    for row in rows {
        let is_ours = !row.id.starts_with("peer:");
        assert!(row.net_ns.is_finite(), "{row:?}");
        assert_eq!(row.valid, is_ours.then_some(true), "{row:?}");
        assert_eq!(row.instructions.is_some_and(|instructions| instructions > 10), is_ours, "{row:?}");
    }
}

#[test]
fn each_pass_visits_every_flow_once_and_in_another_order() {
    if skips() {
        return;
    }
    const FLOWS: usize = 16;
    let drive = Drive { vni_bits: 2, ..Drive::flows(4) };
    let driver = floor(&driver::object().unwrap(), Hook::Xdp, &drive).unwrap();
    let passes = [0, 1, 2].map(|pass: usize| {
        // The sides take turns, and the client's port says which flow it is.
        let port = if pass.is_multiple_of(2) { 84 } else { 86 };
        (0..FLOWS)
            .map(|_| {
                let frame = driven(&driver);
                (frame[port..port + 2].to_vec(), frame[48])
            })
            .collect::<Vec<_>>()
    });
    for (pass, flows) in passes.iter().enumerate() {
        assert_eq!(flows.iter().map(|(port, _)| port).collect::<BTreeSet<_>>().len(), FLOWS, "pass {pass}");
        assert_eq!(flows.iter().map(|(_, vni)| vni).collect::<BTreeSet<_>>().len(), 4, "pass {pass}");
    }
    assert!(passes[0] != passes[1] && passes[1] != passes[2] && passes[0] != passes[2], "{passes:?}");
}

/// The next frame as the driver makes it.
fn driven(driver: &Driver) -> Vec<u8> {
    let (frame, mut out) = (packets::tunnel_tcp(), vec![0; 512]);
    let options = TestRunOptions { data_in: Some(&frame), data_out: Some(&mut out), ..TestRunOptions::new() };
    driver::run_with(driver.drives().unwrap(), options).unwrap();
    out
}

#[test]
fn a_peer_that_is_not_there_is_named_with_what_is() {
    let error = Peer::find("/no/such/object.o:program").unwrap_err();
    assert!(refusal(&error)[0].contains("cannot read /no/such/object.o"), "{error:#}");
    assert!(refusal(&Peer::find("object.o").unwrap_err())[1].contains("OBJECT:PROGRAM"));
    let folder = Scratch::create("bench").unwrap();
    let error = Peer::find(&written(&folder, b"no object", "program")).unwrap_err();
    assert!(refusal(&error)[0].contains("is no BPF object"), "{error:#}");
    let Ok(object) = driver::compile_with(FOREIGN, &["-g"]) else { return needs::skip("no clang") };
    for (program, cause) in [
        ("nothing", "has no program nothing"),
        ("xdp/wrong", "has several programs"),
        ("probe", "is in section kprobe/x, which is neither XDP nor TC"),
    ] {
        let [found, advice] = refusal(&Peer::find(&written(&folder, &object, program)).unwrap_err());
        assert!(found.contains(cause) && advice.contains("count (tc/egress)"), "{found}\n{advice}");
    }
}

#[test]
fn a_peer_that_the_kernel_refuses_says_why_in_one_line() {
    if skips() {
        return;
    }
    let folder = Scratch::create("bench").unwrap();
    let peer =
        Peer::find(&written(&folder, &driver::compile(&FOREIGN.replace(".maps", ".data.maps")).unwrap(), "wrong"))
            .unwrap();
    let error = peer.load(&driver::object().unwrap(), None).err().unwrap();
    assert!(refusal(&error)[0].contains("; the verifier: "), "{error:#}");
}
