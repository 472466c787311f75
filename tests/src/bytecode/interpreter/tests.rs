//! Hand-made programs.

use super::super::object::Function;
use super::super::{ADD, MOVE, MOVE_REGISTER, PSEUDO_CALL};
use super::image::{Map, kind};
use super::*;

type Slot = (u8, usize, usize, i16, i32);

const PASS: [Slot; 2] = [(MOVE, 0, 0, 0, 2), (EXIT, 0, 0, 0, 0)];

fn function(name: &str, code: &[Slot], calls: &[(usize, usize)]) -> Function {
    let instruction = |&(opcode, to, from, offset, immediate)| Instruction { opcode, to, from, offset, immediate };
    let (name, code) = (name.to_owned(), code.iter().map(instruction).collect());
    Function { name, code, calls: calls.iter().copied().collect(), ..Function::default() }
}

fn map(name: &str, kind: u32, value_length: usize) -> Map {
    Map { name: name.to_owned(), kind, key_length: 4, value_length, entries: 2 }
}

/// A machine with one program.
fn machine(code: &[Slot]) -> Machine {
    Machine::new(Image { functions: vec![function("main", code, &[])], ..Image::default() }).unwrap()
}

/// A machine with one program that begins with the address of `map` in r1.
fn with_map(map: Map, code: &[Slot]) -> Machine {
    let code = [&[(WIDE, 1, 1, 0, 0), (0, 0, 0, 0, 0)], code].concat();
    let targets = [((0, 0), Target::Map(0))].into();
    let functions = vec![function("main", &code, &[])];
    Machine::new(Image { functions, maps: vec![map], targets, ..Image::default() }).unwrap()
}

fn run(machine: &mut Machine, frame: &[u8]) -> Run {
    machine.run("main", Kind::Xdp, frame).unwrap()
}

#[test]
fn a_jump_that_is_taken_skips_what_it_jumps_over() {
    let code = |immediate| [(MOVE, 0, 0, 0, 2), (0x15, 0, 0, 1, immediate), (MOVE, 0, 0, 0, 9), (EXIT, 0, 0, 0, 0)];
    assert_eq!(run(&mut machine(&code(2)), &[]), Run { verdict: 2, instructions: 3, ..Run::default() });
    assert_eq!(run(&mut machine(&code(3)), &[]), Run { verdict: 9, instructions: 4, ..Run::default() });
}

#[test]
fn a_wide_constant_is_one_instruction() {
    let code = [(WIDE, 0, 0, 0, -1), (0, 0, 0, 0, 1), (0x77, 0, 0, 0, 32), (EXIT, 0, 0, 0, 0)];
    assert_eq!(run(&mut machine(&code), &[]), Run { verdict: 1, instructions: 3, ..Run::default() });
}

#[test]
fn a_loop_counts_each_time_and_one_without_end_is_an_error() {
    let code = [(MOVE, 0, 0, 0, 4), (ADD, 0, 0, 0, -1), (0x55, 0, 0, -2, 0), (EXIT, 0, 0, 0, 0)];
    assert_eq!(run(&mut machine(&code), &[]).instructions, 1 + 4 * 2 + 1);
    assert!(machine(&[(0x05, 0, 0, -1, 0)]).run("main", Kind::Xdp, &[]).is_err());
}

#[test]
fn each_hook_finds_the_packet_by_its_own_context() {
    let third_byte = |data| [(0x61, 1, 1, data, 0), (0x71, 0, 1, 2, 0), (EXIT, 0, 0, 0, 0)];
    let frame = [7, 8, 9];
    assert_eq!(run(&mut machine(&third_byte(0)), &frame).verdict, 9);
    let found = machine(&third_byte(76)).run("main", Kind::Classifier, &frame).unwrap();
    assert_eq!(found.verdict, 9);
    assert!(machine(&third_byte(0)).run("main", Kind::Xdp, &frame[..2]).is_err(), "a read behind the packet");
}

#[test]
fn a_function_has_a_frame_of_its_own_and_leaves_r6_alone() {
    // r6 = 5; [r10-8] = 5; call; r0 += r6; r0 += [r10-8]; exit
    let main = [
        (MOVE, 6, 0, 0, 5),
        (0x7b, 10, 6, -8, 0),
        (CALL, 0, PSEUDO_CALL, 0, 0),
        (0x0f, 0, 6, 0, 0),
        (0x79, 1, 10, -8, 0),
        (0x0f, 0, 1, 0, 0),
        (EXIT, 0, 0, 0, 0),
    ];
    let callee = [(MOVE, 6, 0, 0, 100), (0x7b, 10, 6, -8, 0), (MOVE, 0, 0, 0, 1), (EXIT, 0, 0, 0, 0)];
    let functions = vec![function("main", &main, &[(2, 1)]), function("callee", &callee, &[])];
    let mut machine = Machine::new(Image { functions, ..Image::default() }).unwrap();
    assert_eq!(run(&mut machine, &[]), Run { verdict: 11, instructions: 11, ..Run::default() });
}

