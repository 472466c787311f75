//! Watching devices: attach, read, report, detach.

mod overhead;
mod pace;
mod session;
mod signals;

use std::time::Duration;
use std::{fs, thread};

use anyhow::{Context, Result};
use monitor_common::count::DEVICES;

use crate::bpf::load::{processors, random_seed};
use crate::bpf::{Features, Ingress, Kernel, Sizes};
use crate::cli::{Cli, Common};
use crate::demo::{Demo, Fault};
use crate::device::Device;
use crate::export::json::{self, Start, StartDevice};
use crate::failure::{Failure, is_privileged};
use crate::output::Printer;
use session::Session;
use signals::Signals;

/// Watches the devices that the command line names.
pub(crate) fn devices(cli: &Cli) -> Result<()> {
    let devices = resolve(&cli.iface)?;
    watch(&devices, cli.ingress, &cli.common, &mut Printer::new(cli.common.output))
}

/// Makes the demo's tunnel and watches its first node.
pub(crate) fn demo(cli: &Cli, fault: Fault) -> Result<()> {
    if !is_privileged() {
        return Err(Failure::privilege().into());
    }
    let demo = Demo::start(fault)?;
    eprintln!("{}", demo.description());
    // A thread of its own, so that the demo is torn down in the namespace where it was made.
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            demo.enter_node()?;
            let device = Device::named("eth0")?;
            watch(&[device], cli.ingress, &cli.common, &mut Printer::new(cli.common.output))
        });
        watcher.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the watching thread ended by a panic")))
    })
}

fn resolve(names: &[String]) -> Result<Vec<Device>> {
    let mut devices = Vec::<Device>::new();
    for name in names {
        let device = if name == "auto" { Device::default_route()? } else { Device::named(name)? };
        if devices.iter().any(|other| other.index == device.index) {
            continue;
        }
        let clash = devices.iter().find(|other| other.index % DEVICES == device.index % DEVICES);
        if let Some(other) = clash {
            let cause = format!("{} and {} cannot be watched by one tunmon", other.name, device.name);
            let advice = format!("their indexes are alike modulo {DEVICES}; start a second tunmon for one of them");
            return Err(Failure::usage(cause, advice).into());
        }
        devices.push(device);
    }
    Ok(devices)
}

fn watch(devices: &[Device], ingress: Ingress, options: &Common, printer: &mut Printer) -> Result<()> {
    if options.ports.len() > 4 {
        return Err(Failure::usage("more than four ports", "give --port at most four times").into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("the event loop")?;
    // Before anything is attached: a signal from now on ends the run in order, and leaves no filter behind.
    let signals = runtime.block_on(async { Signals::new() })?;
    let sizes = Sizes::new(options.max_vnis, options.max_peers, options.max_flows, processors()?);
    let mut kernel = Kernel::load(&options.ports, sizes, random_seed()?)?;
    let attachments = devices.iter().map(|device| kernel.attach(device, ingress)).collect::<Result<Vec<_>>>()?;
    kernel.begin(random_seed()?)?;
    let start = Start {
        version: env!("CARGO_PKG_VERSION"),
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        features: Features::probe(&kernel),
        table_bytes: sizes.bytes(),
        tunnels_max: sizes.tunnels,
        flows_max: sizes.buckets * 2,
        devices: attachments.iter().map(start_device).collect(),
    };
    printer.text(&greeting(&start, options.interval))?;
    printer.record(json::START, &start)?;
    let session = Session::new(kernel, attachments, options)?;
    runtime.block_on(session.run(signals, options, printer))
}

fn start_device(attachment: &crate::bpf::Attachment) -> StartDevice {
    StartDevice {
        device: attachment.device.name.clone(),
        addresses: attachment.device.addresses.clone(),
        mtu_bytes: attachment.device.mtu,
        ingress: attachment.ingress,
        egress: attachment.egress,
        refused: attachment.refused.clone(),
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
    }
    for line in start.features.degraded() {
        text += &format!("  this kernel has {line}\n");
    }
    text += &format!(
        "  room for {} tunnels and {} flows in {} MiB\n",
        start.tunnels_max,
        start.flows_max,
        start.table_bytes >> 20
    );
    text + &format!("collecting... first report in {interval:?}; Ctrl-C: summary\n")
}
