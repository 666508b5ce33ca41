// SPDX-License-Identifier: Apache-2.0
// From broadcasts to records of the own origin: many values share a record, because an origin has
// room for 8192 of these. A record's key holds the nonce, so a later life never overwrites, unseen,
// what an earlier one wrote.
#ifndef AGENT_SHELL_MAELSTROM_WRITER_H
#define AGENT_SHELL_MAELSTROM_WRITER_H

#include "gossip/gossip.h"
#include "maelstrom_values.h"
#include "maelstrom_wire.h"

#define RECORD_VALUES 64
#define RECORD_BYTES_MAX (16U * 1024) // a record of more is full; one value may be longer

struct writer {
    char name[NAME_SIZE]; // of the own origin
    uint32_t nonce;
    struct wire_request *pending; // not written yet
    uint32_t pending_count, pending_capacity;
    json_t *record; // the last one: values that it holds
    uint32_t record_index, record_bytes;
};

int writer_init(struct writer *writer, uint32_t nonce); // -ENOMEM
void writer_fini(struct writer *writer);
int writer_add(struct writer *writer, struct wire_request request); // takes it; -ENOMEM
// Writes what is pending and adds the answers to `out`.
void writer_write(struct writer *writer, uint64_t now_ns, struct gossip *gossip,
                  struct values *values, struct text *out);
bool writer_is_key(const char *key); // of a record with values

#endif
