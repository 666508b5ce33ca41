// SPDX-License-Identifier: Apache-2.0
#include "capacity.h"

#define PS_PER_NS 1000
#define BITS_PS UINT64_C(8000000000000) // bits of a byte times picoseconds of a second

// The mean of the gaps between the packets from `from` on that are back, by one of their times.
static uint64_t mean_gap_ps(const struct train_packet *packets, uint32_t from, uint32_t count,
                            bool sent) {
    uint64_t first_ns = UINT64_MAX, last_ns = 0;
    uint32_t seen = 0;
    for (uint32_t i = from; i < count; i++) {
        if (packets[i].back) {
            uint64_t at_ns = sent ? packets[i].sent_at_ns : packets[i].received_at_ns;
            first_ns = at_ns < first_ns ? at_ns : first_ns;
            last_ns = at_ns > last_ns ? at_ns : last_ns;
            seen++;
        }
    }
    return seen < 2 || last_ns <= first_ns ? 0 : (last_ns - first_ns) * PS_PER_NS / (seen - 1);
}

static bool enough_back(const struct train_packet *packets, uint32_t from, uint32_t count) {
    uint32_t back = 0;
    for (uint32_t i = from; i < count; i++) {
        back += packets[i].back ? 1 : 0;
    }
    return 2 * back >= count - from && back >= CAPACITY_PACKETS_MIN / 4;
}

uint64_t train_gap_ps(const struct train_packet *packets, uint32_t count) {
    uint32_t half = count / 2;
    return enough_back(packets, half, count) ? mean_gap_ps(packets, half, count, false) : 0;
}

uint64_t train_sent_gap_ps(const struct train_packet *packets, uint32_t count) {
    return mean_gap_ps(packets, 0, count, true);
}

uint64_t train_least_gap_ps(uint64_t rate_bps, uint32_t bytes) {
    return rate_bps == 0 ? 0 : bytes * BITS_PS / rate_bps;
}

uint64_t train_rate_bps(uint64_t dense_ps, uint64_t thin_ps, uint32_t bytes) {
    // A thin train that comes back closer together than the dense one says nothing of others.
    uint64_t others_ps = thin_ps > dense_ps ? thin_ps - dense_ps : 0;
    uint64_t gap_ps = dense_ps > others_ps ? dense_ps - others_ps : 0; // 2 * dense - thin
    return gap_ps == 0 ? UINT64_MAX : bytes * BITS_PS / gap_ps;
}
