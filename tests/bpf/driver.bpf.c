// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Drives a program under test: makes each packet of a BPF_PROG_TEST_RUN a different one, then hands over to the program
// by a tail call. Without it the path on which every packet answers another one could not be measured.
//
// The packet is Ethernet, IPv4, UDP, Geneve without options, Ethernet, IPv4, TCP with its timestamps first. In each pass
// all flows send one packet in one direction, in the next one all of them in the other; each packet carries a new TSval
// and echoes the one that its peer sent in the pass before. Each pass visits the flows in another order, so that no
// table profits from an order in which its entries happen to lie.

static long (*const tail_call)(void *context, void *array, u32 index) = (void *)12;
static u64 (*const ktime_get_boot_ns)(void) = (void *)125;

enum { PROG_ARRAY = 3, PERIOD_BITS = 23 };

SECTION("maps") struct map PROGRAM = { PROG_ARRAY, 4, 4, 1, 0 };

// Settings: numbers of flows and of VNIs, as powers of two, and the number of the first flow.
const volatile u32 FLOW_BITS = 0;
const volatile u32 VNI_BITS = 0;
const volatile u32 FIRST_FLOW = 0;
// Setting: packets at the beginning of each 2^23 ns of which the driver takes the time by itself; 0 for none. Programs that
// limit the rate of their events send one for each of these packets, and for few of the others.
const volatile u32 BATCH = 0;

struct {
	u64 sent;
	// Batches that are done, and the time that they took, from the first packet of one to the packet behind its last.
	u64 batches, passed_ns;
	// Of the batch that is not done: its start (0: there is none), and its packets to come.
	u64 started_ns, left;
	// The period of 2^23 ns that has begun (0: none is known yet).
	u64 period;
} STATE = { 0 };

// Where the driver writes: what is read as one word is written as one, or the reader would wait for several stores.
enum { OUTER_ADDRESSES = 26, VNI = 46, INNER_ADDRESSES = 76, PORTS = 84, TIMESTAMPS = 108, END = 116 };

// The flow that comes at this place in a pass: every step gives each of `1 << FLOW_BITS` numbers another one of them.
INLINE u32 flow_at(u64 place, u64 pass)
{
	u32 mask = (1u << FLOW_BITS) - 1;
	u64 order = (pass + 1) * 0x9e3779b97f4a7c15;
	u32 flow = (place ^ order >> 40) & mask;

	flow = flow * ((u32)(order >> 16) | 1) & mask;
	flow ^= flow >> (FLOW_BITS + 1) / 2;
	return flow * 0x9e3779b1 & mask;
}

INLINE void rewrite(void *data, void *end)
{
	if (data + END > end)
		return;
	u64 number = STATE.sent++;
	u32 pass = number >> FLOW_BITS, flow = FIRST_FLOW + flow_at(number, number >> FLOW_BITS);
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
	if (VNI_BITS)
		*(u32 *)(data + VNI) = HTONL((1000 + (flow & ((1u << VNI_BITS) - 1))) << 8);
	*(u64 *)(data + TIMESTAMPS) = two(pass + 5000, pass + 4999);
}

INLINE void take_time(void)
{
	if (!BATCH)
		return;
	if (STATE.left) {
		STATE.left--;
		return;
	}
	u64 now = ktime_get_boot_ns(), period = now >> PERIOD_BITS;
	if (STATE.started_ns) {
		STATE.passed_ns += now - STATE.started_ns;
		STATE.batches++;
		STATE.started_ns = 0;
	}
	if (period == STATE.period)
		return;
	if (STATE.period) {
		STATE.left = BATCH - 1;
		STATE.started_ns = now;
	}
	STATE.period = period;
}

SECTION("xdp") int drive_xdp(struct xdp_md *context)
{
	take_time();
	rewrite((void *)(u64)context->data, (void *)(u64)context->data_end);
	tail_call(context, &PROGRAM, 0);
	return 0; // XDP_ABORTED: the program under test was not there.
}

// The kernel keeps programs for packets in several buffers apart.
SECTION("xdp.frags") int drive_frags(struct xdp_md *context)
{
	take_time();
	rewrite((void *)(u64)context->data, (void *)(u64)context->data_end);
	tail_call(context, &PROGRAM, 0);
	return 0;
}

SECTION("classifier") int drive_tc(struct sk_buff *context)
{
	take_time();
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
