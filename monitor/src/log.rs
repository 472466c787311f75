//! Logging to standard error, of user space and, in builds with diagnostics, of the kernel programs.

use tracing_subscriber::EnvFilter;

/// Begins logging what `filter` lets through; a filter that cannot be read lets warnings through.
pub fn init(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
}
