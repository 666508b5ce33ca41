// SPDX-License-Identifier: Apache-2.0
// bench_crowd FABRIC FOLDER BASE: all hosts of a fabric but the first, as members, for one agent
// that runs beside them with the first host's name: every host has a life, a key and signed records
// as agents write them, and those that the agent takes for its neighbours answer, over the carrier.
// The others answer nobody: only neighbours are pinged.
//
// Host number i is at BASE.(i / 250).(i % 250 + 1), port 7946. FOLDER gets fleet.keys and the first
// host's secret. Prints "ready" and runs until standard input ends.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "gossip/facts.h"
#include "gossip_zmq/gossip_zmq.h"
#include "model/fabric.h"
#include "model/time.h"
#include "model_yaml/fabric_file.h"
#include "pathalg/plan.h"

#define PORT 7946
#define TICK_MAX_MS 50
#define ALIVE_MAX 64                  // neighbours of the agent, and its seed
#define PATIENCE_NS (3600 * NS_PER_S) // of those who run with those who do not
#define REPORTS 10 // of a host: two of its own link, eight of cables that it is elected for
#define JOBS 2     // that all hosts take part in

struct crowd {
    struct fabric *fabric;
    uint32_t count;
    struct curve_key *keys;
    char (*secrets)[CURVE_KEY_TEXT_SIZE];
    struct curve_keys list;
    struct gossip *base;
    struct gossip_signing *base_signing;
    struct {
        struct gossip *core;
        struct gossip_zmq *carrier;
        struct gossip_signing *signing;
    } alive[ALIVE_MAX];
    uint32_t alive_count;
};

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void die(const char *what, const char *why) {
    fprintf(stderr, "bench_crowd: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

// ---- keys

static void make_keys(struct crowd *crowd, const char *folder, const char *base) {
    char path[256];
    struct error error;
    snprintf(path, sizeof(path), "%s/fleet.keys", folder);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        die(path, "cannot be written");
    }
    for (uint32_t i = 0; i < crowd->count; i++) {
        struct curve_key *key = &crowd->keys[i];
        snprintf(key->host, sizeof(key->host), "%s", crowd->fabric->nodes[i].name);
        snprintf(key->address, sizeof(key->address), "tcp://%s.%u.%u:%u", base, i / 250,
                 i % 250 + 1, PORT);
        if (curve_keypair(key->public_key, crowd->secrets[i]) != 0 ||
            curve_sign_key(crowd->secrets[i], key->sign_key) != 0) {
            die(key->host, "no keys");
        }
        fprintf(file, "%s\t%s\t%s\t%s\n", key->host, key->public_key, key->sign_key, key->address);
    }
    fclose(file);
    snprintf(path, sizeof(path), "%s/host.secret", folder);
    if (curve_secret_write(path, crowd->secrets[0], &error) != 0) {
        die(path, error.text);
    }
    crowd->list = (struct curve_keys){crowd->keys, crowd->count};
}

// ---- members

static struct gossip *open_core(const struct crowd *crowd, uint32_t host,
                                const struct gossip_signing *signing) {
    const struct fabric *fabric = crowd->fabric;
    struct gossip_config config = {.nonce = host + 1,
                                   .seed = host + 1,
                                   .listen_ns = 1,
                                   .ping_timeout_ns = PATIENCE_NS,
                                   .signing = signing,
                                   .base = crowd->base};
    struct gossip *core;
    struct error error;
    node_id leaf = fabric->ports[fabric->nodes[host].first_port].leaf;
    memcpy(config.name, crowd->keys[host].host, sizeof(config.name));
    memcpy(config.address, crowd->keys[host].address, sizeof(config.address));
    snprintf(config.rack, sizeof(config.rack), "%s", fabric->nodes[leaf.i].name);
    if (gossip_open(&config, now_ns(), &core, &error) != 0) {
        die(config.name, error.text);
    }
    gossip_tick(core, now_ns());
    return core;
}

static void put(struct gossip *core, enum gossip_table table, const char *key, const void *value,
                ssize_t size) {
    if (size < 0 || gossip_put(core, now_ns(), table, key, value, (size_t)size) != 0) {
        die(key, "cannot be put");
    }
}

static void put_facts(const struct crowd *crowd, struct gossip *core, uint32_t host) {
    uint8_t bytes[4096];
    const struct fabric *fabric = crowd->fabric;
    struct member_facts facts = {.fabric_generation = fabric->generation,
                                 .held_generation = fabric->generation,
                                 .plan_version = PLAN_VERSION,
                                 .protocol_version = GOSSIP_PROTOCOL_VERSION,
                                 .decap_ready = true,
                                 .nic_driver = "ebpf",
                                 .build = "0.1.0"};
    memcpy(facts.fabric_digest, fabric->digest, sizeof(facts.fabric_digest));
    memcpy(facts.held_digest, fabric->digest, sizeof(facts.held_digest));
    put(core, GOSSIP_TABLE_MEMBER, "", bytes, member_facts_encode(&facts, bytes, sizeof(bytes)));
    for (uint32_t i = 0; i < REPORTS; i++) {
        char name[LINK_NAME_SIZE];
        struct link_report report = {.verdict = LINK_UP,
                                     .capacity_ppm = CAPACITY_FULL_PPM,
                                     .delay_ns = 12000 + i,
                                     .probe_count = 100000 + host};
        link_id link = {(host * REPORTS + i) % fabric_link_count(fabric)};
        fabric_format_link(fabric, link, name);
        put(core, GOSSIP_TABLE_LINK, name, bytes,
            link_report_encode(&report, bytes, sizeof(bytes)));
    }
    for (uint32_t i = 0; i < JOBS; i++) {
        char key[JOB_NAME_SIZE + NAME_SIZE + 1];
        struct rank_binding binding = {.job_generation = 1, .rank = host};
        snprintf(binding.job, sizeof(binding.job), "bench%u", i);
        snprintf(binding.port, sizeof(binding.port), "%s", fabric->nodes[host].name);
        snprintf(key, sizeof(key), "%s/%s", binding.job, binding.port);
        put(core, GOSSIP_TABLE_RANK, key, bytes,
            rank_binding_encode(&binding, bytes, sizeof(bytes)));
    }
    struct host_facts settings = {.count = 0};
    for (unsigned setting = 0; setting < HOST_SETTINGS; setting++) {
        (void)host_facts_add(&settings, (enum host_setting)setting, 0, "0,0,0,1,0,0,0,0");
    }
    put(core, GOSSIP_TABLE_HOST, "settings", bytes,
        host_facts_encode(&settings, bytes, sizeof(bytes)));
}

static void sign_as(const struct crowd *crowd, uint32_t host, struct gossip_signing **out) {
    struct error error;
    if (curve_signing_open(&crowd->list, crowd->secrets[host], out, &error) != 0) {
        die(crowd->keys[host].host, error.text);
    }
}

// The second host's core comes to know all but the first, and stays as it is: what all share.
static void make_base(struct crowd *crowd) {
    sign_as(crowd, 1, &crowd->base_signing);
    struct gossip *base = open_core(crowd, 1, crowd->base_signing);
    put_facts(crowd, base, 1);
    for (uint32_t i = 2; i < crowd->count; i++) {
        struct gossip_signing *signing;
        struct gossip_message message;
        sign_as(crowd, i, &signing);
        struct gossip *core = open_core(crowd, i, signing);
        put_facts(crowd, core, i);
        gossip_introduce(core, now_ns(), crowd->keys[1].address);
        while (gossip_take_message(core, &message)) {
            gossip_receive(base, now_ns(), crowd->keys[i].host, message.bytes, message.size);
        }
        gossip_close(core);
        curve_signing_close(signing);
        struct gossip_change change;
        while (gossip_take_change(base, &change)) {
        }
        while (gossip_take_message(base, &message)) {
        }
    }
    if (gossip_member_count(base) != crowd->count - 1) {
        die("the crowd", "not all are known");
    }
    crowd->base = base;
}

static void bring_to_life(struct crowd *crowd, uint32_t host) {
    struct gossip_zmq_config config = {.curve = true, .fleet = &crowd->list};
    struct error error;
    uint32_t slot = crowd->alive_count++;
    if (slot == ALIVE_MAX) {
        die("the agent", "too many neighbours");
    }
    sign_as(crowd, host, &crowd->alive[slot].signing);
    crowd->alive[slot].core = open_core(crowd, host, crowd->alive[slot].signing);
    memcpy(config.listen, crowd->keys[host].address, sizeof(config.listen));
    memcpy(config.public_key, crowd->keys[host].public_key, sizeof(config.public_key));
    memcpy(config.secret_key, crowd->secrets[host], sizeof(config.secret_key));
    if (gossip_zmq_open(&config, crowd->alive[slot].core, &crowd->alive[slot].carrier, &error) !=
        0) {
        die(crowd->keys[host].host, error.text);
    }
}

static uint32_t host_at(const struct crowd *crowd, const char *address) {
    uint32_t i = 0;
    while (strcmp(crowd->keys[i].address, address) != 0) {
        i++;
    }
    return i;
}

// Whom the agent will choose; the overlay is a function of who is a member.
static void find_neighbours(struct crowd *crowd) {
    const char *addresses[ALIVE_MAX];
    struct gossip_signing *signing;
    sign_as(crowd, 0, &signing);
    struct gossip *core = open_core(crowd, 0, signing);
    for (unsigned i = 0; i < 100; i++) { // as long as newcomers keep it from choosing
        gossip_tick(core, now_ns() + i * 100 * NS_PER_MS);
    }
    uint32_t count = gossip_neighbours(core, addresses, ALIVE_MAX);
    bool seed = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t host = host_at(crowd, addresses[i]);
        seed = seed || host == 1;
        bring_to_life(crowd, host);
    }
    if (!seed) {
        bring_to_life(crowd, 1);
    }
    gossip_close(core);
    curve_signing_close(signing);
}

