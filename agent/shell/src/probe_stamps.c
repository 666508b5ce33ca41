// SPDX-License-Identifier: Apache-2.0
#include "agent_shell/probe_stamps.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <string.h>
#include <time.h>

#define READ_BATCH 64
#define READ_ROUNDS (PROBE_STAMPS / READ_BATCH)
#define CONTROL_SIZE 128
// The two clocks are not read at the same moment.
#define CLOCK_SLACK_NS (100 * NS_PER_US)

#define REPORT                                                                                     \
    (SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY)

static bool set_flags(int fd, int flags) {
    return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)) == 0;
}

// Asking for numbers anew makes the kernel count from 0 again.
static bool count_from_zero(int fd) {
    return set_flags(fd, REPORT) && set_flags(fd, REPORT | SOF_TIMESTAMPING_OPT_ID);
}

void probe_stamps_init(struct probe_stamps *stamps, int fd) {
    *stamps = (struct probe_stamps){.fd = fd};
    stamps->works = fd >= 0 && count_from_zero(fd);
}

uint16_t probe_stamps_expect(struct probe_stamps *stamps, uint64_t token, uint64_t due_at_ns,
                             uint64_t now_ns) {
    if (!stamps->works) {
        return PROBE_NO_MARK;
    }
    uint32_t place = stamps->next_key++ % PROBE_STAMPS;
    if (!stamps->ring[place].pending) { // else a driver that makes no stamps, or a lost one
        stamps->pending++;
    }
    stamps->ring[place] = (struct probe_stamp){token, due_at_ns, now_ns, 0, true};
    return (uint16_t)(place + 1);
}

uint64_t probe_stamp_of(const struct cmsghdr *cmsg) {
    struct timespec stamp;
    if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SO_TIMESTAMPING ||
        cmsg->cmsg_len < CMSG_LEN(sizeof(stamp))) {
        return 0;
    }
    memcpy(&stamp, CMSG_DATA(cmsg), sizeof(stamp));
    return (uint64_t)stamp.tv_sec * NS_PER_S + (uint64_t)stamp.tv_nsec;
}

struct reader {
    struct mmsghdr headers[READ_BATCH];
    alignas(struct cmsghdr) uint8_t control[READ_BATCH][CONTROL_SIZE];
};

static int read_batch(int fd, struct reader *reader) {
    for (unsigned i = 0; i < READ_BATCH; i++) {
        reader->headers[i] = (struct mmsghdr){
            .msg_hdr = {.msg_control = reader->control[i], .msg_controllen = CONTROL_SIZE}};
    }
    return recvmmsg(fd, reader->headers, READ_BATCH, MSG_ERRQUEUE | MSG_DONTWAIT, NULL);
}

static bool parse(struct msghdr *header, uint64_t *wall_ns, uint32_t *key) {
    bool named = false;
    *wall_ns = 0;
    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(header); cmsg != NULL;
         cmsg = CMSG_NXTHDR(header, cmsg)) {
        uint64_t stamp_ns = probe_stamp_of(cmsg);
        struct sock_extended_err about;
        if (stamp_ns != 0) {
            *wall_ns = stamp_ns;
        } else if (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_RECVERR &&
                   cmsg->cmsg_len >= CMSG_LEN(sizeof(about))) {
            memcpy(&about, CMSG_DATA(cmsg), sizeof(about));
            named = about.ee_origin == SO_EE_ORIGIN_TIMESTAMPING && about.ee_info == SCM_TSTAMP_SND;
            *key = about.ee_data;
        }
    }
    return named && *wall_ns != 0;
}

bool probe_stamp_is_late(const struct probe_stamp *stamp, int64_t offset_ns) {
    return stamp->wall_ns + (uint64_t)offset_ns > stamp->due_at_ns + PROBE_LATE_NS;
}

static void learn(struct probe_stamps *stamps, uint32_t key, uint64_t wall_ns, int64_t offset_ns,
                  probe_late_fn *late, void *context) {
    struct probe_stamp *stamp = &stamps->ring[key % PROBE_STAMPS];
    uint64_t left_at_ns = wall_ns + (uint64_t)offset_ns;
    // One of before a restart, or of a wall clock that was set meanwhile.
    if (!stamp->pending || left_at_ns + CLOCK_SLACK_NS < stamp->asked_at_ns) {
        return;
    }
    stamp->pending = false;
    stamps->pending--;
    stamp->wall_ns = wall_ns;
    if (probe_stamp_is_late(stamp, offset_ns)) {
        late(context, stamp->token);
    }
}

void probe_stamps_read(struct probe_stamps *stamps, int64_t offset_ns, probe_late_fn *late,
                       void *context) {
    struct reader reader;
    int count = READ_BATCH;
    for (int round = 0; round < READ_ROUNDS && stamps->pending > 0 && count == READ_BATCH;
         round++) {
        count = read_batch(stamps->fd, &reader);
        for (int i = 0; i < count; i++) {
            uint64_t wall_ns;
            uint32_t key = 0;
            if (parse(&reader.headers[i].msg_hdr, &wall_ns, &key)) {
                learn(stamps, key, wall_ns, offset_ns, late, context);
            }
        }
    }
}

void probe_stamps_restart(struct probe_stamps *stamps) {
    struct reader reader;
    if (!stamps->works) {
        return;
    }
    for (int round = 0; round < READ_ROUNDS && read_batch(stamps->fd, &reader) > 0; round++) {
    }
    memset(stamps->ring, 0, sizeof(stamps->ring));
    stamps->next_key = stamps->pending = 0;
    stamps->works = count_from_zero(stamps->fd);
}

const struct probe_stamp *probe_stamps_find(const struct probe_stamps *stamps, uint16_t mark,
                                            uint64_t token) {
    if (mark == PROBE_NO_MARK || mark > PROBE_STAMPS) {
        return NULL;
    }
    const struct probe_stamp *stamp = &stamps->ring[mark - 1];
    return stamp->token == token && stamp->wall_ns != 0 ? stamp : NULL;
}
