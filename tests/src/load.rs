//! tunmon under load: millions of frames a second into a device that it watches.
//!
//! A [`generator`] sends live frames over a [`wire`], a veth pair between two namespaces, whose other end runs natively
//! what [`receiver`] attaches there. [`ratio`] compares tunmon's program with an empty one that drops, which needs a
//! [`verdict`] that tunmon never gives; [`daemon`] watches what the whole tunmon costs, [`scale`] what it does with more
//! than its tables hold, [`scrape`] what reading them costs. [`usage`] asks the kernel for time and memory, [`report`]
//! prints. The receiving end runs on the generator's processor, so nothing is lost and what varies is the time.

pub mod daemon;
pub mod generator;
pub mod ratio;
pub mod receiver;
pub mod report;
pub mod scale;
pub mod scrape;
pub mod usage;
pub mod verdict;
pub mod wire;
