//! The kernel programs of tunmon: thin shells over the pipeline of `monitor-common`.
//!
//! Each hook begins with a program of its own, the short way, on which nearly every packet is finished. The others are
//! the steps of the long way, each reached by a tail call and each with a verifier budget of its own.
//! Whatever happens, XDP returns `XDP_PASS` and TC returns −1 (`TC_ACT_UNSPEC`, `TCX_NEXT`): nothing here can change,
//! delay or drop a packet. The programs of drops only look on while the kernel drops one.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod drops;
mod maps;
mod packet;
mod refused;
mod shell;
mod tc;
mod xdp;

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo) -> ! {
    loop {}
}

// SAFETY: the kernel reads the licence by this section's name; nothing else has the symbol.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