static void run(struct crowd *crowd) {
    struct pollfd polls[ALIVE_MAX + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    for (uint32_t i = 0; i < crowd->alive_count; i++) {
        polls[i + 1] =
            (struct pollfd){.fd = gossip_zmq_fd(crowd->alive[i].carrier), .events = POLLIN};
    }
    while (polls[0].revents == 0) {
        poll(polls, crowd->alive_count + 1, TICK_MAX_MS);
        for (uint32_t i = 0; i < crowd->alive_count; i++) {
            struct gossip *core = crowd->alive[i].core;
            struct gossip_change change;
            if (gossip_deadline_ns(core) <= now_ns()) {
                gossip_tick(core, now_ns());
            }
            while (gossip_zmq_work(crowd->alive[i].carrier, now_ns())) {
            }
            while (gossip_take_change(core, &change)) {
            }
        }
    }
}

static void complain(void *context, const struct error *error) {
    (void)context;
    fprintf(stderr, "bench_crowd: %s\n", error->text);
}

int main(int argc, char **argv) {
    struct crowd crowd = {0};
    if (argc != 4 || fabric_file_load(argv[1], complain, NULL, &crowd.fabric) != 0) {
        die("usage", "bench_crowd FABRIC FOLDER BASE");
    }
    crowd.count = crowd.fabric->host_count;
    crowd.keys = calloc(crowd.count, sizeof(*crowd.keys));
    crowd.secrets = calloc(crowd.count, sizeof(*crowd.secrets));
    if (crowd.keys == NULL || crowd.secrets == NULL) {
        die("the crowd", "no memory");
    }
    make_keys(&crowd, argv[2], argv[3]);
    make_base(&crowd);
    find_neighbours(&crowd);
    printf("ready: %u members, %u of them answer\n", crowd.count - 1, crowd.alive_count);
    fflush(stdout);
    run(&crowd);
    return EXIT_SUCCESS;
}
