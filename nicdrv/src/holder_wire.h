// SPDX-License-Identifier: Apache-2.0
// The messages between agent and holder (msgpack), each behind its length in four bytes,
// big-endian.
//
//   HELLO    [ 1, lowest, highest ]          versions of the sender; the holder answers with one
//   OPEN     [ 2, device, vport, mac, gateway mac, bin of classes ]
//   OPENED   [ 3, capabilities, attachment, unsettled, set ]
//   APPLY    [ 4, set ]
//   DONE     [ 5, 0, "", unsettled, set | nil ]              nil: as wanted, or as before
//   FAILED   [ 6, errno, sentence, unsettled, set | nil ]    errno is positive
//   COUNTERS [ 7, nil ]  answer [ 7, [[rule, path, packets, bytes]...] ]   rule: index in the set
//   QPS      [ 8, nil ]  answer [ 8, [[destination, qp, port, packets, bytes]...] ]
//   TOTALS   [ 9, nil ]  answer [ 9, [encapsulated, decapsulated, plain] ]
//   LOST     [ 10, errno, sentence, unsettled, set | nil ]
//   CLOSE    [ 11, remove ]          answered by DONE or FAILED when something is to be removed
//
//   capabilities = [ spray, per QP, SRH, counters, most rules, most bytes of encapsulation ]
//   set          = [ [SID...], [encap...], [rule...] ]                              sealed
//   encap        = [ source, bin of SIDs ]
//   rule         = [ destination, key kind, key, select, [encap...], bin of buckets | nil ]
//
// Addresses, SIDs and MACs are bins. Every array may carry further elements, which a version that
// does not know them ignores; what must not be ignored takes a new version, and the holder answers
// HELLO with the highest that both know. So an older holder serves a newer agent.
//
// Decoding checks the whole message, sets included, before anything of it is used; the items of
// counters and QPs are then read in place.
#ifndef NICDRV_HOLDER_WIRE_H
#define NICDRV_HOLDER_WIRE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/error.h"
#include "model/mp.h"
#include "nicdrv/nic.h"

#define HOLDER_VERSION_LOWEST 1
#define HOLDER_VERSION 1
#define HOLDER_HEADER_SIZE 4
#define HOLDER_MESSAGE_MAX (32U << 20) // more than the largest set
#define HOLDER_COUNTERS_MAX (1U << 20) // further ones are not told; the agent takes fewer
#define HOLDER_QPS_MAX (1U << 16)      // likewise
#define HOLDER_ATTACHMENT_SIZE 32

enum holder_kind {
    HOLDER_HELLO = 1,
    HOLDER_OPEN,
    HOLDER_OPENED,
    HOLDER_APPLY,
    HOLDER_DONE,
    HOLDER_FAILED,
    HOLDER_COUNTERS,
    HOLDER_QPS,
    HOLDER_TOTALS,
    HOLDER_LOST,
    HOLDER_CLOSE,
};

struct holder_message {
    enum holder_kind kind;
    uint32_t lowest, highest; // HELLO
    char device[IF_NAMESIZE]; // OPEN, and what follows it
    struct nic_eswitch_options eswitch;
    struct nic_capabilities capabilities; // OPENED, and what follows it
    char attachment[HOLDER_ATTACHMENT_SIZE];
    struct error error;     // DONE, FAILED, LOST: code is -errno
    bool unsettled;         // OPENED, DONE, FAILED, LOST
    bool has_set;           // OPENED, APPLY; DONE, FAILED, LOST: maybe
    struct rule_set set;    // owned
    bool is_answer;         // COUNTERS, QPS, TOTALS
    struct mp_reader items; // borrows the message's bytes
    uint32_t item_count;
    uint64_t encapsulated, decapsulated, plain; // TOTALS
    bool remove;                                // CLOSE
};

struct holder_counter {
    uint32_t rule, path;
    uint64_t packets, bytes;
};

// The message without its length. -EPROTO with the reason, -ENOMEM. *out owned on success only.
int holder_decode(const void *bytes, size_t size, struct holder_message *out, struct error *error);
void holder_message_fini(struct holder_message *message);
void holder_next_counter(struct mp_reader *items, struct holder_counter *out);
void holder_next_qp(struct mp_reader *items, struct nic_qp *out);

// Each writes one message without its length.
void holder_put_hello(struct mp_writer *writer, uint32_t lowest, uint32_t highest);
void holder_put_open(struct mp_writer *writer, const char *device,
                     const struct nic_eswitch_options *eswitch);
void holder_put_opened(struct mp_writer *writer, const struct nic_capabilities *capabilities,
                       const char *attachment, bool unsettled, const struct rule_set *set);
void holder_put_apply(struct mp_writer *writer, const struct rule_set *set);
// DONE, FAILED or LOST; set may be NULL.
void holder_put_outcome(struct mp_writer *writer, enum holder_kind kind, const struct error *error,
                        bool unsettled, const struct rule_set *set);
void holder_put_question(struct mp_writer *writer, enum holder_kind kind);
// Answers to COUNTERS and QPS: begin, any number of items, end.
size_t holder_begin_items(struct mp_writer *writer, enum holder_kind kind);
void holder_put_counter(struct mp_writer *writer, const struct holder_counter *counter);
void holder_put_qp(struct mp_writer *writer, const struct nic_qp *qp);
void holder_put_totals(struct mp_writer *writer, uint64_t encapsulated, uint64_t decapsulated,
                       uint64_t plain);
void holder_put_close(struct mp_writer *writer, bool remove);

#endif