/// Looks up the key that is the packet's length, adds one to the value, returns what it was; 99 when there is none.
const COUNT: [Slot; 9] = [
    (0x63, 10, 7, -4, 0),
    (MOVE_REGISTER, 2, 10, 0, 0),
    (ADD, 2, 0, 0, -4),
    (CALL, 0, 0, 0, 1),
    (0x15, 0, 0, 5, 0),
    (0x79, 1, 0, 0, 0),
    (ADD, 1, 0, 0, 1),
    (0x7b, 0, 1, 0, 0),
    (0xbf, 0, 1, 0, 0),
];

/// [`COUNT`] for the key `key`.
fn count(kind: u32, key: i32) -> Machine {
    let code = [&[(MOVE, 7, 0, 0, key)], &COUNT[..], &[(EXIT, 0, 0, 0, 0)], &[(MOVE, 0, 0, 0, 99), (EXIT, 0, 0, 0, 0)]];
    with_map(map("COUNTS", kind, 8), &code.concat())
}

#[test]
fn values_of_arrays_begin_as_zero_and_last_from_packet_to_packet() {
    let mut machine = count(kind::CPU_ARRAY, 1);
    assert_eq!(run(&mut machine, &[]).verdict, 1);
    let second = run(&mut machine, &[]);
    assert_eq!((second.verdict, second.helpers), (2, [(LOOK_UP, 1)].into()));
    assert_eq!(run(&mut count(kind::ARRAY, 2), &[]).verdict, 99, "there are two entries");
    assert_eq!(run(&mut count(kind::HASH, 1), &[]).verdict, 99, "nobody has put anything in");
}

#[test]
fn a_hash_takes_a_new_key_once_and_no_more_than_it_has_room_for() {
    let code = |key| {
        let store = [(MOVE, 7, 0, 0, key), (0x63, 10, 7, -4, 0), (MOVE_REGISTER, 2, 10, 0, 0), (ADD, 2, 0, 0, -4)];
        let call = [(MOVE_REGISTER, 3, 2, 0, 0), (MOVE, 4, 0, 0, 1), (CALL, 0, 0, 0, 2), (EXIT, 0, 0, 0, 0)];
        [store, call].concat()
    };
    let claims = map("CLAIMS", kind::HASH, 1);
    let mut machine = with_map(claims.clone(), &code(1));
    assert_eq!(run(&mut machine, &[]).verdict, 0);
    assert_eq!(run(&mut machine, &[]).verdict, -17);
    let full = Map { entries: 0, ..claims };
    assert_eq!(run(&mut with_map(full, &code(1)), &[]).verdict, -7);
}

#[test]
fn a_tail_call_goes_on_in_the_program_that_the_map_names() {
    // r2 = map; r1 = context; r3 = 1; tail_call
    let code = [
        (MOVE_REGISTER, 6, 1, 0, 0),
        (WIDE, 2, 1, 0, 0),
        (0, 0, 0, 0, 0),
        (MOVE_REGISTER, 1, 6, 0, 0),
        (MOVE, 3, 0, 0, 1),
        (CALL, 0, 0, 0, 12),
        (EXIT, 0, 0, 0, 0),
    ];
    let functions = vec![function("main", &code, &[]), function("next", &PASS, &[])];
    let (maps, targets) = (vec![map("STEPS", kind::PROGRAMS, 4)], [((0, 1), Target::Map(0))].into());
    let mut machine = Machine::new(Image { functions, maps, targets, ..Image::default() }).unwrap();
    assert!(machine.run("main", Kind::Xdp, &[]).is_err(), "nobody has put the program in");
    machine.chain("STEPS", 1, "next").unwrap();
    let run = run(&mut machine, &[]);
    assert_eq!((run.verdict, run.instructions, run.helpers), (2, 7, [("tail_call", 1)].into()));
}

#[test]
fn bytes_of_the_packet_are_copied_if_all_are_there() {
    // skb_load_bytes(context, 1, r10-8, 2); r0 = *(u16 *)(r10-8)
    let code = [
        (MOVE, 2, 0, 0, 1),
        (MOVE_REGISTER, 3, 10, 0, 0),
        (ADD, 3, 0, 0, -8),
        (MOVE, 4, 0, 0, 2),
        (CALL, 0, 0, 0, 26),
        (0x69, 0, 10, -8, 0),
        (EXIT, 0, 0, 0, 0),
    ];
    let mut machine = machine(&code);
    assert_eq!(machine.run("main", Kind::Classifier, &[1, 2, 3]).unwrap().verdict, 0x0302);
    assert_eq!(machine.run("main", Kind::Classifier, &[1, 2]).unwrap().verdict, 0);
}

#[test]
fn what_is_not_known_is_an_error() {
    let is_error = |code: &[Slot]| machine(code).run("main", Kind::Xdp, &[]).is_err();
    assert!(is_error(&[(CALL, 0, 0, 0, 4), (EXIT, 0, 0, 0, 0)]), "a helper");
    assert!(is_error(&[(0xdb, 10, 1, -8, 0), (EXIT, 0, 0, 0, 0)]), "an atomic addition");
    assert!(is_error(&[(MOVE, 0, 0, 0, 0)]), "no exit");
    assert!(is_error(&[(0x79, 0, 2, 0, 0), (EXIT, 0, 0, 0, 0)]), "a read of address 0");
}
