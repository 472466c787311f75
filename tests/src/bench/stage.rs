//! All that is loaded for a run of the bench: every program, for every path that it is measured on.

use anyhow::{Context, Result};
use aya::programs::Program;

use super::baseline::{self, Baseline};
use super::case::{Hook, Path};
use super::driver::{self, Driver};
use super::loaded::{Driven, Loaded};
use super::packets;
use super::peer::{Guest, Peer};
use super::record::{Record, Seen, Subject};

/// Index of the device that test runs have: loopback.
pub const DEVICE: u32 = 1;

/// Everything that is loaded.
pub struct Stage {
    /// The paths.
    pub paths: Vec<Path>,
    hooks: Vec<Hook>,
    peers: Vec<Peer>,
    /// For the paths whose packets are all the same.
    plain: Loaded,
    /// The empty programs, per hook; no packet is driven here.
    empty: [Option<Driver>; 2],
    /// Per path.
    driven: Vec<Option<Driven>>,
    /// Per hook: for the paths whose packets are all the same.
    plain_baselines: [Option<Baseline>; 2],
    /// Per path and hook, where packets are driven.
    baselines: Vec<[Option<Baseline>; 2]>,
    /// Per peer: for the paths whose packets are all the same, and for each path that is driven.
    guests: Vec<(Guest, Vec<Option<Guest>>)>,
}

impl Stage {
    /// Loads it.
    pub fn load(paths: Vec<Path>, hooks: &[Hook], peers: &[Peer]) -> Result<Self> {
        let (object, baseline) = (driver::object()?, baseline::object()?);
        let at = |hook: Hook| hooks.contains(&hook).then_some(hook);
        let [xdp, tc] = Hook::ALL.map(at);
        let (mut driven, mut baselines, mut guests) = (Vec::new(), Vec::new(), Vec::new());
        for path in &paths {
            driven.push(path.drive.map(|drive| Driven::new(&object, hooks, &drive)).transpose()?);
            let load = |hook: Option<Hook>| {
                let case = hook.zip(path.drive);
                case.map(|(hook, drive)| Baseline::new([&baseline, &object], hook, Some(&drive))).transpose()
            };
            baselines.push([load(xdp)?, load(tc)?]);
        }
        for peer in peers {
            // Nothing is known of how a peer limits its events: none is measured on the path of events.
            let drives = paths.iter().map(|path| path.drive.filter(|_| !path.reports()));
            let load = |drive: Option<_>| drive.map(|drive| peer.load(&object, Some(&drive))).transpose();
            guests.push((peer.load(&object, None)?, drives.map(load).collect::<Result<_>>()?));
        }
        let load = |hook: Option<Hook>| hook.map(|hook| Baseline::new([&baseline, &object], hook, None)).transpose();
        let plain_baselines = [load(xdp)?, load(tc)?];
        let load = |hook: Option<Hook>| hook.map(|hook| Driver::load(&object, hook, &Default::default())).transpose();
        let empty = [load(xdp)?, load(tc)?];
        let (hooks, peers) = (hooks.to_vec(), peers.to_vec());
        Ok(Self { paths, hooks, peers, plain: Loaded::new(1)?, empty, driven, plain_baselines, baselines, guests })
    }

    /// A record for everything that is measured.
    pub fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        for hook in &self.hooks {
            let mut subjects = vec![Subject::Empty, Subject::Twin];
            for (index, path) in self.paths.iter().enumerate() {
                subjects.push(Subject::Path(index));
                subjects.extend(path.drive.map(|_| Subject::Floor(index)));
                subjects.extend(path.has_baseline.then_some(Subject::Baseline(index)));
                let peers = self.peers.iter().enumerate().filter(|(_, peer)| peer.hook == *hook && !path.reports());
                subjects.extend(peers.map(|(peer, _)| Subject::Peer(peer, index)));
            }
            records.extend(subjects.into_iter().map(|subject| Record::new(*hook, subject)));
        }
        records
    }

    /// The path that a record is about, if it is about one.
    pub fn path(&self, record: &Record) -> Option<&Path> {
        record.subject.path().map(|path| &self.paths[path])
    }

    /// The packet that it gets.
    pub fn frame(&self, record: &Record) -> Vec<u8> {
        self.path(record).map_or_else(packets::plain_tcp, |path| path.frame.clone())
    }

    /// The program that runs.
    pub fn program(&self, record: &Record) -> Result<&Program> {
        let hook = record.hook.index();
        let empty = self.empty[hook].as_ref().context("a hook that is not measured");
        match record.subject {
            Subject::Empty => empty?.program("empty"),
            Subject::Twin => empty?.program("twin"),
            Subject::Floor(path) => self.driven(path)?.floors[hook].as_ref().context("no floor")?.drives(),
            Subject::Path(path) => match &self.driven[path] {
                Some(driven) => driven.drivers[hook].as_ref().context("no driver")?.drives(),
                None => self.plain.program(record.hook),
            },
            Subject::Baseline(path) => self.baseline(path, hook)?.program(),
            Subject::Peer(peer, path) => {
                let (plain, driven) = &self.guests[peer];
                driven[path].as_ref().unwrap_or(plain).program()
            }
        }
    }

    /// The driver that takes the time of this subject by itself, if there is one.
    pub fn timer(&mut self, record: &Record) -> Option<&mut Driver> {
        let path = record.subject.path().filter(|path| self.paths[*path].reports())?;
        let hook = record.hook.index();
        match record.subject {
            Subject::Floor(_) => self.driven[path].as_mut()?.floors[hook].as_mut(),
            Subject::Path(_) => self.driven[path].as_mut()?.drivers[hook].as_mut(),
            Subject::Baseline(_) => self.baselines[path][hook].as_mut()?.driver(),
            Subject::Empty | Subject::Twin | Subject::Peer(..) => None,
        }
    }

    /// What the subject's own counters have come to; the empty programs and those of others have none.
    pub fn seen(&self, record: &Record) -> Result<Seen> {
        match record.subject {
            Subject::Empty | Subject::Twin | Subject::Floor(_) | Subject::Peer(..) => Ok(Seen::default()),
            Subject::Baseline(path) => self.baseline(path, record.hook.index())?.seen(self.paths[path].class),
            Subject::Path(path) => {
                let loaded = self.driven[path].as_ref().map_or(&self.plain, |driven| &driven.loaded);
                Ok(Seen::of(&loaded.kernel.counts(DEVICE)?, record.hook, self.paths[path].class))
            }
        }
    }

    /// Throws away the events that the subject has sent; says how many there were.
    pub fn drain(&mut self, record: &Record) -> u64 {
        match record.subject {
            Subject::Path(path) => match &mut self.driven[path] {
                Some(driven) => driven.loaded.drain(),
                None => self.plain.drain(),
            },
            Subject::Baseline(path) => {
                let hook = record.hook.index();
                let found = self.baselines[path][hook].as_mut().or(self.plain_baselines[hook].as_mut());
                found.map_or(0, Baseline::drain)
            }
            Subject::Empty | Subject::Twin | Subject::Floor(_) | Subject::Peer(..) => 0,
        }
    }

    fn baseline(&self, path: usize, hook: usize) -> Result<&Baseline> {
        self.baselines[path][hook].as_ref().or(self.plain_baselines[hook].as_ref()).context("no baseline")
    }

    fn driven(&self, path: usize) -> Result<&Driven> {
        self.driven[path].as_ref().context("a path without driver")
    }
}
