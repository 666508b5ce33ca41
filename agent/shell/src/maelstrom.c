// SPDX-License-Identifier: Apache-2.0
// The node: a line comes in and is dispatched by its type; a tick carries values between clients
// and the core, and flushes what the core wants sent.
#include "maelstrom.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "maelstrom_post.h"
#include "maelstrom_values.h"
#include "maelstrom_writer.h"
#include "model/time.h"

#define SEEDS_USED 64
#define ANSWERER_SIZE 256       // so that a name which is too long can be told so
#define LISTEN_NS 1             // an earlier life is outbid when it is heard of
#define READY_NS (2 * NS_PER_S) // init is answered then at the latest
#define ADOPT_NS NS_PER_S       // orphans wait up to that long for somebody else

// Silence that a slow and lossy network makes is no death: a neighbour counts as silent after
// twenty pings of which none came.
#define PING_INTERVAL_NS (250 * NS_PER_MS)
#define PING_TIMEOUT_NS (5 * NS_PER_S)
#define DEAD_AFTER_NS (5 * NS_PER_S)
#define DIGEST_INTERVAL_NS                                                                         \
    (300 * NS_PER_MS) // where a third of the messages is lost, so are answers

struct maelstrom {
    uint32_t nonce;
    uint64_t seed;
    struct rng rng;
    char name[ANSWERER_SIZE];
    struct gossip *gossip; // NULL before init
    uint32_t node_count;
    struct wire_request starter; // whoever waits for init_ok
    uint64_t ready_by_ns;
    struct values values;
    struct writer writer;
    uint64_t adopt_at_ns; // 0: no orphans
    struct post post;
    uint64_t flush_at_ns; // not before
    struct text out, log;
};

// ---- construction

int maelstrom_open(uint32_t nonce, uint64_t seed, struct maelstrom **out) {
    struct maelstrom *node = calloc(1, sizeof(*node));
    if (node == NULL) {
        return -ENOMEM;
    }
    node->nonce = nonce;
    node->seed = seed;
    rng_init(&node->rng, seed);
    if (writer_init(&node->writer, nonce) != 0 || values_init(&node->values) != 0) {
        maelstrom_close(node);
        return -ENOMEM;
    }
    *out = node;
    return 0;
}

void maelstrom_close(struct maelstrom *node) {
    if (node == NULL) {
        return;
    }
    writer_fini(&node->writer);
    wire_release(&node->starter);
    values_fini(&node->values);
    post_fini(&node->post);
    gossip_close(node->gossip);
    text_fini(&node->out);
    text_fini(&node->log);
    free(node);
}

struct text *maelstrom_output(struct maelstrom *node) {
    return &node->out;
}

struct text *maelstrom_log(struct maelstrom *node) {
    return &node->log;
}

// ---- answers

static void answer(struct maelstrom *node, const struct wire_message *message, json_t *body) {
    struct wire_request to = wire_hold(message, NULL);
    wire_answer(&node->out, node->name, &to, body);
    wire_release(&to);
}

static void refuse(struct maelstrom *node, const struct wire_message *message, enum wire_code code,
                   const char *text) {
    text_print(&node->log, "%.40s from %.40s: %s\n", message->type, message->src, text);
    answer(node, message, wire_error(code, text));
}

// ---- init

static bool is_name(const char *text) {
    return text != NULL && text[0] != '\0' && strlen(text) < NAME_SIZE;
}

// The other nodes from the one after us on, so that not all start with the same. False where a name
// cannot be used or ours is missing.
static bool list_seeds(json_t *ids, const char *self, const char *seeds[SEEDS_USED],
                       uint32_t *count) {
    size_t own = json_array_size(ids);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        if (!is_name(id)) {
            return false;
        }
        own = strcmp(id, self) == 0 ? i : own;
    }
    for (size_t i = 1; i < json_array_size(ids) && *count < SEEDS_USED; i++) {
        seeds[(*count)++] =
            json_string_value(json_array_get(ids, (own + i) % json_array_size(ids)));
    }
    return own < json_array_size(ids);
}

static int open_core(struct maelstrom *node, uint64_t now_ns, const char *name,
                     const char *const *seeds, uint32_t seed_count) {
    struct error error = {0};
    struct gossip_config config = {.nonce = node->nonce,
                                   .seed = node->seed,
                                   .ping_interval_ns = PING_INTERVAL_NS,
                                   .ping_timeout_ns = PING_TIMEOUT_NS,
                                   .dead_after_ns = DEAD_AFTER_NS,
                                   .digest_interval_ns = DIGEST_INTERVAL_NS,
                                   .listen_ns = LISTEN_NS,
                                   .seeds = seeds,
                                   .seed_count = seed_count};
    snprintf(config.name, sizeof(config.name), "%s", name);
    snprintf(config.address, sizeof(config.address), "%s", name);
    int rc = gossip_open(&config, now_ns, &node->gossip, &error);
    if (rc != 0) {
        text_print(&node->log, "%s\n", error.text);
        return rc;
    }
    snprintf(node->name, sizeof(node->name), "%s", name);
    snprintf(node->writer.name, sizeof(node->writer.name), "%s", name);
    return 0;
}

