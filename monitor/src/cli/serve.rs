//! Options of HTTP.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

/// What is served over HTTP.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub struct ServeOptions {
    /// Address for /metrics, /healthz, /readyz, /api/v1 and a page with links; may be given more than once
    /// [default: 127.0.0.1:16081, if that is free].
    #[arg(
        long,
        alias = "web.listen-address",
        env = "TUNMON_LISTEN",
        value_name = "ADDRESS:PORT",
        value_delimiter = ',',
        conflicts_with = "no_listen",
        global = true
    )]
    pub listen: Vec<String>,
    /// Serve nothing.
    #[arg(long, env = "TUNMON_NO_LISTEN", value_parser = FalseyValueParser::new(), global = true)]
    pub no_listen: bool,
    /// TLS, passwords and headers, in the form of Prometheus's exporters (exporter-toolkit); it is read anew when it changes.
    #[arg(long, alias = "web.config.file", env = "TUNMON_WEB_CONFIG", value_name = "FILE", global = true)]
    pub web_config: Option<PathBuf>,
    /// Give classic buckets to the histograms of peers as well: 20 more series a peer, leg and method.
    #[arg(long, env = "TUNMON_PEER_BUCKETS", value_parser = FalseyValueParser::new(), global = true)]
    pub peer_buckets: bool,
}
