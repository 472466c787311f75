//! Follows the devices through their lives: deleted and made anew, renamed, moved, resized, or bared by somebody else.
//!
//! Any message of the kernel about any device, and nothing for half a minute, lead to the same thing: the list of devices
//! is read and compared with what is watched. So no message has to be understood, and none can be missed for long.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

use super::roster::{self, Change};
use super::session::Session;
use super::watched::Watched;
use crate::aggregate::Limits;
use crate::bpf::load::random_seed;
use crate::bpf::{Attachment, Ingress};
use crate::device::{Device, Pattern};
use crate::export::json::DeviceChange;
use crate::netlink::{Bell, Link, Route};
use crate::output::Printer;

/// Between two looks when nothing is heard.
const RARE: Duration = Duration::from_secs(30);
/// Between two looks while a device is there to which nothing could be attached.
const SOON: Duration = Duration::from_secs(1);
/// Between two looks at least, however many devices come and go.
const LEAST: Duration = Duration::from_millis(100);

/// What is needed to follow the devices.
pub(super) struct Life {
    /// What is asked for.
    pub(super) wanted: Vec<Pattern>,
    ingress: Ingress,
    limits: Limits,
    ends_on_loss: bool,
    pub(super) route: Route,
    bell: AsyncFd<Bell>,
    looked: Instant,
    due: Instant,
}

impl Life {
    /// Follows devices of the namespace of the calling thread and of `route`, from now on; to be called inside of the event
    /// loop.
    pub(super) fn new(
        route: Route,
        wanted: Vec<Pattern>,
        ingress: Ingress,
        limits: Limits,
        ends_on_loss: bool,
    ) -> Result<Self> {
        let bell = Bell::new().context("netlink")?;
        // SAFETY: the bell has the same descriptor as long as it lives.
        let bell = unsafe { AsyncFd::register_with_interest(bell, Interest::READABLE) }.context("netlink")?;
        let now = Instant::now();
        Ok(Self { wanted, ingress, limits, ends_on_loss, route, bell, looked: now, due: now })
    }

    /// Returns when it is time to look.
    pub(super) async fn is_due(&mut self) -> Result<()> {
        loop {
            tokio::select! {
                () = sleep_until(self.due) => return Ok(()),
                ready = self.bell.readable() => {
                    let mut ready = ready.context("netlink")?;
                    ready.get_inner().take();
                    ready.clear_ready();
                    self.due = self.due.min(self.looked + LEAST);
                }
            }
        }
    }
}

impl Session {
    /// Compares what is watched with what is there, and follows. Returns whether a device was lost that must not be.
    pub(super) fn look(&mut self, printer: &mut Printer) -> Result<bool> {
        let now = Instant::now();
        let links = self.life.route.links();
        let mut is_over = false;
        match &links {
            Ok(links) => is_over = self.follow(links, now, printer)?,
            Err(error) => tracing::warn!("the list of devices: {error}"),
        }
        let is_waiting = |device: &Watched| device.attachment.is_none() && device.trouble.is_some();
        let wait = if links.is_err() || self.devices.iter().any(is_waiting) { SOON } else { RARE };
        (self.life.looked, self.life.due) = (now, now + wait);
        Ok(is_over)
    }

