//! A real Prometheus scrapes live tunmons: what it answers agrees with the packets, and its rules see the fleet. And what
//! stands in `deploy` for it is right: rules by promtool, the dashboard's expressions by Prometheus' parser.

#![expect(clippy::unwrap_used, reason = "tests unwrap, and so do their helpers")]

mod prometheus {
    mod deployed;
    mod fleet;
    mod scraped;
    mod server;
}
