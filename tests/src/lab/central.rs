//! OVN's central node: the northbound and southbound databases and `ovn-northd`, at 192.168.50.100 on the fabric.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::fabric::Fabric;
use super::{DEVICE, Options, Pod, daemon};
use crate::netns::{self, End, Namespace};
use crate::process::{self, Process};

const PORT: u16 = 6642;

#[derive(Debug)]
pub(super) struct Central {
    _daemons: Vec<Process>,
    directory: PathBuf,
    _namespace: Namespace,
}

impl Central {
    pub(super) fn start(state: &Path, fabric: &Fabric) -> Result<Self> {
        let directory = daemon::directory(state, "c")?;
        let namespace = Namespace::create("central")?;
        let addresses = ["192.168.50.100/24".to_owned()];
        fabric.plug(3, "ndc", End { addresses: &addresses, ..End::bare(&namespace, DEVICE) })?;
        // Its TCP enters the nodes through their br-phy.
        netns::offloads_off(&namespace, DEVICE)?;
        let nb = daemon::database(&namespace, &directory, "nb", "/usr/share/ovn/ovn-nb.ovsschema", None)?;
        let sb = daemon::database(&namespace, &directory, "sb", "/usr/share/ovn/ovn-sb.ovsschema", Some(PORT))?;
        let socket = |name: &str| format!("unix:{}", directory.join(name).display());
        let databases = [format!("--ovnnb-db={}", socket("nb.sock")), format!("--ovnsb-db={}", socket("sb.sock"))];
        let northd = daemon::start(&namespace, &directory, "ovn-northd", &databases)?;
        Ok(Self { _daemons: vec![northd, sb, nb], directory, _namespace: namespace })
    }

    /// Where chassis find the southbound database: over the fabric, as real ones do. A tagged underlay does not reach the
    /// central node, whose port has no tag; there it is the socket.
    pub(super) fn remote(&self, options: Options) -> String {
        if options.vlan.is_some() {
            format!("unix:{}", self.directory.join("sb.sock").display())
        } else {
            format!("tcp:192.168.50.100:{PORT}")
        }
    }

    pub(super) fn nbctl(&self, line: &str) -> Result<String> {
        process::run(self.northbound().args(line.split_whitespace()))
    }

    /// Tells the switches where their pods are. An address holds blanks, so this cannot be one of [`Self::nbctl`]'s lines.
    pub(super) fn set_addresses(&self, pods: &[Pod]) -> Result<()> {
        let mut command = self.northbound();
        for pod in pods {
            let address = format!("{} {} {}", pod.mac, pod.ipv4, pod.ipv6);
            command.args(["--", "lsp-set-addresses", &pod.name, &address]);
        }
        process::run(&mut command).map(drop)
    }

    fn northbound(&self) -> Command {
        let mut command = Command::new("ovn-nbctl");
        command.arg(format!("--db=unix:{}", self.directory.join("nb.sock").display())).args(["-t", "30"]);
        command
    }
}
