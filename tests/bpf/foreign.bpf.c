// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Somebody else's programs: each drops the UDP datagrams to its port, counts them, and leaves all others to the next one.
//
// It needs no header files: clang -O2 -target bpf -mcpu=v3 -c foreign.bpf.c

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SECTION(name) __attribute__((section(name), used))

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

// The first fields of struct __sk_buff.
struct skb {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority, ingress_ifindex;
	u32 ifindex, tc_index, cb[5], hash, tc_classid, data, data_end;
};

enum { XDP_DROP = 1, XDP_PASS = 2, TC_NEXT = -1, TC_DROP = 2 };

// Behind Ethernet: IPv4 without options, and UDP.
enum { ETHERTYPE = 12, VERSION = 14, PROTOCOL = 23, PORT_AT = 36, END = 42 };

const volatile u16 PORT = 0;

u64 DROPPED = 0;

static inline __attribute__((always_inline)) int is_mine(u8 *data, u8 *end)
{
	if (data + END > end || data[ETHERTYPE] != 8 || data[ETHERTYPE + 1] != 0 || data[VERSION] != 0x45)
		return 0;
	if (data[PROTOCOL] != 17 || (data[PORT_AT] << 8 | data[PORT_AT + 1]) != PORT)
		return 0;
	__sync_fetch_and_add(&DROPPED, 1);
	return 1;
}

SECTION("xdp") int foreign_xdp(struct xdp_md *context)
{
	return is_mine((u8 *)(u64)context->data, (u8 *)(u64)context->data_end) ? XDP_DROP : XDP_PASS;
}

SECTION("classifier") int foreign_tc(struct skb *context)
{
	return is_mine((u8 *)(u64)context->data, (u8 *)(u64)context->data_end) ? TC_DROP : TC_NEXT;
}

char LICENSE[] SECTION("license") = "Dual MIT/GPL";
