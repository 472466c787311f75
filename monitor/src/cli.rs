//! The command line.

mod names;
mod probe;
mod serve;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::aggregate::Limits;
use crate::bpf::Ingress;
use crate::demo::Fault;

pub use names::NameOptions;
pub use probe::{Method, Probe};
pub use serve::ServeOptions;

/// What `--help` says at its end.
const MORE: &str = "\
Columns:
  RX pps, TX pps   wire packets a second, received and transmitted by the device
  REMOTE p50 p99   a packet leaves, its answer comes back: underlay, peer node, peer's pod
  LOCAL p50 p99    a packet comes, its answer leaves: this node's switch and pod
  MAX IN           longest inner IP packet, in bytes
  OVERH            bytes that the tunnel adds to an inner packet, least and most
  FRAG             outer and inner fragments
  PATH             path MTU of the peer: the least of the device's, the route's, what the kernel
                   has learned (cache) and what a router announced (icmp); 1400<1500: was 1500
  POD MTU          path MTU less the most overhead: what a pod may use

Examples:
  sudo tunmon --iface eth0                    watch, with a report every 2 s; Ctrl-C: summary
  sudo tunmon -i eth0,eth1 -o json --events   two devices, every record as a JSON line
  sudo tunmon demo --fault latency            a tunnel of its own, with 20 ms more each round trip
  sudo tunmon mtu 192.0.2.2                   overhead, path MTU and longest packets of a peer
  tunmon read capture.pcapng --packets        the same analysis of a file, without privileges
  tunmon probe 192.0.2.2                      how long a packet does the underlay take to this node?
  sudo tunmon -i 'eth*' --pin                 count on while tunmon is restarted; ends with: sudo tunmon detach

Exit codes: 0 done, also after Ctrl-C; 1 runtime error; 2 wrong usage; 3 probe found a small path; 4 missing \
privilege or kernel feature";

/// Watches every Geneve tunnel of this node, live: latency, fragments, errors, per VNI and per peer.
///
/// It attaches XDP and TC programs that look at each packet and always pass it on. Without rights it can still read
/// captures: tunmon read FILE.pcap.
#[derive(Clone, Debug, Parser)]
#[command(name = "tunmon", version, max_term_width = 100, after_long_help = MORE)]
pub struct Cli {
    /// What to do; without a command tunmon watches.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Device(s) to watch: names or patterns such as 'eth*', separated by commas; auto = the one of the default route.
    #[arg(short, long, env = "TUNMON_IFACE", value_delimiter = ',', default_value = "auto", global = true)]
    pub iface: Vec<String>,
    /// How received packets are seen; auto = native XDP where it is known to disturb nothing, else TC.
    #[arg(long, env = "TUNMON_INGRESS", value_enum, default_value = "auto", global = true)]
    pub ingress: Ingress,
    /// End with an error when a watched device goes away; without, tunmon waits for it to come back.
    #[arg(long, env = "TUNMON_EXIT_ON_LOSS", value_parser = FalseyValueParser::new(), global = true)]
    pub exit_on_loss: bool,
    /// Stay attached when tunmon ends, and go on from there at the next start; links and maps are pinned in this
    /// directory. Without, nothing stays.
    #[arg(
        long,
        env = "TUNMON_PIN",
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = PINS,
        global = true
    )]
    pub pin: Option<PathBuf>,
    /// Where names come from.
    #[command(flatten)]
    pub names: NameOptions,
    /// What is served over HTTP.
    #[command(flatten)]
    pub serve: ServeOptions,
    /// Options of output and bounds.
    #[command(flatten)]
    pub common: Common,
}

