//! Watching devices: attach, read, follow them, report, detach.

mod drops;
mod feed;
mod hint;
mod host;
mod life;
mod notify;
mod overhead;
mod pace;
mod paths;
mod resume;
mod roster;
mod session;
mod signals;
mod sources;
mod watched;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, thread};

use anyhow::{Context, Result};
use caps::{Capability, CapsHashSet};
use tokio::time::Instant;

use crate::aggregate::Limits;
use crate::bpf::load::{processors, random_seed};
use crate::bpf::{Attachment, Ingress, Kernel, Pins, Sizes};
use crate::cli::Cli;
use crate::demo::{Demo, Fault, topology};
use crate::device::{Device, Pattern};
use crate::export::json::{Start, StartDevice};
use crate::failure::{Failure, is_privileged};
use crate::names::{Names, Plan, tunnel_devices};
use crate::netlink::{Link, Route};
use crate::output::{Printer, Subject};
use crate::privileges;
use crate::serve::{self, Bound};
use crate::sniff::Sniffer;
use feed::Feed;
use life::Life;
use roster::Change;
use session::Session;
use signals::Signals;
use watched::Watched;

/// Watches the devices that the command line names.
pub(crate) fn devices(cli: &Cli) -> Result<()> {
    let bound = serve::open(&cli.serve)?;
    watch(&cli.iface, Plan::open(&cli.names)?, cli, &mut Printer::new(cli.common.output), bound)
}

/// Watches them for a while, and tells what fits through to the peers, or to `peer`.
pub(crate) fn mtu(cli: &Cli, peer: Option<&str>) -> Result<()> {
    let peer = peer.map(address).transpose()?;
    let mut cli = cli.clone();
    let duration = *cli.common.duration.get_or_insert(A_WHILE);
    let mut printer = Printer::of(Subject::Mtu(peer), cli.common.output);
    if printer.is_text() {
        eprintln!("watching for {duration:?}; Ctrl-C ends it earlier");
    }
    watch(&cli.iface, Plan::open(&cli.names)?, &cli, &mut printer, None)
}

/// How long `mtu` watches.
const A_WHILE: Duration = Duration::from_secs(5);

fn address(text: &str) -> Result<IpAddr> {
    let advice = "name the peer by its underlay address, such as 192.0.2.2 or 2001:db8::2; without one all are told";
    let address = text.parse::<IpAddr>().map_err(|_| Failure::usage(format!("{text:?} is no IP address"), advice))?;
    Ok(address.to_canonical())
}

/// Makes the demo's tunnel and watches its first node.
pub(crate) fn demo(cli: &Cli, fault: Fault) -> Result<()> {
    if !is_privileged() {
        return Err(Failure::privilege().into());
    }
    // Bound here, so that it can be reached from outside of the demo's nodes.
    let bound = serve::open(&cli.serve)?;
    let demo = Demo::start(fault)?;
    eprintln!("{}", demo.description());
    // A thread of its own, so that the demo is torn down in the namespace where it was made, with the rights for it.
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            demo.enter_node()?;
            watch(
                &["eth0".to_owned()],
                Plan::fixed(topology::names()),
                cli,
                &mut Printer::new(cli.common.output),
                bound,
            )
        });
        watcher.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the watching thread ended by a panic")))
    })
}

fn watch(names: &[String], plan: Plan, cli: &Cli, printer: &mut Printer, bound: Option<Bound>) -> Result<()> {
    let options = &cli.common;
    if options.ports.len() > 4 {
        return Err(Failure::usage("more than four ports", "give --port at most four times").into());
    }
    let mut route = Route::open().context("netlink")?;
    let links = route.links().context("the list of devices")?;
    let is_auto = names.iter().any(|name| name == "auto");
    let tunnels = if is_auto { tunnel_devices(&cli.names, &mut route, &links) } else { Vec::new() };
    let wanted = roster::wanted(names, &tunnels, &links)?;
    let limits = options.limits();
    let mut devices = resolve(&wanted, &links, &mut route, limits)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the event loop")?;
    // Before anything is attached: a signal from now on ends the run in order, and leaves no filter behind.
    let signals = runtime.block_on(async { Signals::new() })?;
    let life = runtime.block_on(async { Life::new(route, wanted, cli.ingress, limits, cli.exit_on_loss) })?;
    let sizes = Sizes::new(options.max_vnis, options.max_peers, options.max_flows, processors()?);
    let mut kernel = match &cli.pin {
        Some(directory) => Kernel::load_pinned(&options.ports, sizes, Pins::open(directory)?)?,
        None => Kernel::load(&options.ports, sizes, random_seed()?)?,
    };
    attach(&mut kernel, &mut devices, cli.ingress)?;
    let drops = drops::Names::new(kernel.watch_drops());
    let sniffer = Sniffer::new(options.ports.first().copied().unwrap_or_default()).ok();
    let capabilities = privileges::reduce(needed(&kernel), || kernel.works())?;
    let mut start = start(&kernel, &devices, capabilities, cli.pin.clone());
    start.listens = bound.as_ref().map(Bound::addresses).unwrap_or_default();
    printer.start(&greeting(&start, options.interval), &start)?;
    let (desk, counter) = serve::desk::desk();
    let serving = bound.map(|bound| bound.start(desk)).transpose()?;
    let feed = Feed::new(serving.as_ref().map(|_| counter), cli.serve.peer_buckets);
    let session = Session::new(kernel, devices, life, (sniffer, drops), (Names::start(plan)?, feed), options)?;
    runtime.block_on(session.run(signals, options, printer))
}

