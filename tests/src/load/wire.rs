//! Two namespaces and a veth pair between them; nothing else is on it.
//!
//! ```text
//! near: port ──▶ frames ──▶ far: eth0, where programs are attached
//! ```

use std::ffi::CString;

use anyhow::{Context, Result, ensure};

use super::usage;
use crate::netns::{self, End, Namespace};
use crate::raw::Sender;

/// The receiving device.
pub const DEVICE: &str = "eth0";
const PORT: &str = "port";

/// The wire.
#[derive(Debug)]
pub struct Wire {
    near: Namespace,
    /// The receiving namespace.
    pub far: Namespace,
}

impl Wire {
    /// Makes both ends. Without IPv6 and addresses no kernel says anything on the wire.
    pub fn create() -> Result<Self> {
        let wire = Self { near: Namespace::create("near")?, far: Namespace::create("far")? };
        for namespace in [&wire.near, &wire.far] {
            namespace.sysctl(&[("ipv6/conf/all/disable_ipv6", "1"), ("ipv6/conf/default/disable_ipv6", "1")])?;
        }
        netns::veth(End::bare(&wire.near, PORT), End::bare(&wire.far, DEVICE), 1500)?;
        Ok(wire)
    }

    /// Index of the sending device.
    pub fn near_index(&self) -> Result<u32> {
        index(&self.near, PORT)
    }

    /// Index of the receiving device.
    pub fn far_index(&self) -> Result<u32> {
        index(&self.far, DEVICE)
    }

    /// The current thread sends from here while this lives.
    pub fn enter(&self) -> Result<netns::Entered> {
        self.near.enter()
    }

    /// Does `work` on the sending side, in a thread that stays on one processor.
    pub fn on_sending_side<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let [_, processor] = usage::two_processors()?;
        usage::on_processor(processor, || {
            let _inside = self.enter()?;
            work()
        })
    }

    /// A sender of single frames, which each go the way of a packet that a process sends.
    pub fn sender(&self) -> Result<Sender> {
        Sender::open(&self.near, PORT)
    }

    /// Frames that the receiving device has received.
    pub fn received(&self) -> Result<u64> {
        Ok(netns::traffic(&self.far, DEVICE)?.rx_packets)
    }
}

fn index(namespace: &Namespace, device: &str) -> Result<u32> {
    let _inside = namespace.enter()?;
    let name = CString::new(device).context("a name without zeros")?;
    // SAFETY: `name` is a string that ends in a zero.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    ensure!(index != 0, "no {device} in {}", namespace.name());
    Ok(index)
}
