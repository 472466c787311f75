// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Drives a program under test: makes each packet of a BPF_PROG_TEST_RUN a different one, then hands over to the program
// by a tail call. Without it the path on which every packet answers another one could not be measured.
//
// The packet is Ethernet, IPv4, UDP, Geneve without options, Ethernet, IPv4, TCP with its timestamps first. All flows send
// one packet in one direction, then all of them one in the other; each packet carries a new TSval and echoes the one that
// its peer sent a moment ago.
//
// It needs no header files: clang -O2 -target bpf -mcpu=v3 -c driver.bpf.c

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define SECTION(name) __attribute__((section(name), used))
#define HTONS(x) __builtin_bswap16(x)
#define HTONL(x) __builtin_bswap32(x)

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

struct sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority, ingress_ifindex,
		ifindex, tc_index, cb[5], hash, tc_classid, data, data_end;
};

static long (*const tail_call)(void *context, void *array, u32 index) = (void *)12;

enum { PROG_ARRAY = 3 };

struct map {
	u32 type, key_size, value_size, max_entries, flags;
};

SECTION("maps") struct map PROGRAM = { PROG_ARRAY, 4, 4, 1, 0 };

// Setting: number of flows, as a power of two.
const volatile u32 FLOW_BITS = 0;

u64 SENT = 0;

// Where the driver writes: what is read as one word is written as one, or the reader would wait for several stores.
enum { OUTER_ADDRESSES = 26, INNER_ADDRESSES = 76, PORTS = 84, TIMESTAMPS = 108, END = 116 };

static inline __attribute__((always_inline)) u64 two(u32 first, u32 second)
{
	return (u64)HTONL(second) << 32 | HTONL(first);
}

static inline __attribute__((always_inline)) void rewrite(void *data, void *end)
{
	if (data + END > end)
		return;
	u64 number = SENT++;
	u32 bits = FLOW_BITS, flow = number & ((1 << bits) - 1), pass = number >> bits;
	u32 node = 0xac1f0701, peer = 0xac1f0702;
	u32 client = 0x0a000000 | flow >> 14, server = 0x0ac80001;
	u32 port = HTONS(1024 + (flow & 0x3fff) * 3), well_known = HTONS(443);

	if (pass & 1) {
		*(u64 *)(data + OUTER_ADDRESSES) = two(peer, node);
		*(u64 *)(data + INNER_ADDRESSES) = two(server, client);
		*(u32 *)(data + PORTS) = port << 16 | well_known;
	} else {
		*(u64 *)(data + OUTER_ADDRESSES) = two(node, peer);
		*(u64 *)(data + INNER_ADDRESSES) = two(client, server);
		*(u32 *)(data + PORTS) = well_known << 16 | port;
	}
	*(u64 *)(data + TIMESTAMPS) = two(pass + 5000, pass + 4999);
}

SECTION("xdp") int drive_xdp(struct xdp_md *context)
{
	rewrite((void *)(u64)context->data, (void *)(u64)context->data_end);
	tail_call(context, &PROGRAM, 0);
	return 0; // XDP_ABORTED: the program under test was not there.
}

SECTION("classifier") int drive_tc(struct sk_buff *context)
{
	rewrite((void *)(u64)context->data, (void *)(u64)context->data_end);
	tail_call(context, &PROGRAM, 0);
	return 2; // TC_ACT_SHOT
}

// What all times are net of; twice, to tell how noisy the machine is.
SECTION("xdp") int empty_xdp(struct xdp_md *context)
{
	return 2; // XDP_PASS
}

SECTION("xdp") int twin_xdp(struct xdp_md *context)
{
	return 2;
}

SECTION("classifier") int empty_tc(struct sk_buff *context)
{
	return -1; // TC_ACT_UNSPEC
}

SECTION("classifier") int twin_tc(struct sk_buff *context)
{
	return -1;
}

SECTION("license") char LICENSE[] = "Dual MIT/GPL";
