//! Two namespaces on one wire, on which nothing passes but what a test sends.
//!
//! ```text
//! one: eth0 192.168.63.1 ──── veth ──── eth0 192.168.63.2 :two
//! ```

use std::net::Ipv4Addr;
use std::ops::Deref;
use std::time::Duration;

use anyhow::Result;
use monitor::bpf::{Attachment, Ingress, Kernel};
use monitor::device::Device;

use crate::netns::{self, End, Namespace};
use crate::wait;

/// The device at either end.
pub const DEVICE: &str = "eth0";
const MACS: [&str; 2] = ["02:63:00:00:00:01", "02:63:00:00:00:02"];
const PATIENCE: Duration = Duration::from_secs(30);

/// A namespace, and its address on its [`DEVICE`].
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    pub namespace: &'a Namespace,
    pub address: Ipv4Addr,
}

/// Programs that are attached at a place; dropping it detaches them.
pub struct Attached<'a> {
    place: Place<'a>,
    attachment: Option<Attachment>,
}

impl<'a> Place<'a> {
    /// Attaches programs to the device.
    pub fn attach(self, kernel: &mut Kernel, ingress: Ingress) -> Result<Attached<'a>> {
        let _inside = self.namespace.enter()?;
        let attachment = kernel.attach(&Device::named(DEVICE)?, ingress)?;
        Ok(Attached { place: self, attachment: Some(attachment) })
    }

    /// The device's index.
    pub fn index(self) -> Result<u32> {
        let _inside = self.namespace.enter()?;
        Ok(Device::named(DEVICE)?.index)
    }

    /// Waits until the kernel has noticed that the device is up, which it does a moment later.
    pub fn wait(self) -> Result<()> {
        wait::until(&format!("{DEVICE} to be up"), PATIENCE, || {
            Ok(self.namespace.run(&format!("ip link show {DEVICE}"))?.contains("state UP").then_some(()))
        })
    }
}

impl Deref for Attached<'_> {
    type Target = Attachment;

    fn deref(&self) -> &Attachment {
        self.attachment.as_ref().expect("only drop takes it")
    }
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        // A filter is found by its device, whose number counts in its own namespace.
        let _inside = self.place.namespace.enter();
        self.attachment = None;
    }
}

/// Both ends.
#[derive(Debug)]
pub struct Pair {
    ends: [Namespace; 2],
}

impl Pair {
    /// Makes both, by a veth pair. Neighbours are fixed and there is no IPv6.
    pub fn create() -> Result<Self> {
        let pair = Self { ends: [Namespace::create("one")?, Namespace::create("two")?] };
        for namespace in &pair.ends {
            namespace.sysctl(&[("ipv6/conf/all/disable_ipv6", "1"), ("ipv6/conf/default/disable_ipv6", "1")])?;
        }
        let addresses = [0, 1].map(|index| [format!("{}/24", address(index))]);
        let end = |index: usize| End {
            mac: Some(MACS[index]),
            addresses: &addresses[index],
            ..End::bare(&pair.ends[index], DEVICE)
        };
        netns::veth(end(0), end(1), 1500)?;
        for (index, place) in pair.places().into_iter().enumerate() {
            let (far, mac) = (address(1 - index), MACS[1 - index]);
            place.namespace.ip(&[format!("neigh replace {far} lladdr {mac} dev {DEVICE} nud permanent")])?;
            place.wait()?;
        }
        Ok(pair)
    }

    pub fn places(&self) -> [Place<'_>; 2] {
        [0, 1].map(|index| Place { namespace: &self.ends[index], address: address(index) })
    }
}

fn address(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 63, 1 + index as u8)
}
