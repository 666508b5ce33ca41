// SPDX-License-Identifier: Apache-2.0
// Bytes as a story of three cores: writes, deletes, deliveries in any order, twice or not at all,
// damaged and forged messages, ticks, pauses, restarts with and without a disk. The reference
// (gossip_model.h) watches every step; in the end all is delivered and all must agree.
#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip_model.h"
#include "gossip_net.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOSTS 3
#define QUEUE_MAX 256
#define STEPS_MAX 400
#define STEP_NS (10 * NS_PER_MS)

// What is under way is delivered when the story says so.
struct story {
    const uint8_t *at, *end;
    struct gossip_net net;
    struct gossip_model model;
    struct net_message queue[QUEUE_MAX];
    uint32_t count;
};

static struct story story;
static struct gossip_signing signing[HOSTS];
static struct gossip_public_key keys[HOSTS];

static uint8_t next_byte(void) {
    return story.at < story.end ? *story.at++ : 0;
}

static uint32_t next_host(void) {
    return next_byte() % HOSTS;
}

static bool hold_back(void *context, struct net_message *message) {
    (void)context;
    if (story.count == QUEUE_MAX) {
        return false;
    }
    struct net_message *held = &story.queue[story.count++];
    *held = *message;
    held->bytes = malloc(message->size + 1);
    assert(held->bytes != NULL);
    memcpy(held->bytes, message->bytes, message->size);
    return false; // the network frees its own
}

static struct net_message copy_of(const struct net_message *message) {
    struct net_message copy = *message;
    copy.bytes = malloc(message->size + 1);
    assert(copy.bytes != NULL);
    memcpy(copy.bytes, message->bytes, message->size);
    return copy;
}

static struct net_message take(uint32_t at) {
    struct net_message message = story.queue[at];
    story.queue[at] = story.queue[--story.count];
    return message;
}

// ---- what may happen

static void write_or_delete(bool deletes) {
    uint32_t host = next_host();
    uint32_t slot = next_byte() % MODEL_SLOTS;
    if (story.net.hosts[host].core == NULL || story.net.hosts[host].paused) {
        return;
    }
    if (deletes) {
        model_delete(&story.model, &story.net, host, slot);
    } else {
        model_put(&story.model, &story.net, host, slot);
    }
}

enum fate { DELIVERED, DELIVERED_AND_KEPT, DROPPED, FLIPPED, SHORT };

static void decide(enum fate fate) {
    if (story.count == 0) {
        return;
    }
    uint32_t at = next_byte() % story.count;
    struct net_message message = fate == DELIVERED_AND_KEPT ? copy_of(&story.queue[at]) : take(at);
    if (fate == DROPPED) {
        free(message.bytes);
        return;
    }
    size_t place = (size_t)next_byte() << 8;
    place = message.size > 0 ? (place | next_byte()) % message.size : 0;
    if (fate == FLIPPED && message.size > 0) {
        message.bytes[place] ^= (uint8_t)(1 + next_byte() % 255);
    } else if (fate == SHORT) {
        message.size = place;
    }
    message.damaged = fate == FLIPPED || fate == SHORT;
    story.model.damage = story.model.damage || message.damaged;
    net_inject(&story.net, message);
    net_run(&story.net, 0);
}

static void deliver_some(void) {
    for (uint32_t i = next_byte(); i > 0 && story.count > 0; i--) {
        net_inject(&story.net, take(0));
        net_run(&story.net, 0);
    }
}

static void kill_or_start(void) {
    uint32_t host = next_host();
    bool from_disk = next_byte() % 2 == 0;
    if (story.net.hosts[host].core == NULL) {
        model_start(&story.model, &story.net, host, from_disk);
    } else {
        net_kill(&story.net, host);
    }
}

static void pause_or_resume(void) {
    uint32_t host = next_host();
    if (story.net.hosts[host].core != NULL) {
        net_pause(&story.net, host, !story.net.hosts[host].paused);
    }
}

