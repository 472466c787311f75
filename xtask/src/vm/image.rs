//! The kernel without its compression: under emulation, unpacking itself costs it seconds at every boot.
//!
//! A bzImage (the kernel's Documentation/arch/x86/boot.rst) has, from its start:
//!
//! ```text
//! 0x1f1  setup_sects     1 byte    the protected-mode part begins at (setup_sects + 1) × 512
//! 0x202  …
//! 0x248  payload_offset  4 bytes   of the compressed kernel, from there
//! 0x24c  payload_length  4 bytes
//! ```
//!
//! What is compressed is an ELF file, which QEMU boots by the PVH entry that distributions' kernels have.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, ensure};

/// Writes to `image` what `vmlinuz` holds; the same file where that is in no form that we know.
pub(super) fn make(vmlinuz: &Path, image: &Path) -> Result<()> {
    let packed = fs::read(vmlinuz).with_context(|| format!("cannot read {}", vmlinuz.display()))?;
    match payload(&packed).and_then(|payload| Some((unpacker(payload)?, payload))) {
        Some((program, payload)) => {
            let kernel = unpack(program, payload)?;
            ensure!(kernel.starts_with(b"\x7fELF"), "{} holds no ELF file", vmlinuz.display());
            fs::write(image, kernel).with_context(|| format!("cannot write {}", image.display()))
        }
        None => fs::copy(vmlinuz, image).map(drop).context("cannot copy the kernel"),
    }
}

fn payload(packed: &[u8]) -> Option<&[u8]> {
    let number = |at: usize| packed.get(at..at + 4)?.try_into().map(u32::from_le_bytes).ok();
    let sectors = usize::from(*packed.get(0x1f1)?);
    let start = (sectors + 1) * 512 + usize::try_from(number(0x248)?).ok()?;
    let length = usize::try_from(number(0x24c)?).ok()?;
    packed.get(start..start.checked_add(length)?)
}

/// The program that unpacks this.
fn unpacker(payload: &[u8]) -> Option<&'static str> {
    match payload.get(..4)? {
        [0xfd, b'7', b'z', b'X'] => Some("xz"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("zstd"),
        _ => None,
    }
}

fn unpack(program: &str, payload: &[u8]) -> Result<Vec<u8>> {
    // The kernel's build puts the length behind the stream, in 4 bytes that are none of the stream's.
    let stream = &payload[..payload.len() - 4];
    let mut command = Command::new(program);
    command.args(["-d", "-c", "-q"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
    let mut stdin = child.stdin.take().context("the standard input was piped above")?;
    let output = thread::scope(|scope| {
        // A writer of its own: both pipes are smaller than what goes through them.
        scope.spawn(move || stdin.write_all(stream));
        child.wait_with_output()
    })?;
    ensure!(output.status.success(), "{program} cannot unpack the kernel");
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_found_by_the_header() {
        let mut packed = vec![0; 2048];
        packed[0x1f1] = 1;
        packed[0x248..0x24c].copy_from_slice(&16_u32.to_le_bytes());
        packed[0x24c..0x250].copy_from_slice(&8_u32.to_le_bytes());
        packed[1040..1048].copy_from_slice(b"\xfd7zXabcd");
        assert_eq!(payload(&packed), Some(&b"\xfd7zXabcd"[..]));
        assert_eq!(unpacker(payload(&packed).unwrap()), Some("xz"));
    }

    #[test]
    fn lengths_that_lie_are_no_payload() {
        let mut packed = vec![0; 1024];
        packed[0x248..0x250].copy_from_slice(&[0xff; 8]);
        assert_eq!(payload(&packed), None);
        assert_eq!(payload(&packed[..100]), None);
    }
}
