//! What is said when the watched devices carry nothing: where there is something.

use anyhow::Result;

use super::session::Session;

impl Session {
    /// Says whether any device has seen a tunnel packet.
    fn has_traffic(&self) -> Result<bool> {
        let mut seen = 0;
        for device in &self.devices {
            let totals = self.kernel.counts(device.device.index)?.totals;
            seen += totals.classes.iter().flat_map(|classes| &classes[1..]).sum::<u64>();
        }
        Ok(seen != 0)
    }

    /// Begins to listen on all devices, when the watched ones carry nothing.
    pub(super) fn listen(&mut self) -> Result<()> {
        if self.has_traffic()? {
            self.sniffer = None;
        }
        if let Some(sniffer) = &self.sniffer
            && let Err(error) = sniffer.listen()
        {
            tracing::info!("listening on all devices: {error}");
            self.sniffer = None;
        }
        Ok(())
    }

    /// Says that there is no traffic, and where there is some.
    pub(super) fn hint(&mut self) -> Result<()> {
        let sniffer = self.sniffer.take();
        if self.has_traffic()? {
            return Ok(());
        }
        let names: Vec<&str> = self.devices.iter().map(|device| device.device.name.as_str()).collect();
        let names = names.join(",");
        let mut other = 0;
        for device in &self.devices {
            other += self.kernel.totals(device.device.index)?.classes.iter().map(|classes| classes[0]).sum::<u64>();
        }
        eprintln!("no tunnel packets (UDP {}) on {names} in 2 s; other packets there: {other}", self.port);
        match sniffer.and_then(|sniffer| sniffer.busiest()) {
            Some(busiest) if busiest != names => {
                eprintln!("  {busiest} carries tunnel packets; try: tunmon --iface {busiest}");
            }
            _ => eprintln!("  no other device of this network namespace carries any now; going on"),
        }
        Ok(())
    }
}
