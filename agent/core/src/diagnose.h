// SPDX-License-Identifier: Apache-2.0
// Diagnosis: the agent's own search for what loses or delays packets (locate.h), beside the
// prober's for what is dead. Pure.
//
//   loops     over each elected cable, each way, with several companions, so that the background
//             rounds of all hosts together cross every directed link whoever dies; in small fabrics
//             over all other links too; hairpins and host loops on demand
//   probes    `probes_per_second`, in the flows' own class: a queue, a policer or a buffer that
//   only
//             that class has is found by no other. The prober's are of network control, so that
//             load never makes a link look dead. While nothing is suspected a probe waits for
//             company: it leaves when the prober wakes up, or with the next of its own,
//             DIAGNOSE_BATCH at once and DIAGNOSE_CALM_NS late at most. While something is, they
//             leave evenly in time, and the repeats of a loss ahead of time.
//   findings  verdicts in force. What is well again stays one for a hold time, which doubles when
//   it
//             does not last.
//
// A host that did not run cannot judge: when a step comes DIAGNOSE_LATE_NS late, the probes under
// way are void, and the losses since then are taken back. So they are when an answer comes after
// its probe was given up.
//
// Ownership: borrows the fabric; everything else is its own. Errors: -ENOMEM.
#ifndef AGENT_CORE_DIAGNOSE_H
#define AGENT_CORE_DIAGNOSE_H

#include "agent_core/engine.h"
#include "locate.h"
#include "model/time.h"

#define DIAGNOSE_TOKEN (UINT64_C(1) << 62) // in all tokens of these probes, and in no others
#define DIAGNOSE_OUTSTANDING 4096
#define DIAGNOSE_TIMEOUT_NS (100 * NS_PER_MS) // no queue holds a packet that long
#define DIAGNOSE_LATE_NS (20 * NS_PER_MS)
#define DIAGNOSE_BATCH 4
#define DIAGNOSE_CALM_NS (40 * NS_PER_MS)
#define DIAGNOSE_REPEAT_NS NS_PER_MS // between two repeats: the same burst shall not take all
#define DIAGNOSE_FINDINGS_MAX 64
#define DIAGNOSE_SUSPICIONS_MAX 8
#define DIAGNOSE_TELL_NS (100 * NS_PER_MS) // suspicions are told no more often

// What to watch: the elected cables, and from which own port.
struct diagnose_watch {
    const port_id *own_ports;
    uint32_t own_port_count;
    const cable_id *cables;
    const uint32_t *ports;
    uint32_t count;
};

struct diagnose_finding {
    struct locate_verdict verdict;
    struct locate_suspect_name key; // by which localization knows it
    uint64_t since_ns;
    uint64_t over_at_ns, hold_ns; // over_at_ns 0: it goes on
    bool released;                // over, and the hold time too
};

struct diagnose_probe {
    uint64_t token; // 0: free
    uint64_t sent_at_ns;
    uint32_t loop;
    bool overdue; // counted as lost
};

struct diagnose_loop {
    struct sid_list sids;
    uint32_t port; // index of the own port
};

struct diagnose {
    const struct fabric *fabric;
    struct rng rng;
    struct locate *locate; // NULL: off
    struct diagnose_loop *loops;
    uint32_t loop_count;
    port_id own_ports[ENGINE_PORTS_MAX];
    uint32_t own_port_count;
    struct diagnose_probe *outstanding;
    uint64_t head_token, next_token; // [head, next) are under way or free
    uint64_t warm_until_ns;          // until then a loss may be address resolution
    uint64_t next_at_ns;             // of the probe that is due next
    uint64_t repeat_at_ns;           // no repeat earlier
    uint64_t deadline_ns;
    struct diagnose_finding findings[DIAGNOSE_FINDINGS_MAX];
    uint32_t finding_count;
    bool changed; // findings, since the caller cleared it
    struct locate_suspicion suspicions[DIAGNOSE_SUSPICIONS_MAX];
    uint32_t suspicion_count;
    uint64_t suspicions_at_ns;
    bool suspicions_changed; // likewise
    struct engine_probe *out;
    uint32_t out_count, out_capacity;
    uint64_t sent, lost, late_windows;
};

// A verdict that was reached, or whose fault is over. What the own loops cannot tell apart may be
// told by other means: the caller may change `what`.
typedef void diagnose_verdict_fn(void *context, struct locate_verdict *verdict);

int diagnose_init(struct diagnose *diagnose, const struct fabric *fabric, uint64_t seed,
                  uint64_t now_ns);
void diagnose_fini(struct diagnose *diagnose);
// Loops for what is watched now. Faults and delays stay known, suspicions begin anew. On failure
// the old loops stay.
int diagnose_set_loops(struct diagnose *diagnose, const struct diagnose_watch *watch,
                       uint64_t now_ns);
void diagnose_stop(struct diagnose *diagnose);  // forgets loops and findings
void diagnose_begin(struct diagnose *diagnose); // forgets the probes of the last step
void diagnose_tick(struct diagnose *diagnose, uint64_t now_ns,
                   const struct diagnosis_policy *policy, diagnose_verdict_fn *verdict,
                   void *context);
void diagnose_returned(struct diagnose *diagnose, uint64_t now_ns,
                       const struct engine_probe_result *result);
void diagnose_unsent(struct diagnose *diagnose, uint64_t token);
// Another host lost probes over a link that it suspects.
void diagnose_hear(struct diagnose *diagnose, link_id link, uint32_t peer, uint32_t sent,
                   uint32_t lost);
// The finding in force on a directed link, of itself or of a switch at its end; NULL: none. Of
// several: loss before delay.
const struct diagnose_finding *diagnose_find(const struct diagnose *diagnose, link_id link,
                                             uint64_t now_ns);
bool diagnose_is_loss(const struct diagnose_finding *finding);

// ---- diagnose_loops.c
// The loops of what is watched; *specs and *loops are owned by the caller.
int diagnose_make_loops(const struct fabric *fabric, const struct diagnose_watch *watch,
                        struct locate_loop_spec **specs, struct diagnose_loop **loops,
                        uint32_t *count);

#endif