/// The devices that are wanted and there; an obstacle to one is an error now, and later is told.
fn resolve(wanted: &[Pattern], links: &[Link], route: &mut Route, limits: Limits) -> Result<Vec<Watched>> {
    let (mut devices, mut indexes) = (Vec::new(), Vec::new());
    for change in roster::changes(wanted, &[], links) {
        let Change::New(pattern, link) = change else { continue };
        if let Some(obstacle) = roster::obstacle(links, &indexes, link) {
            return Err(obstacle.into());
        }
        indexes.push(link.index);
        devices.push(Watched::new(pattern.clone(), Device::of(route, link)?, limits));
    }
    Ok(devices)
}

/// Attaches to all devices; where an earlier run's links are, its counts go on.
fn attach(kernel: &mut Kernel, devices: &mut [Watched], ingress: Ingress) -> Result<()> {
    let all: Vec<Device> = devices.iter().map(|device| device.device.clone()).collect();
    kernel.resume(&all)?;
    for device in &mut *devices {
        let attachment = kernel.attach(&device.device, ingress)?;
        device.attached(attachment, Instant::now());
    }
    kernel.resumed()?;
    kernel.count_drops_with(devices.first().map_or(0, |device| device.device.index))?;
    kernel.begin(random_seed()?)
}

/// Rights that attaching to a device takes at any time on this kernel.
fn needed(kernel: &Kernel) -> CapsHashSet {
    if kernel.features.tcx { CapsHashSet::new() } else { [Capability::CAP_NET_ADMIN].into() }
}

/// How long detaching may take; a driver under load may be slow, and closing a link waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Detaches, but what is pinned; does not wait for ever.
fn detach(attachments: Vec<Attachment>) {
    let (done, is_done) = mpsc::channel();
    thread::spawn(move || {
        drop(attachments);
        let _ = done.send(());
    });
    if is_done.recv_timeout(PATIENCE).is_err() {
        tracing::warn!("detaching takes more than {PATIENCE:?}; the kernel goes on with it");
    }
}

fn start(kernel: &Kernel, devices: &[Watched], capabilities: Vec<String>, pins: Option<PathBuf>) -> Start {
    Start {
        version: env!("CARGO_PKG_VERSION"),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        features: kernel.features,
        capabilities,
        pins,
        resumed: kernel.is_resumed(),
        table_bytes: kernel.sizes.bytes(),
        tunnels_max: kernel.sizes.tunnels,
        flows_max: kernel.sizes.buckets * 2,
        devices: devices.iter().filter_map(|device| device.attachment.as_ref()).map(start_device).collect(),
        listens: Vec::new(),
    }
}

fn start_device(attachment: &Attachment) -> StartDevice {
    StartDevice {
        device: attachment.device.name.clone(),
        addresses: attachment.device.addresses.clone(),
        mtu_bytes: attachment.device.mtu,
        ingress: attachment.ingress,
        egress: attachment.egress,
        refused: attachment.refused.clone(),
        size_rules: !attachment.is_merged(),
    }
}

fn greeting(start: &Start, interval: Duration) -> String {
    let mut text = format!("tunmon {}  kernel {}\n", start.version, start.kernel);
    for device in &start.devices {
        let addresses: Vec<String> = device.addresses.iter().map(ToString::to_string).collect();
        let hooks = format!("in {}, out {}", device.ingress, device.egress);
        text += &format!("  {} {} mtu {}  {hooks}\n", device.device, addresses.join(" "), device.mtu_bytes);
        for refused in &device.refused {
            text += &format!("    passed over {refused}\n");
        }
        if !device.size_rules {
            text += "    received packets may be merged ones (GRO): rules about their sizes are off\n";
        }
    }
    for line in start.features.degraded() {
        text += &format!("  this kernel has {line}\n");
    }
    if !start.capabilities.is_empty() {
        text += &format!("  keeps {}, without which this kernel attaches nothing\n", start.capabilities.join(", "));
    }
    if let Some(pins) = &start.pins {
        let counts =
            if start.resumed == Some(true) { "the counts of an earlier run go on" } else { "counts begin now" };
        text += &format!("  stays attached by pins in {}; {counts}\n", pins.display());
    }
    for address in &start.listens {
        text += &format!("  serves {address}/metrics\n");
    }
    text += &format!(
        "  room for {} tunnels and {} flows in {} MiB\n",
        start.tunnels_max,
        start.flows_max,
        start.table_bytes >> 20
    );
    text + &format!("collecting... first report in {interval:?}; Ctrl-C: summary\n")
}