// Who knows the nodes need not find them: all know all after one latency.
static void introduce(struct maelstrom *node, uint64_t now_ns, json_t *ids) {
    gossip_tick(node->gossip, now_ns + LISTEN_NS); // takes up a life
    for (size_t i = 0; i < json_array_size(ids); i++) {
        const char *id = json_string_value(json_array_get(ids, i));
        if (strcmp(id, node->name) != 0) {
            gossip_introduce(node->gossip, now_ns + LISTEN_NS, id);
        }
    }
}

static void on_init(struct maelstrom *node, uint64_t now_ns, const struct wire_message *message) {
    const char *name = json_string_value(json_object_get(message->body, "node_id"));
    json_t *ids = json_object_get(message->body, "node_ids");
    const char *seeds[SEEDS_USED];
    uint32_t seed_count = 0;
    if (node->gossip != NULL) {
        refuse(node, message, WIRE_MALFORMED, "this node has had its init");
        return;
    }
    if (!is_name(name) || !list_seeds(ids, name, seeds, &seed_count)) {
        refuse(node, message, WIRE_MALFORMED,
               "node_id and node_ids expected: names of at most 31 bytes, node_id among them");
        return;
    }
    if (open_core(node, now_ns, name, seeds, seed_count) != 0) {
        refuse(node, message, WIRE_MALFORMED, "no node can be made of this node_id");
        return;
    }
    introduce(node, now_ns, ids);
    node->node_count = (uint32_t)json_array_size(ids);
    node->starter = wire_hold(message, NULL);
    node->ready_by_ns = now_ns + READY_NS;
}

static void answer_when_ready(struct maelstrom *node, uint64_t now_ns) {
    if (node->starter.client == NULL) {
        return;
    }
    uint32_t known = gossip_member_count(node->gossip);
    if (known >= node->node_count || now_ns >= node->ready_by_ns) {
        text_print(&node->log, "ready: %u of %u nodes known\n", known, node->node_count);
        wire_answer(&node->out, node->name, &node->starter, json_pack("{s:s}", "type", "init_ok"));
        wire_release(&node->starter);
    }
}

// ---- requests

static void on_topology(struct maelstrom *node, uint64_t now_ns,
                        const struct wire_message *message) {
    (void)now_ns;
    if (!json_is_object(json_object_get(message->body, "topology"))) {
        refuse(node, message, WIRE_MALFORMED, "topology expected: an object of lists of nodes");
        return;
    }
    answer(node, message,
           json_pack("{s:s}", "type",
                     "topology_ok")); // it is optional; the overlay is the core's own
}

static void on_broadcast(struct maelstrom *node, uint64_t now_ns,
                         const struct wire_message *message) {
    (void)now_ns;
    json_t *value = json_object_get(message->body, "message");
    if (value == NULL) {
        refuse(node, message, WIRE_MALFORMED, "message expected");
        return;
    }
    if (!values_accept(value)) {
        refuse(node, message, WIRE_MALFORMED, "message: more than 4096 bytes");
        return;
    }
    node->out.failed |= writer_add(&node->writer, wire_hold(message, value)) != 0;
}

static void on_read(struct maelstrom *node, uint64_t now_ns, const struct wire_message *message) {
    (void)now_ns;
    answer(node, message, json_pack("{s:s, s:O}", "type", "read_ok", "messages", node->values.all));
}

static void on_gossip(struct maelstrom *node, uint64_t now_ns, const struct wire_message *message) {
    json_t *data = json_object_get(message->body, "data");
    if (!json_is_array(data)) {
        refuse(node, message, WIRE_MALFORMED, "data expected: a list of base64 texts");
        return;
    }
    for (size_t i = 0; i < json_array_size(data); i++) {
        json_t *text = json_array_get(data, i);
        uint8_t *bytes;
        size_t size;
        if (!json_is_string(text) ||
            base64_decode(json_string_value(text), json_string_length(text), &bytes, &size) != 0) {
            refuse(node, message, WIRE_MALFORMED, "data expected: a list of base64 texts");
            return;
        }
        gossip_receive(node->gossip, now_ns, message->src, bytes, size);
        free(bytes);
    }
}

static const struct {
    const char *type;
    void (*handle)(struct maelstrom *node, uint64_t now_ns, const struct wire_message *message);
    bool before_init;
} handlers[] = {
    {"init", on_init, true},      {"topology", on_topology, false},
    {"gossip", on_gossip, false}, {"broadcast", on_broadcast, false},
    {"read", on_read, false},
};

static void dispatch(struct maelstrom *node, uint64_t now_ns, const struct wire_message *message) {
    for (size_t i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (strcmp(handlers[i].type, message->type) == 0) {
            if (node->gossip == NULL && !handlers[i].before_init) {
                refuse(node, message, WIRE_UNAVAILABLE, "this node has had no init yet");
            } else {
                handlers[i].handle(node, now_ns, message);
            }
            return;
        }
    }
    refuse(node, message, WIRE_NOT_SUPPORTED, "this node has no such request");
}

