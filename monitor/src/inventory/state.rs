//! The sources of names, and how they are.

use jiff::Timestamp;
use serde::Serialize;

use super::Name;

/// Sources, in the order in which they decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The file that the operator wrote.
    File,
    /// OVN's Southbound database.
    OvnSb,
    /// The node's own switch.
    Ovs,
    /// The nodes of a Kubernetes cluster.
    Kubernetes,
}

impl Kind {
    /// Its name in records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::OvnSb => "ovn_sb",
            Self::Ovs => "ovs",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// How a source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Which.
    pub kind: Kind,
    /// Its state.
    pub state: State,
    /// Where it is: a file, a remote, a server.
    pub from: Name,
    /// Why it is not up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Name>,
    /// Nodes, networks and ports that it has told of.
    pub entries: usize,
    /// When what it tells was last known to be so: the time of the last answer or of the last read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synced: Option<Timestamp>,
}

/// Whether a source tells what is so now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It has not answered yet.
    Starting,
    /// It is there, and what it says is of now.
    Up,
    /// It is not there; what it said before stays, and is as old as `synced` says.
    Down,
}
