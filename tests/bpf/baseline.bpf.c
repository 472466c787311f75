// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What tunmon is compared with: the same basic work, written the straightforward way. A per-CPU hash holds the counters
// of each VNI; one lookup in a hash of flows serves both directions of a TCP connection, and each direction has at most
// one TSval that awaits its echo. Only what a packet needs is done, and the clock is read only to store or to match.
//
// tunmon does more: here is no ICMP, no part of a fragmented packet but the first, no loss, and no ageing.

static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static long (*const map_update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*const ktime_get_ns)(void) = (void *)5;
static void *(*const ring_reserve)(void *ring, u64 length, u64 flags) = (void *)131;
static void (*const ring_submit)(void *record, u64 flags) = (void *)132;

enum { HASH = 1, PERCPU_HASH = 5, RING = 27, NOEXIST = 1, NO_WAKEUP = 1 };
enum { IPV4 = HTONS(0x0800), IPV6 = HTONS(0x86dd), VLAN = HTONS(0x8100), BRIDGED = HTONS(0x6558), PORT = HTONS(6081) };
enum { TCP = 6, UDP = 17, LATER_FRAGMENT = HTONS(0x1fff), SYN = 2, RST = 4 };
enum { NOP_NOP_TIMESTAMPS = HTONL(0x0101080a), WITH_TIMESTAMPS = 32 };

// A packet's headers, as they stand in it.
struct ethernet { u8 ends[12]; u16 type; } __attribute__((packed));
struct ipv4 {
	u8 version_words, tos;
	u16 length, id, fragment;
	u8 ttl, protocol;
	u16 checksum;
	u32 source, destination;
};
struct ipv6 { u32 start; u16 length; u8 next, hops; u32 source[4], destination[4]; };
struct udp { u16 source, destination, length, checksum; };
struct geneve { u8 version_words, flags; u16 protocol; u32 vni; };
struct tcp { u16 source, destination; u32 sequence, acknowledged; u8 words, flags; u16 window, checksum, urgent; };

struct tunnel {
	u64 packets, bytes, samples, sum_ns;
	u32 histogram[64];
};

// A TSval that was sent at `sent_ns` (0: none) and awaits its echo, and the newest TSval (0: none).
struct side {
	u64 sent_ns;
	u32 awaited, newest;
};

struct flow {
	struct side sides[2];
};

// The end with the lower address comes first, so that both directions have the same key.
struct key_v4 {
	u32 vni, low, high;
	u16 low_port, high_port;
};

struct key_v6 {
	u32 low[4], high[4], vni;
	u16 low_port, high_port;
};

SECTION("maps") struct map TUNNELS = { PERCPU_HASH, 4, sizeof(struct tunnel), 4096, 0 };
SECTION("maps") struct map FLOWS_V4 = { HASH, sizeof(struct key_v4), sizeof(struct flow), 1024, 0 };
SECTION("maps") struct map FLOWS_V6 = { HASH, sizeof(struct key_v6), sizeof(struct flow), 1024, 0 };

SECTION("maps") struct map EVENTS = { RING, 0, 0, 1 << 20, 0 };

// Setting: how many samples in each 2^23 ns are events too.
const volatile u32 REPORTS = 0;


// What an event tells.
struct event {
	u64 at_ns, rtt_ns, packets;
	u32 vni, side, value, echo;
};

struct {
	// Packets that are not Geneve: proof that they were looked at, at no price. With several processors it would lose some.
	u64 other;
	// The period of 2^23 ns, and the events in it.
	u64 period, events;
} STATE = { 0 };

struct packet {
	void *end;
	struct tunnel *tunnel;
	u32 vni;
};

struct timestamps {
	u32 value, echo;
};

INLINE u32 interval(u64 ns)
{
	u32 value = ns >> 10, log = 0;

	if (value >> 16) { value >>= 16; log += 16; }
	if (value >> 8) { value >>= 8; log += 8; }
	if (value >> 4) { value >>= 4; log += 4; }
	if (value >> 2) { value >>= 2; log += 2; }
	return (log * 2 + value) & 63;
}

INLINE void sample(struct tunnel *tunnel, u64 rtt_ns)
{
	tunnel->samples++;
	tunnel->sum_ns += rtt_ns;
	tunnel->histogram[interval(rtt_ns)]++;
}

