//! Which devices are to be watched and what has become of them, decided from the kernel's list. Nothing is touched here.

use anyhow::Result;
use monitor_common::count::DEVICES;

use crate::device::{self, Pattern};
use crate::failure::Failure;
use crate::netlink::Link;

/// A device that is watched, or was and is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// What asked for it.
    pub(super) wanted: &'a Pattern,
    /// Its name, as last seen.
    pub(super) name: &'a str,
    /// Its index, as last seen.
    pub(super) index: u32,
    /// Its MTU, as last seen.
    pub(super) mtu: u32,
    /// Whether the programs are attached to it.
    pub(super) is_attached: bool,
}

/// What is different from what was known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change<'a> {
    /// The device of this number among the known is not in this namespace any more.
    Lost(usize),
    /// It has another name.
    Renamed(usize, &'a str),
    /// It has another MTU.
    Resized(usize, u32),
    /// It is there, or there again, and nothing is attached to it.
    Back(usize, &'a Link),
    /// There is one more that a pattern asks for.
    New(&'a Pattern, &'a Link),
}

/// The patterns for what was given to `--iface`. Each must have a device at the start; `auto` is `tunnels`, or the device of
/// the default route if there are none.
pub(super) fn wanted(names: &[String], tunnels: &[String], links: &[Link]) -> Result<Vec<Pattern>> {
    let mut wanted = Vec::<Pattern>::new();
    for name in names {
        let found = match name.as_str() {
            "auto" if tunnels.is_empty() => &[device::default_route(links)?],
            "auto" => tunnels,
            _ => std::slice::from_ref(name),
        };
        for pattern in found.iter().map(|name| Pattern::new(name)) {
            if !links.iter().any(|link| asks_for(&pattern, link)) {
                return Err(device::missing(pattern.text(), links).into());
            }
            if !wanted.contains(&pattern) {
                wanted.push(pattern);
            }
        }
    }
    Ok(wanted)
}

/// An open pattern asks only for what can carry tunnels of this node.
fn asks_for(pattern: &Pattern, link: &Link) -> bool {
    let is_fit = || link.hardware != libc::ARPHRD_LOOPBACK && device::carries_ethernet(link);
    pattern.matches(&link.name) && (!pattern.is_open() || is_fit())
}

/// What has changed, in an order in which it can be followed.
pub(super) fn changes<'a>(wanted: &'a [Pattern], known: &[Known<'_>], links: &'a [Link]) -> Vec<Change<'a>> {
    let (mut changes, mut taken) = (Vec::new(), Vec::new());
    let mut missing = Vec::new();
    for (number, known) in known.iter().enumerate() {
        let Some(link) = links.iter().find(|link| link.index == known.index) else {
            if known.is_attached {
                changes.push(Change::Lost(number));
            }
            missing.push(number);
            continue;
        };
        taken.push(link.index);
        if link.name != known.name {
            changes.push(Change::Renamed(number, &link.name));
        }
        if link.mtu != known.mtu {
            changes.push(Change::Resized(number, link.mtu));
        }
        if !known.is_attached {
            changes.push(Change::Back(number, link));
        }
    }
    for number in missing {
        let known = known[number];
        let is_it = |link: &&Link| {
            let has_name = link.name == known.name || !known.wanted.is_open() && known.wanted.matches(&link.name);
            has_name && !taken.contains(&link.index)
        };
        if let Some(link) = links.iter().find(is_it) {
            taken.push(link.index);
            changes.push(Change::Back(number, link));
        }
    }
    for link in links.iter().filter(|link| !taken.contains(&link.index)) {
        changes.extend(wanted.iter().find(|pattern| asks_for(pattern, link)).map(|pattern| Change::New(pattern, link)));
    }
    changes
}

