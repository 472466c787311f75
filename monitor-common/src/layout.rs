//! Where the running kernel's structures keep what the programs of drops read: offsets and values that user space takes
//! from the kernel's types (BTF) before it loads them, at these indexes of one array.

/// Bytes of a `sk_buff` that are read at once: all members below lie in them.
pub const SKB_BYTES: usize = 256;

/// `sk_buff.head`.
pub const SKB_HEAD: usize = 0;
/// `sk_buff.data`.
pub const SKB_DATA: usize = 1;
/// `sk_buff.len`.
pub const SKB_LEN: usize = 2;
/// `sk_buff.data_len`.
pub const SKB_DATA_LEN: usize = 3;
/// `sk_buff.protocol`.
pub const SKB_PROTOCOL: usize = 4;
/// `sk_buff.network_header`.
pub const SKB_NETWORK_HEADER: usize = 5;
/// `sk_buff.dev`.
pub const SKB_DEV: usize = 6;
/// `sk_buff.sk`.
pub const SKB_SK: usize = 7;
/// `net_device.ifindex`.
pub const DEV_INDEX: usize = 8;
/// `net_device.nd_net.net`.
pub const DEV_NET: usize = 9;
/// `sock.__sk_common.skc_net.net`.
pub const SOCK_NET: usize = 10;
/// `net.ns.inum`.
pub const NET_INODE: usize = 11;
/// 1 when the tracepoint of drops has a reason.
pub const HAS_REASON: usize = 12;
/// `socket.sk`.
pub const SOCKET_SK: usize = 13;
/// `packet_sock.ifindex`.
pub const PACKET_INDEX: usize = 14;
/// `msghdr.msg_name`.
pub const MESSAGE_NAME: usize = 15;
/// `msghdr.msg_iter.iter_type`.
pub const ITERATOR_TYPE: usize = 16;
/// `msghdr.msg_iter.iov`, or `__iov`.
pub const ITERATOR_VECTOR: usize = 17;
/// `msghdr.msg_iter.ubuf`, where there is one.
pub const ITERATOR_BUFFER: usize = 18;
/// `ITER_UBUF`, or a number that no type has.
pub const IS_BUFFER: usize = 19;
/// `sk_buff.skb_iif`: not 0 when the packet was received.
pub const SKB_RECEIVED: usize = 20;
/// The reason of a packet that is too long to be forwarded, or a number that no reason has.
pub const TOO_BIG: usize = 21;
/// `sock.__sk_common.skc_family`.
pub const SOCK_FAMILY: usize = 22;
/// `pt_regs`: number of the system call.
pub const CALL: usize = 23;
/// `pt_regs`: its second argument.
pub const CALL_SECOND: usize = 24;
/// `pt_regs`: its third argument.
pub const CALL_THIRD: usize = 25;
/// `pt_regs`: its fifth argument.
pub const CALL_FIFTH: usize = 26;
/// Numbers of `sendto`, `sendmsg` and `sendmmsg`.
pub const SENDTO: usize = 27;
/// See [`SENDTO`].
pub const SENDMSG: usize = 28;
/// See [`SENDTO`].
pub const SENDMMSG: usize = 29;
/// `msghdr.msg_iter.count`.
pub const ITERATOR_COUNT: usize = 30;
/// Length of the array.
pub const MEMBERS: usize = 31;
