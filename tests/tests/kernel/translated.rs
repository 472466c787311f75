//! What is proven of the object holds for what this kernel made of it.

use std::collections::BTreeSet;

use monitor::bpf::{Kernel, OBJECT, Sizes, load};
use tests::bytecode::flow::Fault;
use tests::bytecode::object::Object;
use tests::bytecode::rules::{self, Offence};
use tests::bytecode::translated::{self, Symbols};
use tests::needs;

#[test]
fn every_loaded_program_always_passes_and_calls_nothing_else() {
    if !needs::is_root() {
        needs::skip("not root: loading programs needs it");
        return;
    }
    let mut symbols = match Symbols::read() {
        Ok(symbols) => symbols,
        Err(error) => return needs::skip(&error.to_string()),
    };
    let kernel = Kernel::load(&[6081], Sizes::new(2, 2, 2, load::processors().unwrap()), 0).unwrap();
    let object = Object::parse(OBJECT).unwrap();
    let (mut called, mut unread) = (BTreeSet::new(), Vec::new());
    for (name, program) in kernel.programs() {
        // A kernel without packets in several buffers does not have all programs.
        let Ok(fd) = program.fd() else { continue };
        let code = translated::code(fd).unwrap();
        let verdict = object.programs().find(|program| program.name == name).unwrap().verdict().unwrap();
        let offences = rules::exits(&code, verdict);
        // Linux 7.3 has made something of one program that this reader does not know; it is no proof of anything.
        if matches!(offences[..], [Offence::Fault(Fault::Register(_))]) {
            unread.push(name);
            continue;
        }
        assert_eq!(offences, [], "{name} must return {verdict}");
        let calls = symbols.calls(&code);
        assert_eq!(calls.forbidden, BTreeSet::new(), "{name}");
        called.extend(calls.all);
    }
    if !unread.is_empty() {
        needs::skip(&format!("this kernel's translation has registers that are not known here: {}", unread.join(", ")));
    }
    println!("{called:?}");
    // Finding none would mean that nothing was read.
    assert!(called.contains("bpf_tail_call") && called.contains("bpf_ringbuf_submit"), "{called:?}");
}