INLINE void report(u64 now, u64 rtt_ns, struct packet *packet, u32 side, struct timestamps stamps)
{
	if (STATE.period != now >> 23) {
		STATE.period = now >> 23;
		STATE.events = 0;
	}
	if (STATE.events++ >= REPORTS)
		return;
	struct event *event = ring_reserve(&EVENTS, sizeof(*event), 0);
	if (!event)
		return;
	event->at_ns = now;
	event->rtt_ns = rtt_ns;
	event->packets = packet->tunnel->packets;
	event->vni = packet->vni;
	event->side = side;
	event->value = stamps.value;
	event->echo = stamps.echo;
	ring_submit(event, NO_WAKEUP);
}

INLINE void track(struct flow *flow, u32 side, struct timestamps stamps, _Bool awaits_answer, struct packet *packet)
{
	struct side *mine = &flow->sides[side & 1], *other = &flow->sides[(side & 1) ^ 1];
	u64 now = 0;

	if (!mine->newest || (s32)(stamps.value - mine->newest) > 0) {
		mine->newest = stamps.value;
		if (awaits_answer && !mine->sent_ns) {
			now = ktime_get_ns();
			mine->awaited = stamps.value;
			mine->sent_ns = now;
		}
	}
	u64 sent_ns = other->sent_ns;
	if (!sent_ns || (s32)(stamps.echo - other->awaited) < 0)
		return;
	other->sent_ns = 0;
	if (stamps.echo != other->awaited)
		return;
	if (!now)
		now = ktime_get_ns();
	sample(packet->tunnel, now - sent_ns);
	if (REPORTS)
		report(now, now - sent_ns, packet, side, stamps);
}

// The flow of this key, made if need be, so that the packet's own TSval counts as new.
INLINE struct flow *flow_of(void *map, const void *key, u32 side, struct timestamps stamps)
{
	struct flow *flow = map_lookup(map, key);
	if (flow)
		return flow;
	struct flow fresh = { 0 };
	fresh.sides[side & 1].newest = stamps.value - 1;
	fresh.sides[(side & 1) ^ 1].newest = stamps.echo;
	map_update(map, key, &fresh, NOEXIST);
	return map_lookup(map, key);
}

// For the few that have the option elsewhere than Linux puts it.
static __attribute__((noinline)) u64 search(u8 *option, u8 *end, u32 left)
{
	for (u32 step = 0; step < 10 && left >= 10; step++) {
		if (option + 10 > end || option[0] == 0)
			break;
		if (option[0] == 8)
			return (u64)HTONL(*(u32 *)(option + 6)) << 32 | HTONL(*(u32 *)(option + 2));
		u32 size = option[0] == 1 ? 1 : option[1];
		if (!size || size > left || size > 40)
			break;
		option += size;
		left -= size;
	}
	return 0;
}

INLINE _Bool find_timestamps(struct tcp *tcp, void *end, struct timestamps *stamps)
{
	u32 header = (tcp->words >> 4) * 4, *options = (void *)(tcp + 1);

	if (header >= WITH_TIMESTAMPS && (void *)(options + 3) <= end && options[0] == NOP_NOP_TIMESTAMPS) {
		stamps->value = HTONL(options[1]);
		stamps->echo = HTONL(options[2]);
		return 1;
	}
	if (header <= sizeof(*tcp))
		return 0;
	u64 found = search((void *)options, end, header - sizeof(*tcp));
	stamps->value = found;
	stamps->echo = found >> 32;
	return found != 0;
}

