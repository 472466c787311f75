// SPDX-License-Identifier: MIT OR Apache-2.0
//
// What the programs in C share, so that they need no header files of the system: it comes before each of them.
//
//   clang -O2 -target bpf -mcpu=v3 -include bpf.h -c load.bpf.c

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline, unused))
#define HTONS(x) __builtin_bswap16(x)
#define HTONL(x) __builtin_bswap32(x)

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

struct sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority, ingress_ifindex,
		ifindex, tc_index, cb[5], hash, tc_classid, data, data_end;
};

struct map {
	u32 type, key_size, value_size, max_entries, flags;
};

// Two words in network order, as one.
INLINE u64 two(u32 first, u32 second)
{
	return (u64)HTONL(second) << 32 | HTONL(first);
}
