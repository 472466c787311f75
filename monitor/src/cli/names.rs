//! Options of names.

use std::path::PathBuf;

use clap::Args;

/// Sources of names, each of which may be absent.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Names")]
pub struct NameOptions {
    /// File with names of nodes and networks, as YAML, JSON or lines as in /etc/hosts; it is read anew when it changes.
    #[arg(id = "names", long, env = "TUNMON_NAMES", value_name = "FILE", global = true)]
    pub file: Option<PathBuf>,
    /// Database of this node's switch; auto = its socket where it usually is, if it is there; off = none. `read` asks only
    /// sources that are named.
    #[arg(long, env = "TUNMON_OVS_DB", value_name = "REMOTE", default_value = "auto", global = true)]
    pub ovs_db: String,
    /// OVN Southbound database: one or several of unix:PATH, tcp:HOST:PORT, ssl:HOST:PORT; auto = what the node's switch
    /// says (ovn-remote); off = none.
    #[arg(long, env = "TUNMON_OVN_SB", value_name = "REMOTES", default_value = "auto", global = true)]
    pub ovn_sb: String,
    /// Authority that signed the database's certificate; default: what the node's switch uses, else /var/run/tls/cacert.
    #[arg(long, env = "TUNMON_OVN_CA", value_name = "FILE", global = true)]
    pub ovn_ca: Option<PathBuf>,
    /// Certificate that is shown to the database; default: as above, /var/run/tls/cert.
    #[arg(long, env = "TUNMON_OVN_CERT", value_name = "FILE", requires = "ovn_key", global = true)]
    pub ovn_cert: Option<PathBuf>,
    /// Its private key, which nobody else may read; default: as above, /var/run/tls/key.
    #[arg(long, env = "TUNMON_OVN_KEY", value_name = "FILE", requires = "ovn_cert", global = true)]
    pub ovn_key: Option<PathBuf>,
    /// Nodes of a Kubernetes cluster: a kubeconfig file without exec; auto = the cluster in which tunmon runs; off = none.
    #[arg(long, env = "TUNMON_KUBERNETES", value_name = "FILE", default_value = "auto", global = true)]
    pub kubernetes: String,
}