// A part that its origin never wrote: well-formed, its proof drawn.
static void forge(void) {
    uint32_t from = next_host();
    uint32_t of = next_host();
    const struct model_stamp known = story.model.replicas[from][of].stamp;
    struct wire_part part = {.life = {known.incarnation + next_byte() % 3, known.nonce},
                             .floor = next_byte() % 4 == 0 ? known.seq : 0};
    uint8_t proof[PROOF_SIZE_MAX];
    struct mp_writer writer;
    memset(proof, next_byte(), sizeof proof);
    if (part.life.incarnation == 0) {
        part.life.incarnation = 1;
    }
    part.from = next_byte() % 2 == 0 ? 0 : known.seq;
    part.to = part.from + 1 + next_byte() % 8;
    part.proof.bytes = (const char *)proof;
    part.proof.size = story.net.signing != NULL ? SIGNED_PROOF_SIZE : HASH_SIZE;
    memcpy(part.origin, story.net.hosts[of].name, sizeof part.origin);
    mp_write_growing(&writer);
    size_t message = wire_open_message(&writer, GOSSIP_PROTOCOL_VERSION, story.net.hosts[from].name,
                                       story.net.hosts[from].address,
                                       (struct life){1 + next_byte() % 3, next_byte()});
    size_t list = wire_open_list(&writer, next_byte() % 2 == 0 ? SECTION_PUSH : SECTION_DATA);
    size_t records = wire_open_part(&writer, &part);
    bool empty = next_byte() % 4 == 0;
    struct wire_record record = {part.to, GOSSIP_TABLE_JOB, {"job0", 4}, (const uint8_t *)"7", 2};
    if (!empty) {
        wire_write_record(&writer, &record);
    }
    mp_array_close(&writer, records, empty ? 0 : 1);
    wire_close_list(&writer, list, 1);
    wire_close_message(&writer, message, 1);
    assert(!writer.failed);
    story.model.damage = true;
    net_inject(&story.net, (struct net_message){.from = from,
                                                .to = next_host(),
                                                .damaged = true,
                                                .size = writer.size,
                                                .bytes = writer.bytes});
    net_run(&story.net, 0);
}

static void step(void) {
    switch (next_byte() % 14) {
    case 0:
    case 1:
        write_or_delete(false);
        break;
    case 2:
        write_or_delete(true);
        break;
    case 3:
        deliver_some();
        break;
    case 4:
        decide(DELIVERED);
        break;
    case 5:
        decide(DELIVERED_AND_KEPT);
        break;
    case 6:
        decide(DROPPED);
        break;
    case 7:
        decide(FLIPPED);
        break;
    case 8:
        decide(SHORT);
        break;
    case 9:
        net_run(&story.net, STEP_NS * next_byte());
        break;
    case 10:
        net_run(&story.net, STEP_NS / 4 * (next_byte() % 16));
        break;
    case 11:
        kill_or_start();
        break;
    case 12:
        pause_or_resume();
        break;
    default:
        forge();
    }
}

// ---- beginning and end

static void make_keys(void) {
    for (uint32_t i = 0; i < HOSTS; i++) {
        uint8_t entropy[crypto_sign_SEEDBYTES] = {(uint8_t)(i + 1)};
        crypto_sign_seed_keypair(keys[i].bytes, signing[i].secret_key, entropy);
        snprintf(keys[i].host, sizeof keys[i].host, "n%u", i);
        signing[i].keys = keys;
        signing[i].key_count = HOSTS;
    }
}

static void begin(uint8_t settings) {
    net_init(&story.net, HOSTS, settings);
    if ((settings & 1) != 0) {
        make_keys();
        story.net.signing = signing;
    }
    if ((settings & 2) != 0) {
        story.net.settings.tombstone_ns = 500 * NS_PER_MS;
    }
    story.count = 0;
    model_init(&story.model, &story.net);
    for (uint32_t i = 0; i < HOSTS; i++) {
        model_start(&story.model, &story.net, i, false);
    }
    if ((settings & 4) == 0) { // most stories begin among members
        net_run(&story.net, NS_PER_S);
    }
    story.net.tamper = hold_back;
}

static bool agrees(const struct gossip_net *net, const void *context) {
    (void)net;
    return model_agrees(&story.model, (char *)(uintptr_t)context);
}

static void end(void) {
    char text[MODEL_TEXT] = "";
    story.net.tamper = NULL;
    for (uint32_t i = 0; i < HOSTS; i++) {
        net_pause(&story.net, i, false);
        if (story.net.hosts[i].core == NULL && i == 0) {
            model_start(&story.model, &story.net, i, true);
        }
    }
    while (story.count > 0) {
        net_inject(&story.net, take(0));
    }
    net_run(&story.net, 500 * NS_PER_MS);
    bool agreed = net_run_until(&story.net, 3 * NS_PER_S, agrees, text);
    bool fine = model_sweep(&story.model);
    if (!agreed || !fine) {
        fprintf(stderr, "%s\n", fine ? text : story.model.violation);
    }
    assert(fine && agreed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int ready = sodium_init();
    assert(ready >= 0);
    story.at = data;
    story.end = data + size;
    begin(next_byte());
    for (int i = 0; i < STEPS_MAX && story.at < story.end; i++) {
        step();
        if (story.model.violation[0] != '\0') {
            break;
        }
    }
    end();
    model_fini(&story.model);
    net_fini(&story.net);
    return 0;
}
