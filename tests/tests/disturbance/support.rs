//! What all these tests need: rights and tools, loaded programs.

use monitor::bpf::{Attachment, Kernel, Sizes, load};
use tests::calm::{Mode, Place};
use tests::{needs, process, tunmon};

/// True after having said what is missing here, if something is.
pub(super) fn skips() -> bool {
    let reason = needs::missing(&[needs::NETWORK, needs::HOOKS]);
    let reason = reason.or_else(|| tunmon::binary().err().map(|error| error.to_string()));
    if let Some(reason) = &reason {
        needs::skip(reason);
    }
    reason.is_some()
}

pub(super) fn load() -> Kernel {
    Kernel::load(&[6081], Sizes::new(8, 8, 1024, load::processors().unwrap()), 0).unwrap()
}

/// Attaches at the place, to the hooks that the mode means.
pub(super) fn attach(kernel: &mut Kernel, place: Place<'_>, mode: Mode) -> Attachment {
    let attachment = place.attach(kernel, mode.ingress()).unwrap();
    assert_eq!([attachment.ingress, attachment.egress], mode.hooks());
    attachment
}

/// Detaches; nothing is attached any more when this returns.
pub(super) fn detach<T>(attachments: T) {
    process::alone(|| drop(attachments));
}