void maelstrom_line(struct maelstrom *node, uint64_t now_ns, const char *line, size_t size) {
    struct wire_message message;
    struct error error = {0};
    if (wire_parse(line, size, &message, &error) != 0) {
        text_print(&node->log, "%s\n", error.text);
        return;
    }
    if (node->gossip == NULL) {
        snprintf(node->name, sizeof(node->name), "%s", message.dest);
    }
    if (strcmp(message.dest, node->name) != 0) {
        text_print(&node->log, "%.40s for %.40s, not for us\n", message.type, message.dest);
    } else if (json_object_get(message.body, "in_reply_to") != NULL) {
        // Never answered: two nodes could go on for ever.
        text_print(&node->log, "%.40s from %.40s: we asked for nothing\n", message.type,
                   message.src);
    } else {
        dispatch(node, now_ns, &message);
    }
    wire_fini(&message);
}

// ---- from the core to clients

static void learn_values(struct maelstrom *node, const struct gossip_change *change) {
    if (change->table != GOSSIP_TABLE_HOST || !writer_is_key(change->key)) {
        return;
    }
    uint32_t source = values_source(&node->values, change->origin, change->key);
    if (change->value == NULL) {
        values_drop(&node->values, source);
        return;
    }
    json_t *values = json_loadb(change->value, change->size, 0, NULL);
    if (!json_is_array(values)) {
        text_print(&node->log, "%s of %s is no list of values\n", change->key, change->origin);
    }
    for (size_t i = 0; i < json_array_size(values); i++) {
        if (values_add(&node->values, json_array_get(values, i), source) == -ENOMEM) {
            node->out.failed = true;
        }
    }
    json_decref(values);
}

static void learn(struct maelstrom *node) {
    static const char *const states[] = {"alive", "suspect", "dead", "gone"};
    struct gossip_change change;
    while (gossip_take_change(node->gossip, &change)) {
        switch (change.kind) {
        case GOSSIP_RECORD:
            learn_values(node, &change);
            break;
        case GOSSIP_MEMBER_STATE:
            text_print(&node->log, "%s is %s\n", change.origin, states[change.state]);
            break;
        case GOSSIP_ALARM_DUPLICATE:
        case GOSSIP_ALARM_FORGED:
        case GOSSIP_ALARM_VERSION:
            text_print(&node->log, "alarm %d about %s\n", (int)change.kind, change.origin);
            break;
        }
    }
}

// Nodes adopt at different times, so mostly one does it and the others hear of it.
static void adopt(struct maelstrom *node, uint64_t now_ns) {
    if (node->values.orphan_count == 0) {
        node->adopt_at_ns = 0;
    } else if (node->adopt_at_ns == 0) {
        node->adopt_at_ns = now_ns + 1 + rng_below(&node->rng, ADOPT_NS);
    } else if (now_ns >= node->adopt_at_ns) {
        json_t *value;
        uint32_t next = 0;
        text_print(&node->log, "adopts %u values\n", node->values.orphan_count);
        while ((value = values_next_orphan(&node->values, &next)) != NULL &&
               writer_add(&node->writer, (struct wire_request){.value = json_incref(value)}) == 0) {
        }
        node->adopt_at_ns = 0;
    }
}

// ---- the tick

static void collect(struct maelstrom *node) {
    struct gossip_message message;
    while (gossip_take_message(node->gossip, &message)) {
        post_add(&node->post, node->name, &message, &node->out);
    }
    node->out.failed |= node->post.failed;
}

static bool is_waiting(const struct maelstrom *node) {
    return node->writer.pending_count > 0 || node->post.waiting;
}

static void flush(struct maelstrom *node, uint64_t now_ns) {
    struct text answers = {.bytes = NULL}; // to broadcasts: they leave after what they acknowledge
    writer_write(&node->writer, now_ns, node->gossip, &node->values, &answers);
    gossip_tick(node->gossip, now_ns); // tells what was written
    collect(node);
    post_flush(&node->post, node->name, &node->out);
    text_add(&node->out, answers.bytes, answers.size);
    node->out.failed |= answers.failed;
    text_fini(&answers);
    node->flush_at_ns = now_ns + MAELSTROM_FLUSH_NS;
}

void maelstrom_tick(struct maelstrom *node, uint64_t now_ns) {
    if (node->gossip == NULL) {
        return;
    }
    if (now_ns >= gossip_deadline_ns(node->gossip)) {
        gossip_tick(node->gossip, now_ns);
    }
    learn(node);
    adopt(node, now_ns);
    collect(node);
    if (is_waiting(node) && now_ns >= node->flush_at_ns) {
        flush(node, now_ns);
    }
    answer_when_ready(node, now_ns);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t maelstrom_deadline_ns(const struct maelstrom *node) {
    if (node->gossip == NULL) {
        return NEVER_NS;
    }
    uint64_t deadline = gossip_deadline_ns(node->gossip);
    deadline = is_waiting(node) ? earlier(deadline, node->flush_at_ns) : deadline;
    deadline = node->starter.client != NULL ? earlier(deadline, node->ready_by_ns) : deadline;
    return node->adopt_at_ns != 0 ? earlier(deadline, node->adopt_at_ns) : deadline;
}
