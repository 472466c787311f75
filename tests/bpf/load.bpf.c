// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Generates packets for the load test: run with live frames it rewrites each frame and redirects it to a device, at
// millions of frames a second from one processor. And the empty programs that the receiving end is compared with.
//
// The frame is Ethernet, IPv4, UDP, Geneve without options, Ethernet, IPv4, TCP with its timestamps first. The number of
// a frame says what it becomes: its lowest bits choose the VNI, the next ones the peer, the next ones the flow, and the
// rest is the pass. All flows send one packet in one direction, then all of them one in the other; each packet carries a
// new TSval and echoes the one that its other end sent in the pass before. All of it comes from the peer: the receiving
// device sees both directions of a conversation come in, as a router between two nodes does.

static long (*const redirect)(u32 device, u64 flags) = (void *)23;

enum { XDP_DROP = 1 };

// Settings: where to send, whether frames are rewritten, and numbers as powers of two.
const volatile u32 DEVICE = 0;
const volatile u32 REWRITES = 0;
const volatile u32 VNI_BITS = 0;
const volatile u32 PEER_BITS = 0;
const volatile u32 FLOW_BITS = 0;

u64 SENT = 0;

// Where frames are rewritten.
enum { OUTER_SOURCE = 26, VNI = 46, INNER_ADDRESSES = 76, PORTS = 84, TIMESTAMPS = 108, END = 116 };

// The lowest bits of a number, which are taken from it.
INLINE u32 take(u64 *number, u32 bits)
{
	u32 taken = *number & ((1 << bits) - 1);
	*number >>= bits;
	return taken;
}

INLINE void rewrite(void *data, void *end)
{
	if (data + END > end)
		return;
	u64 number = SENT++;
	u32 network = take(&number, VNI_BITS), peer = take(&number, PEER_BITS), flow = take(&number, FLOW_BITS);
	u32 pass = number;
	// Each network has its own pods.
	u32 client = 0x0a000000 | (network & 0xffff) << 8 | flow >> 14, server = 0x0bc80001;
	u32 port = HTONS(1024 + (flow & 0x3fff) * 3), well_known = HTONS(443);

	*(u32 *)(data + OUTER_SOURCE) = HTONL(0xac100001 + peer);
	*(u32 *)(data + VNI) = HTONL((network + 1) << 8);
	if (pass & 1) {
		*(u64 *)(data + INNER_ADDRESSES) = two(server, client);
		*(u32 *)(data + PORTS) = port << 16 | well_known;
	} else {
		*(u64 *)(data + INNER_ADDRESSES) = two(client, server);
		*(u32 *)(data + PORTS) = well_known << 16 | port;
	}
	*(u64 *)(data + TIMESTAMPS) = two(pass + 5000, pass + 4999);
}

SECTION("xdp") int generate(struct xdp_md *context)
{
	if (REWRITES)
		rewrite((void *)(u64)context->data, (void *)(u64)context->data_end);
	return redirect(DEVICE, 0);
}

// What the receiving end is compared with; twice, to tell how noisy the machine is.
SECTION("xdp") int empty(struct xdp_md *context)
{
	return XDP_DROP;
}

SECTION("xdp") int twin(struct xdp_md *context)
{
	return XDP_DROP;
}

SECTION("license") char LICENSE[] = "Dual MIT/GPL";