INLINE void segment(struct packet *packet, struct tcp *tcp, u32 length, struct ipv4 *v4, struct ipv6 *v6)
{
	struct timestamps stamps;
	struct flow *flow;
	u32 side;

	if ((void *)(tcp + 1) > packet->end || tcp->flags & RST || !find_timestamps(tcp, packet->end, &stamps))
		return;
	_Bool awaits_answer = length > (u32)(tcp->words >> 4) * 4 || tcp->flags & SYN;
	if (v4) {
		side = v4->source > v4->destination || (v4->source == v4->destination && tcp->source > tcp->destination);
		struct key_v4 key = { packet->vni, side ? v4->destination : v4->source, side ? v4->source : v4->destination,
			side ? tcp->destination : tcp->source, side ? tcp->source : tcp->destination };
		flow = flow_of(&FLOWS_V4, &key, side, stamps);
	} else {
		u64 source = *(u64 *)&v6->source[2], destination = *(u64 *)&v6->destination[2];
		side = source > destination || (source == destination && tcp->source > tcp->destination);
		struct key_v6 key = { .vni = packet->vni };
		__builtin_memcpy(key.low, side ? v6->destination : v6->source, 16);
		__builtin_memcpy(key.high, side ? v6->source : v6->destination, 16);
		key.low_port = side ? tcp->destination : tcp->source;
		key.high_port = side ? tcp->source : tcp->destination;
		flow = flow_of(&FLOWS_V6, &key, side, stamps);
	}
	if (flow)
		track(flow, side, stamps, awaits_answer, packet);
}

INLINE void inner(struct packet *packet, struct ethernet *ethernet)
{
	void *network = ethernet + 1;
	if (network > packet->end)
		return;
	if (ethernet->type == IPV4) {
		struct ipv4 *v4 = network;
		if ((void *)(v4 + 1) > packet->end || v4->protocol != TCP || v4->fragment & LATER_FRAGMENT)
			return;
		u32 header = (v4->version_words & 15) * 4;
		if (header >= sizeof(*v4))
			segment(packet, network + header, HTONS(v4->length) - header, v4, 0);
	} else if (ethernet->type == IPV6) {
		struct ipv6 *v6 = network;
		if ((void *)(v6 + 1) <= packet->end && v6->next == TCP)
			segment(packet, (void *)(v6 + 1), HTONS(v6->length), 0, v6);
	}
}

// The Geneve header of a packet that has one.
INLINE struct geneve *outer(void *data, void *end)
{
	struct ethernet *ethernet = data;
	void *network = ethernet + 1, *transport;
	if (network > end)
		return 0;
	u16 type = ethernet->type;
	if (type == VLAN) {
		if (network + 4 > end)
			return 0;
		type = *(u16 *)(network + 2);
		network += 4;
	}
	if (type == IPV4) {
		struct ipv4 *v4 = network;
		if ((void *)(v4 + 1) > end || v4->protocol != UDP || v4->fragment & LATER_FRAGMENT)
			return 0;
		transport = network + (v4->version_words & 15) * 4;
	} else if (type == IPV6) {
		struct ipv6 *v6 = network;
		if ((void *)(v6 + 1) > end || v6->next != UDP)
			return 0;
		transport = v6 + 1;
	} else {
		return 0;
	}
	struct udp *udp = transport;
	struct geneve *geneve = transport + sizeof(*udp);
	return (void *)(geneve + 1) > end || udp->destination != PORT || geneve->version_words >> 6 ? 0 : geneve;
}

INLINE void look(void *data, void *end, u32 length)
{
	struct geneve *geneve = outer(data, end);
	if (!geneve) {
		STATE.other++;
		return;
	}
	struct packet packet = { .end = end, .vni = HTONL(geneve->vni) >> 8 };
	packet.tunnel = map_lookup(&TUNNELS, &packet.vni);
	if (!packet.tunnel) {
		static const struct tunnel none;
		map_update(&TUNNELS, &packet.vni, &none, NOEXIST);
		if (!(packet.tunnel = map_lookup(&TUNNELS, &packet.vni)))
			return;
	}
	packet.tunnel->packets++;
	packet.tunnel->bytes += length;
	if (geneve->protocol == BRIDGED)
		inner(&packet, (void *)(geneve + 1) + (geneve->version_words & 63) * 4);
}

SECTION("xdp") int baseline_xdp(struct xdp_md *context)
{
	look((void *)(u64)context->data, (void *)(u64)context->data_end, context->data_end - context->data);
	return 2; // XDP_PASS
}

SECTION("classifier") int baseline_tc(struct sk_buff *context)
{
	look((void *)(u64)context->data, (void *)(u64)context->data_end, context->len);
	return -1; // TC_ACT_UNSPEC
}

SECTION("license") char LICENSE[] = "Dual MIT/GPL";