    fn follow(&mut self, links: &[Link], now: Instant, printer: &mut Printer) -> Result<bool> {
        let mut is_lost = false;
        for number in 0..self.devices.len() {
            let is_bare = self.devices[number].attachment.as_mut().is_some_and(|attachment| !attachment.is_alive());
            if is_bare && links.iter().any(|link| link.index == self.devices[number].device.index) {
                self.lose(number, "somebody has detached the programs", now, printer)?;
            }
        }
        let wanted = self.life.wanted.clone();
        let known: Vec<_> = self.devices.iter().map(Watched::known).collect();
        for change in roster::changes(&wanted, &known, links) {
            match change {
                Change::Lost(number) => {
                    self.lose(number, "the device has left this namespace", now, printer)?;
                    is_lost = true;
                }
                Change::Renamed(number, name) => {
                    let device = Device { name: name.to_owned(), ..self.devices[number].device.clone() };
                    self.tell(number, "renamed", Some(name), printer)?;
                    self.kernel.remember(name, device.index, false)?;
                    self.devices[number].seen(device);
                }
                Change::Resized(number, mtu) => {
                    let device = Device { mtu, ..self.devices[number].device.clone() };
                    self.devices[number].seen(device);
                    self.tell(number, "resized", None, printer)?;
                }
                Change::Back(number, link) => self.attach(number, link, links, printer)?,
                Change::New(pattern, link) => {
                    let Ok(device) = Device::of(&mut self.life.route, link) else { continue };
                    let mut watched = Watched::new(pattern.clone(), device, self.life.limits);
                    watched.blind.begin(now);
                    self.devices.push(watched);
                    self.attach(self.devices.len() - 1, link, links, printer)?;
                }
            }
        }
        Ok(is_lost && self.life.ends_on_loss)
    }

    /// Lets go of a device. What its programs have left in the rings is taken before its index can mean another one.
    fn lose(&mut self, number: usize, reason: &str, now: Instant, printer: &mut Printer) -> Result<()> {
        let device = &mut self.devices[number];
        device.blind.begin(now);
        if let Some(attachment) = device.attachment.take() {
            super::detach(vec![attachment.release(&self.kernel)?]);
        }
        self.drain(printer)?;
        self.tell(number, "lost", Some(reason), printer)
    }

    /// Attaches to a device, whose counts go on even if it has another index now.
    fn attach(&mut self, number: usize, link: &Link, links: &[Link], printer: &mut Printer) -> Result<()> {
        match self.try_attach(number, link, links) {
            Ok(attachment) => {
                self.devices[number].attached(attachment, Instant::now());
                self.tell(number, "attached", None, printer)
            }
            Err(error) => {
                let reason = format!("{error:#}");
                if self.devices[number].trouble.as_ref() == Some(&reason) {
                    return Ok(());
                }
                self.tell(number, "refused", Some(&reason), printer)?;
                self.devices[number].trouble = Some(reason);
                Ok(())
            }
        }
    }

    fn try_attach(&mut self, number: usize, link: &Link, links: &[Link]) -> Result<Attachment> {
        let others = self.devices.iter().enumerate().filter(|(other, _)| *other != number);
        let watched: Vec<u32> = others.map(|(_, device)| device.device.index).collect();
        if let Some(obstacle) = roster::obstacle(links, &watched, link) {
            return Err(obstacle.into());
        }
        let device = Device::of(&mut self.life.route, link)?;
        if self.devices[number].device.index != device.index {
            if number == 0 {
                // Until its counts have moved, no drop may be counted.
                self.kernel.count_drops_with(0)?;
            }
            self.kernel.rebind(self.devices[number].device.index, device.index)?;
            self.tunnels.clear();
            self.devices[number].seen(device.clone());
        }
        if number == 0 {
            self.kernel.count_drops_with(device.index)?;
        }
        let attachment = self.kernel.attach(&device, self.life.ingress)?;
        self.kernel.begin(random_seed()?)?;
        Ok(attachment)
    }

    /// Says what has become of a device.
    fn tell(&self, number: usize, state: &'static str, detail: Option<&str>, printer: &mut Printer) -> Result<()> {
        let device = &self.devices[number];
        let hooks = device.attachment.as_ref();
        let change = DeviceChange {
            device: &device.device.name,
            state,
            detail,
            mtu_bytes: device.device.mtu,
            ingress: hooks.map(|attachment| attachment.ingress),
            egress: hooks.map(|attachment| attachment.egress),
            refused: hooks.map(|attachment| attachment.refused.as_slice()).unwrap_or_default(),
            blind_seconds: device.blind.whole(Instant::now()).as_secs_f64(),
        };
        printer.device(&change)
    }
}
