//! What one packet costs, by `BPF_PROG_TEST_RUN` on a machine that others use too.
//!
//! [`case`] lists what is measured, on [`packets`] that [`driver`] makes different from each other, with what [`loaded`]
//! puts into the kernel, and beside it a plain [`baseline`] in C; [`machine`] keeps the noise down and the time; [`run`]
//! goes round and keeps [`record`]s; [`figures`] makes sense of the times, and [`report`] shows them.
//! The figure that counts is a minimum over many short bursts, net of the empty program's minimum in the same run.

pub mod baseline;
pub mod case;
pub mod driver;
pub mod figures;
pub mod loaded;
pub mod machine;
pub mod packets;
pub mod record;
pub mod report;
pub mod run;
