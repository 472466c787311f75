//! What one packet costs, by `BPF_PROG_TEST_RUN` on a machine that others use too.
//!
//! [`case`] lists what is measured, on [`packets`] in several a [`shape`] that [`driver`] makes different from each other.
//! [`stage`] puts into the kernel what [`loaded`], a plain [`baseline`] in C and each [`peer`] need; [`machine`] keeps the
//! noise down and the time; [`run`] goes round and keeps [`record`]s; [`figures`] makes sense of the times, beside what is
//! [`executed`], and [`report`] shows them. [`scale`] asks how the cost grows, and [`plot`] draws the answer.
//! The figure that counts is a minimum over many short bursts, net of the empty program's minimum in the same run.

pub mod baseline;
pub mod case;
pub mod driver;
pub mod executed;
pub mod figures;
pub mod loaded;
pub mod machine;
pub mod packets;
pub mod peer;
pub mod plot;
pub mod record;
pub mod report;
pub mod run;
pub mod scale;
pub mod shape;
pub mod stage;