/// Why `link` cannot be watched beside the devices with the indexes in `watched`.
pub(super) fn obstacle(links: &[Link], watched: &[u32], link: &Link) -> Option<Failure> {
    let name = &link.name;
    let name_of =
        |index: u32| links.iter().find(|link| link.index == index).map_or("another device", |link| &link.name);
    if let Some(other) = watched.iter().find(|other| **other != link.index && *other % DEVICES == link.index % DEVICES)
    {
        let cause = format!("{} and {name} cannot be watched by one tunmon", name_of(*other));
        let advice = format!("their indexes are alike modulo {DEVICES}; start a second tunmon for one of them");
        return Some(Failure::usage(cause, advice));
    }
    let mut all = watched.to_vec();
    all.push(link.index);
    device::overlap(links, &all).map(|[upper, lower]| {
        let cause = format!("{upper} lies upon {lower}: each packet would be seen twice");
        Failure::usage(cause, "watch one of the two; the lower one sees what is on the wire")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str) -> Link {
        Link { index, name: name.into(), mtu: 1500, hardware: libc::ARPHRD_ETHER, ..Link::default() }
    }

    fn known<'a>(wanted: &'a Pattern, name: &'a str, index: u32, is_attached: bool) -> Known<'a> {
        Known { wanted, name, index, mtu: 1500, is_attached }
    }

    #[test]
    fn what_stays_the_same_is_no_change() {
        let wanted = [Pattern::new("eth0")];
        let links = [link(2, "eth0"), link(3, "eth1")];
        assert_eq!(changes(&wanted, &[known(&wanted[0], "eth0", 2, true)], &links), []);
    }

    #[test]
    fn a_device_that_is_made_anew_is_lost_and_back() {
        let wanted = [Pattern::new("eth0")];
        let attached = [known(&wanted[0], "eth0", 2, true)];
        assert_eq!(changes(&wanted, &attached, &[]), [Change::Lost(0)]);
        let anew = [link(7, "eth0")];
        assert_eq!(changes(&wanted, &attached, &anew), [Change::Lost(0), Change::Back(0, &anew[0])]);
        let waiting = [known(&wanted[0], "eth0", 2, false)];
        assert_eq!(changes(&wanted, &waiting, &[link(3, "eth1")]), []);
        assert_eq!(changes(&wanted, &waiting, &anew), [Change::Back(0, &anew[0])]);
    }

    #[test]
    fn a_renamed_device_is_followed_and_its_old_name_is_still_wanted() {
        let wanted = [Pattern::new("eth0")];
        let before = [known(&wanted[0], "eth0", 2, true)];
        let links = [link(2, "lan0")];
        assert_eq!(changes(&wanted, &before, &links), [Change::Renamed(0, "lan0")]);
        let after = [known(&wanted[0], "lan0", 2, true)];
        let links = [link(2, "lan0"), link(9, "eth0")];
        assert_eq!(changes(&wanted, &after, &links), [Change::New(&wanted[0], &links[1])]);
        // When it has gone, whichever of its names comes back is it.
        let gone = [known(&wanted[0], "lan0", 2, false)];
        for name in ["eth0", "lan0"] {
            let links = [link(9, name)];
            assert_eq!(changes(&wanted, &gone, &links), [Change::Back(0, &links[0])]);
        }
    }

    #[test]
    fn a_pattern_takes_what_appears_but_not_the_loopback() {
        let wanted = [Pattern::new("*")];
        let lo = Link { hardware: libc::ARPHRD_LOOPBACK, ..link(1, "lo") };
        let links = [lo, link(2, "eth0"), link(5, "eth1")];
        let gone = [known(&wanted[0], "eth0", 2, true), known(&wanted[0], "eth9", 4, false)];
        assert_eq!(changes(&wanted, &gone, &links), [Change::New(&wanted[0], &links[2])]);
        assert!(super::wanted(&["x*".into()], &[], &links).is_err());
        assert_eq!(super::wanted(&["eth*".into(), "eth*".into()], &[], &links).unwrap(), [Pattern::new("eth*")]);
    }

    #[test]
    fn a_new_mtu_and_programs_that_somebody_detached_are_seen() {
        let wanted = [Pattern::new("eth0")];
        let links = [Link { mtu: 9000, ..link(2, "eth0") }];
        let detached = [known(&wanted[0], "eth0", 2, false)];
        assert_eq!(changes(&wanted, &detached, &links), [Change::Resized(0, 9000), Change::Back(0, &links[0])]);
    }

    #[test]
    fn devices_that_would_count_twice_or_in_one_place_are_an_obstacle() {
        let links = [link(2, "eth0"), Link { lower: Some(2), ..link(3, "eth0.7") }, link(2 + DEVICES, "eth1")];
        let text = |watched: &[u32], link| obstacle(&links, watched, link).map(|failure| failure.to_string());
        assert!(text(&[2], &links[1]).unwrap().contains("eth0.7 lies upon eth0"));
        assert!(text(&[2], &links[2]).unwrap().contains("modulo"));
        assert_eq!(text(&[3], &links[2]), None);
        assert_eq!(text(&[2], &links[0]), None);
    }
}