/// Where pins are kept unless another directory is named.
pub const PINS: &str = "/sys/fs/bpf/tunmon";

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// UDP destination port of the tunnels; may be given up to four times.
    #[arg(
        long = "port",
        env = "TUNMON_PORT",
        value_delimiter = ',',
        default_value = "6081",
        value_parser = clap::value_parser!(u16).range(1..),
        global = true
    )]
    pub ports: Vec<u16>,
    /// Form of the output; auto = text on a terminal, JSON lines on a pipe.
    #[arg(short, long, env = "TUNMON_OUTPUT", value_enum, default_value = "auto", global = true)]
    pub output: Output,
    /// Also print every event that was read: samples, fragments, ICMP errors.
    #[arg(long, env = "TUNMON_EVENTS", value_parser = FalseyValueParser::new(), global = true)]
    pub events: bool,
    /// Time between reports, such as 500ms, 2s or 1m.
    #[arg(long, env = "TUNMON_INTERVAL", value_parser = duration, default_value = "2s", global = true)]
    pub interval: Duration,
    /// Stop after this time, such as 60s.
    #[arg(long, env = "TUNMON_DURATION", value_parser = duration, global = true)]
    pub duration: Option<Duration>,
    /// VNIs that are told apart; the rest is counted as other.
    #[arg(long, env = "TUNMON_MAX_VNIS", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=65_536), global = true)]
    pub max_vnis: u32,
    /// Peers that are told apart.
    #[arg(long, env = "TUNMON_MAX_PEERS", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536), global = true)]
    pub max_peers: u32,
    /// A VNI or peer that has been silent for so long may give up its place to another, and is not exported meanwhile.
    #[arg(long, env = "TUNMON_IDLE_TIMEOUT", value_parser = duration, default_value = "15m", global = true)]
    pub idle_timeout: Duration,
    /// Flows that are remembered for round-trip times.
    #[arg(long, env = "TUNMON_MAX_FLOWS", default_value_t = 65_536, value_parser = clap::value_parser!(u32).range(2..=16_777_216), global = true)]
    pub max_flows: u32,
    /// What is logged to standard error: error, warn, info, debug, trace, or a filter.
    #[arg(long = "log", env = "TUNMON_LOG", value_parser = crate::log::filter, default_value = "warn", global = true)]
    pub log: String,
}

impl Common {
    /// What is told apart.
    pub(crate) fn limits(&self) -> Limits {
        let idle_ns = u64::try_from(self.idle_timeout.as_nanos()).unwrap_or(u64::MAX);
        Limits { max_vnis: self.max_vnis as usize, max_peers: self.max_peers as usize, idle_ns }
    }
}

/// Commands besides watching.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Analyse a capture (pcap or pcapng) in the same way, without privileges.
    Read(Read),
    /// Remove what --pin keeps attached, and what a killed tunmon has left; tell what is still there.
    Detach,
    /// Tell what a finding means: symptom, cause, how to confirm it, what to do; without a code, list all.
    Explain {
        /// Code of the finding, such as TM104.
        code: Option<String>,
    },
    /// Find out how long a packet the underlay takes to another tunnel endpoint, by sending some; only when asked.
    Probe(Probe),
    /// Watch for 5 s (or --duration), then tell what fits through the tunnels: overhead, path MTU and longest packets of
    /// each peer, and the MTU that its pods may use.
    Mtu {
        /// Address of the peer to tell about, with its VNIs; default: all.
        peer: Option<String>,
    },
    /// Make a two-node tunnel with traffic in network namespaces, and watch it.
    Demo {
        /// What is wrong with the tunnel.
        #[arg(long, value_enum, default_value = "none")]
        fault: Fault,
    },
}

/// Options of `read`.
#[derive(Clone, Debug, Args)]
pub struct Read {
    /// The capture; - is standard input.
    pub file: PathBuf,
    /// This node's tunnel address(es), which decide what is received and what is transmitted; default: the endpoint of
    /// most tunnel packets.
    #[arg(long, env = "TUNMON_LOCAL", value_delimiter = ',')]
    pub local: Vec<IpAddr>,
    /// Print one tunmon.packet/v1 line per frame.
    #[arg(long)]
    pub packets: bool,
}

/// Forms of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Text on a terminal, JSON lines on a pipe.
    Auto,
    /// Tables for people.
    Text,
    /// One JSON object a line.
    Json,
    /// Nothing but errors.
    Quiet,
}

/// Parses `500ms`, `2s`, `1m`, `1h`, or a number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| "not a time; write it as 500ms, 2s, 1m or 1h".to_owned())?;
    let scale = match unit {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit {unit:?}; use ms, s, m or h")),
    };
    let seconds = number * scale;
    if !(0.01..=1e9).contains(&seconds) {
        return Err("must be at least 10ms".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        for wrong in ["", "s", "0s", "-1s", "2 weeks", "1e99", "nan"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_stand_before_and_behind_the_command() {
        for line in [["tunmon", "-i", "eth1", "demo"], ["tunmon", "demo", "-i", "eth1"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap().iface, ["eth1"]);
        }
    }
}
