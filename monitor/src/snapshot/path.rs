//! How much fits through the way to a peer, and who says so.

use serde::Serialize;

use super::Sizes;

/// What is known about the way to a peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Path {
    /// What the kernel's routing says; absent without a route, and of a capture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<PathRoute>,
    /// The least that a router has announced for a tunnel packet that was longer, in the last ten minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_mtu_bytes: Option<u32>,
    /// The least of all that is known: the MTU of the device, of the route, and what was announced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_mtu_bytes: Option<u32>,
    /// Where that comes from: `device`, `route`, `cache` or `icmp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_mtu_source: Option<&'static str>,
    /// The one before it last changed in this run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_mtu_before_bytes: Option<u32>,
    /// The path MTU less the largest overhead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recommended_inner_mtu_bytes: Option<u32>,
    /// How much longer inner packets could be than the longest; absent when they are as long, or longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unused_inner_bytes: Option<u32>,
}

/// What the kernel's routing says about a peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PathRoute {
    /// The device that packets to it leave by, if it is not the watched one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The MTU of that device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_mtu_bytes: Option<u32>,
    /// The MTU of the route itself, or what was learned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu_bytes: Option<u32>,
    /// Whether the MTU was learned from ICMP.
    #[serde(rename = "cached")]
    pub is_cached: bool,
    /// When what was learned is forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_seconds: Option<f64>,
    /// Whether the route says that nothing may be learned.
    #[serde(rename = "locked")]
    pub is_locked: bool,
}

impl Path {
    /// The path of what is known: the device's MTU, the route, the announced MTU; `before` is the path MTU before this.
    pub(crate) fn new(device: Option<u32>, route: Option<PathRoute>, icmp: Option<u32>, before: Option<u32>) -> Self {
        let (route_device, route_mtu) = route.as_ref().map_or((None, None), |it| (it.device_mtu_bytes, it.mtu_bytes));
        let by_route = if route.as_ref().is_some_and(|route| route.is_cached) { "cache" } else { "route" };
        let known = [(device, "device"), (route_device, "route"), (route_mtu, by_route), (icmp, "icmp")];
        // Of equal ones the first is told.
        let least = known.into_iter().filter_map(|(mtu, source)| mtu.zip(Some(source))).min_by_key(|(mtu, _)| *mtu);
        Self {
            route,
            icmp_mtu_bytes: icmp,
            path_mtu_bytes: least.map(|(mtu, _)| mtu),
            path_mtu_source: least.map(|(_, source)| source),
            path_mtu_before_bytes: before,
            ..Self::default()
        }
    }

    /// With what it leaves to inner packets of these sizes.
    pub(crate) fn with(self, sizes: &Sizes) -> Self {
        let recommended = self.path_mtu_bytes.zip(sizes.overhead_max_bytes);
        let recommended = recommended.and_then(|(mtu, overhead)| mtu.checked_sub(overhead.into()));
        let unused = recommended.zip(sizes.inner_length_max_bytes).and_then(|(most, used)| most.checked_sub(used));
        Self {
            recommended_inner_mtu_bytes: recommended,
            unused_inner_bytes: unused.filter(|bytes| *bytes != 0),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(mtu: u32, is_cached: bool) -> Option<PathRoute> {
        Some(PathRoute { mtu_bytes: Some(mtu), is_cached, ..PathRoute::default() })
    }

    #[test]
    fn the_path_is_as_narrow_as_its_narrowest_known_part() {
        let told = |device, route, icmp| {
            let path = Path::new(device, route, icmp, None);
            (path.path_mtu_bytes, path.path_mtu_source)
        };
        assert_eq!(told(Some(1500), None, None), (Some(1500), Some("device")));
        assert_eq!(told(Some(1500), Some(PathRoute::default()), None), (Some(1500), Some("device")));
        assert_eq!(told(Some(1500), route(1400, false), None), (Some(1400), Some("route")));
        assert_eq!(told(Some(1500), route(1400, true), Some(1400)), (Some(1400), Some("cache")));
        assert_eq!(told(Some(1500), route(1400, true), Some(1300)), (Some(1300), Some("icmp")));
        assert_eq!(told(Some(1500), route(9000, false), Some(1600)), (Some(1500), Some("device")));
        assert_eq!(told(None, None, Some(1300)), (Some(1300), Some("icmp")));
        assert_eq!(told(None, None, None), (None, None));
        let bridge = PathRoute { device_mtu_bytes: Some(1450), ..PathRoute::default() };
        assert_eq!(told(Some(1500), Some(bridge), None), (Some(1450), Some("route")));
    }

    #[test]
    fn what_pods_could_send_more_is_told_and_what_they_send_too_much_is_not() {
        let left = |mtu, overhead, longest| {
            let sizes = Sizes { overhead_max_bytes: overhead, inner_length_max_bytes: longest, ..Sizes::default() };
            let path = Path::new(mtu, None, None, None).with(&sizes);
            (path.recommended_inner_mtu_bytes, path.unused_inner_bytes)
        };
        assert_eq!(left(Some(1500), Some(58), Some(1400)), (Some(1442), Some(42)));
        assert_eq!(left(Some(1500), Some(58), Some(1442)), (Some(1442), None));
        assert_eq!(left(Some(1400), Some(58), Some(1442)), (Some(1342), None));
        assert_eq!(left(Some(1500), None, None), (None, None));
        assert_eq!(left(Some(40), Some(50), Some(20)), (None, None));
        assert_eq!(left(None, Some(50), Some(20)), (None, None));
    }
}
