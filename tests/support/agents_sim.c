// SPDX-License-Identifier: Apache-2.0
#include "agents_sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fabric_fixture.h"
#include "model/rng.h"
#include "model/time.h"

#define GOSSIP_DELAY_NS (200 * NS_PER_US)
#define HOP_DELAY_NS (5 * NS_PER_US)
#define HOPS_MAX 40
#define KINDS_MAX 32

struct note_count {
    const char *kind;
    uint32_t count;
};

struct agent {
    struct engine *engine; // NULL: stopped
    struct rule_set nic;   // what its NIC holds: outlives the agent
    uint64_t paused_until_ns;
    uint32_t lives;
    bool applied, told_applied; // the NIC took rules; the engine knows, once in a life
    struct note_count notes[KINDS_MAX];
};

enum item_kind { ITEM_MESSAGE, ITEM_PROBE };
struct item {
    uint64_t at_ns, order;
    enum item_kind kind;
    uint32_t host, life;
    uint64_t token, sent_at_ns;
    void *bytes;
    size_t size;
};

struct agents_sim {
    struct agents_sim_options options;
    struct fabric *map; // the simulator's own copy
    struct agent *agents;
    uint32_t count;
    bool *cut; // by directed link
    struct item *heap;
    uint32_t heap_count, heap_capacity;
    uint64_t now_ns, order;
};

// ---- the fabric
// -----------------------------------------------------------------------------------------------------

static struct fabric *build_fabric(const struct agents_sim_options *options, uint64_t generation) {
    struct fabric_clos_desc clos = {.kind = options->clos_kind,
                                    .leaves = options->leaves,
                                    .spines = options->spines,
                                    .hosts_per_leaf = options->hosts_per_leaf,
                                    .cables = options->cables,
                                    .pods = options->pods,
                                    .leaves_per_pod = options->leaves_per_pod,
                                    .aggs_per_pod = options->aggs_per_pod,
                                    .cores = options->cores,
                                    .ports_per_host = 1,
                                    .host_bps = 400000000000,
                                    .fabric_bps = 400000000000};
    return fixture_clos_generation(&clos, generation);
}

// The link that a node takes for a uSID that is not its own: a neighbour's uN, or a host port below
// it.
static bool next_link(const struct fabric *fabric, node_id at, uint16_t usid, link_id *out) {
    const struct fabric_node *node = &fabric->nodes[at.i];
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        const struct fabric_adjacency *adjacency = &fabric->adjacencies[node->first_adjacency + i];
        port_id port;
        bool is_host = fabric->nodes[adjacency->peer.i].kind == NODE_HOST;
        bool match = is_host ? fabric_find_port_by_usid(fabric, usid, &port) &&
                                   fabric->ports[port.i].cable.i == link_cable(adjacency->link).i
                             : fabric->nodes[adjacency->peer.i].usid == usid;
        if (match) {
            *out = adjacency->link;
            return true;
        }
    }
    return false;
}

static bool adjacency_link(const struct fabric *fabric, node_id at, uint16_t usid, link_id *out) {
    const struct fabric_node *node = &fabric->nodes[at.i];
    for (uint32_t i = 0; i < node->adjacency_count; i++) {
        link_id link = fabric->adjacencies[node->first_adjacency + i].link;
        if (fabric->cables[link_cable(link).i].usid_adjacency[link_is_reverse(link)] == usid) {
            *out = link;
            return true;
        }
    }
    return false;
}

struct trip {
    enum delivery end;
    port_id port; // where it arrived
    link_id cut;
    unsigned hops;
};

// Follows a packet from a host port by its SIDs, node by node.
static struct trip follow(const struct agents_sim *sim, port_id from, struct sid_list sids) {
    const struct fabric *fabric = sim->map;
    struct trip trip = {.end = LOST_ASTRAY};
    link_id link = link_of(fabric->ports[from.i].cable, false);
    struct sid sid = sids.sids[0];
    unsigned carrier = 0;
    for (trip.hops = 0; trip.hops < HOPS_MAX; trip.hops++) {
        if (sim->cut[link.i]) {
            trip.end = LOST_ON_CUT;
            trip.cut = link;
            return trip;
        }
        node_id at = fabric_link_to(fabric, link);
        uint16_t usid = sid_first_usid(&sid);
        if (fabric->nodes[at.i].kind == NODE_HOST) {
            bool known = fabric_find_port_by_usid(fabric, usid, &trip.port);
            bool own = known && fabric->ports[trip.port.i].cable.i == link_cable(link).i;
            trip.end = own ? DELIVERED : LOST_ASTRAY;
            return trip;
        }
        bool crossed = false;
        while (!crossed && (usid == fabric->nodes[at.i].usid || usid >= USID_ADJACENCY_MIN)) {
            crossed = usid >= USID_ADJACENCY_MIN;
            if (crossed && !adjacency_link(fabric, at, usid, &link)) {
                return trip;
            }
            if (!sid_shift(&sid)) {
                if (++carrier == sids.count) {
                    return trip;
                }
                sid = sids.sids[carrier];
            }
            usid = sid_first_usid(&sid);
        }
        if (!crossed && !next_link(fabric, at, usid, &link)) {
            return trip;
        }
    }
    return trip;
}

// ---- events
// ---------------------------------------------------------------------------------------------------------

static bool earlier(const struct item *a, const struct item *b) {
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void push(struct agents_sim *sim, struct item item) {
    if (sim->heap_count == sim->heap_capacity) {
        sim->heap_capacity = sim->heap_capacity == 0 ? 1024 : 2 * sim->heap_capacity;
        sim->heap = realloc(sim->heap, sim->heap_capacity * sizeof *sim->heap);
        assert(sim->heap != NULL);
    }
    item.order = sim->order++;
    uint32_t place = sim->heap_count++;
    while (place > 0 && earlier(&item, &sim->heap[(place - 1) / 2])) {
        sim->heap[place] = sim->heap[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    sim->heap[place] = item;
}

static struct item pop(struct agents_sim *sim) {
    struct item top = sim->heap[0], last = sim->heap[--sim->heap_count];
    uint32_t place = 0;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= sim->heap_count) {
            break;
        }
        if (child + 1 < sim->heap_count && earlier(&sim->heap[child + 1], &sim->heap[child])) {
            child++;
        }
        if (!earlier(&sim->heap[child], &last)) {
            break;
        }
        sim->heap[place] = sim->heap[child];
        place = child;
    }
    if (sim->heap_count > 0) {
        sim->heap[place] = last;
    }
    return top;
}

static void host_address(uint32_t host, char text[GOSSIP_ADDRESS_SIZE]) {
    snprintf(text, GOSSIP_ADDRESS_SIZE, "sim://%u", host);
}

static void collect_messages(struct agents_sim *sim, uint32_t host) {
    struct gossip_message message;
    while (gossip_take_message(engine_gossip(sim->agents[host].engine), &message)) {
        unsigned destination;
        if (sscanf(message.address, "sim://%u", &destination) != 1 || destination >= sim->count) {
            continue;
        }
        struct item item = {.at_ns = sim->now_ns + GOSSIP_DELAY_NS,
                            .kind = ITEM_MESSAGE,
                            .host = destination,
                            .bytes = malloc(message.size),
                            .size = message.size};
        assert(item.bytes != NULL);
        memcpy(item.bytes, message.bytes, message.size);
        push(sim, item);
    }
}

static void count_note(struct agent *agent, const char *kind) {
    for (unsigned i = 0; i < KINDS_MAX; i++) {
        if (agent->notes[i].kind == NULL || strcmp(agent->notes[i].kind, kind) == 0) {
            agent->notes[i].kind = kind;
            agent->notes[i].count++;
            return;
        }
    }
    assert(0 && "more kinds of notes than KINDS_MAX");
}

static void apply(struct agents_sim *sim, uint32_t host, const struct engine_effects *effects) {
    struct agent *agent = &sim->agents[host];
    if (effects->nic_dirty[0]) {
        rule_set_fini(&agent->nic);
        rule_set_init(&agent->nic);
        assert(rule_set_copy(engine_rules(agent->engine, 0), &agent->nic) == 0);
        agent->applied = true;
    }
    for (uint32_t i = 0; i < effects->note_count; i++) {
        count_note(agent, effects->notes[i].kind);
        if (getenv("SIM_VERBOSE") != NULL) {
            fprintf(stderr, "%10.3f h%u %s %s: %s\n", (double)sim->now_ns / 1e6, host,
                    effects->notes[i].kind, effects->notes[i].subject, effects->notes[i].text);
        }
    }
    for (uint32_t i = 0; i < effects->probe_count; i++) {
        const struct engine_probe *probe = &effects->probes[i];
        struct trip trip = follow(sim, engine_own_port(agent->engine, probe->port), probe->sids);
        if (trip.end == DELIVERED && sim->map->ports[trip.port.i].host.i == host) {
            push(sim, (struct item){.at_ns = sim->now_ns + HOP_DELAY_NS * trip.hops,
                                    .kind = ITEM_PROBE,
                                    .host = host,
                                    .life = agent->lives,
                                    .token = probe->token,
                                    .sent_at_ns = sim->now_ns});
        }
    }
    collect_messages(sim, host);
}

int agents_sim_event(struct agents_sim *sim, uint32_t host, const struct engine_event *event,
                     struct error *error) {
    struct engine_effects effects;
    int rc = engine_step(sim->agents[host].engine, sim->now_ns, event, &effects, error);
    apply(sim, host, &effects);
    if (sim->agents[host].applied && !sim->agents[host].told_applied) {
        struct engine_event applied = {.kind = ENGINE_NIC_APPLIED, .port = 0};
        sim->agents[host].told_applied = true;
        engine_step(sim->agents[host].engine, sim->now_ns, &applied, &effects, NULL);
        apply(sim, host, &effects);
    }
    return rc;
}

static void deliver(struct agents_sim *sim, struct item *item) {
    struct agent *agent = &sim->agents[item->host];
    if (agent->engine != NULL && agent->paused_until_ns > sim->now_ns) {
        struct item later = *item;
        later.at_ns = agent->paused_until_ns;
        push(sim, later);
        return;
    }
    if (agent->engine != NULL && item->kind == ITEM_MESSAGE) {
        gossip_receive(engine_gossip(agent->engine), sim->now_ns, item->bytes, item->size);
        agents_sim_event(sim, item->host, &(struct engine_event){.kind = ENGINE_GOSSIP}, NULL);
    } else if (agent->engine != NULL && item->life == agent->lives) {
        struct engine_event event = {.kind = ENGINE_PROBE_RETURNED,
                                     .probe = {.token = item->token,
                                               .sent_at_ns = item->sent_at_ns,
                                               .received_at_ns = item->at_ns}};
        agents_sim_event(sim, item->host, &event, NULL);
    }
    free(item->bytes);
}

static uint64_t agent_deadline(const struct agents_sim *sim, uint32_t host) {
    const struct agent *agent = &sim->agents[host];
    if (agent->engine == NULL) {
        return NEVER_NS;
    }
    uint64_t deadline = engine_deadline_ns(agent->engine);
    return deadline > agent->paused_until_ns ? deadline : agent->paused_until_ns;
}

void agents_sim_run(struct agents_sim *sim, uint64_t span_ns) {
    uint64_t end = sim->now_ns + span_ns;
    for (;;) {
        uint64_t next = sim->heap_count > 0 ? sim->heap[0].at_ns : NEVER_NS;
        uint32_t due = ID_NONE;
        for (uint32_t i = 0; i < sim->count; i++) {
            uint64_t deadline = agent_deadline(sim, i);
            deadline = deadline > sim->now_ns ? deadline : sim->now_ns + 1;
            if (deadline < next) {
                next = deadline;
                due = i;
            }
        }
        if (next > end) {
            break;
        }
        sim->now_ns = next > sim->now_ns ? next : sim->now_ns;
        if (due != ID_NONE) {
            agents_sim_event(sim, due, &(struct engine_event){.kind = ENGINE_TICK}, NULL);
        } else {
            struct item item = pop(sim);
            deliver(sim, &item);
        }
    }
    sim->now_ns = end;
}

// ---- life
// -----------------------------------------------------------------------------------------------------------

void agents_sim_start(struct agents_sim *sim, uint32_t host) {
    struct agent *agent = &sim->agents[host];
    assert(agent->engine == NULL);
    agent->lives++;
    agent->applied = agent->told_applied = false;
    char seeds[3][GOSSIP_ADDRESS_SIZE];
    const char *seed_list[3];
    for (uint32_t i = 0; i < 3; i++) {
        host_address(i, seeds[i]);
        seed_list[i] = seeds[i];
    }
    struct engine_config config = {.algorithm = "ethereal",
                                   .probe_interval_ns = sim->options.probe_interval_ns,
                                   .probe_timeout_ns = 4 * NS_PER_MS,
                                   .loss_threshold = 2,
                                   .up_hold_ns = NS_PER_S,
                                   .up_hold_max_ns = 60 * NS_PER_S,
                                   .nic_driver = "mem",
                                   .nic = {.spray = true,
                                           .per_qp = true,
                                           .srh = !sim->options.no_srh,
                                           .counters = true,
                                           .rules_max = RULES_MAX,
                                           .encap_bytes_max = 128}};
    struct fabric *fabric = build_fabric(&sim->options, 1);
    assert(fabric != NULL);
    const char *name = fabric->nodes[host].name;
    memcpy(config.host, name, NAME_SIZE);
    memcpy(config.gossip.name, name, NAME_SIZE);
    memcpy(config.gossip.rack,
           fabric->nodes[fabric->ports[fabric->nodes[host].first_port].leaf.i].name, NAME_SIZE);
    host_address(host, config.gossip.address);
    config.gossip.nonce = (uint32_t)hash_pair(sim->options.seed + agent->lives, host);
    config.adopted = agent->nic.rule_count > 0;
    config.gossip.seed = hash_pair(sim->options.seed, host);
    config.seed = config.gossip.seed;
    config.gossip.seeds = seed_list;
    config.gossip.seed_count = 3;
    struct error error = {0};
    int rc = engine_open(&config, fabric, sim->now_ns, &agent->engine, &error);
    if (rc != 0) {
        fprintf(stderr, "engine_open: %s\n", error.text);
    }
    assert(rc == 0);
    agents_sim_event(sim, host, &(struct engine_event){.kind = ENGINE_TICK}, NULL);
}

void agents_sim_stop(struct agents_sim *sim, uint32_t host) {
    engine_close(sim->agents[host].engine);
    sim->agents[host].engine = NULL;
}

void agents_sim_pause(struct agents_sim *sim, uint32_t host, uint64_t span_ns) {
    sim->agents[host].paused_until_ns = sim->now_ns + span_ns;
}

struct agents_sim *agents_sim_open(const struct agents_sim_options *options) {
    struct agents_sim *sim = calloc(1, sizeof *sim);
    assert(sim != NULL);
    sim->options = *options;
    sim->now_ns = NS_PER_S;
    sim->map = build_fabric(options, 1);
    assert(sim->map != NULL);
    sim->count = sim->map->host_count;
    sim->agents = calloc(sim->count, sizeof *sim->agents);
    sim->cut = calloc(fabric_link_count(sim->map), sizeof *sim->cut);
    assert(sim->agents != NULL && sim->cut != NULL);
    for (uint32_t i = 0; i < sim->count; i++) {
        rule_set_init(&sim->agents[i].nic);
        agents_sim_start(sim, i);
    }
    return sim;
}

void agents_sim_close(struct agents_sim *sim) {
    for (uint32_t i = 0; i < sim->count; i++) {
        engine_close(sim->agents[i].engine);
        rule_set_fini(&sim->agents[i].nic);
    }
    for (uint32_t i = 0; i < sim->heap_count; i++) {
        free(sim->heap[i].bytes);
    }
    free(sim->heap);
    free(sim->cut);
    free(sim->agents);
    fabric_close(sim->map);
    free(sim);
}

uint64_t agents_sim_now_ns(const struct agents_sim *sim) {
    return sim->now_ns;
}
const struct fabric *agents_sim_fabric(const struct agents_sim *sim) {
    return sim->map;
}
uint32_t agents_sim_count(const struct agents_sim *sim) {
    return sim->count;
}
struct engine *agents_sim_engine(struct agents_sim *sim, uint32_t host) {
    return sim->agents[host].engine;
}
void agents_sim_cut(struct agents_sim *sim, link_id link, bool cut) {
    sim->cut[link.i] = cut;
}

int agents_sim_submit(struct agents_sim *sim, uint32_t host, const struct job *job,
                      struct error *error) {
    return agents_sim_event(sim, host,
                            &(struct engine_event){.kind = ENGINE_JOB_SUBMIT, .job = job}, error);
}

int agents_sim_offer_fabric(struct agents_sim *sim, uint32_t host, uint64_t generation,
                            struct error *error) {
    struct fabric *fabric = build_fabric(&sim->options, generation);
    struct engine_event event = {.kind = ENGINE_FABRIC, .fabric = fabric};
    int rc = agents_sim_event(sim, host, &event, error);
    if (rc != 0) {
        fabric_close(fabric);
    }
    return rc;
}

// ---- packets
// --------------------------------------------------------------------------------------------------------

static const struct rule *find_rule(const struct rule_set *nic, const struct fabric_port *to,
                                    bool ipv6) {
    uint8_t address[16] = {[10] = 0xff, [11] = 0xff};
    if (ipv6) {
        memcpy(address, to->ipv6, sizeof address);
    } else {
        memcpy(address + 12, to->ipv4, 4);
    }
    for (uint32_t i = 0; i < nic->rule_count; i++) {
        if (memcmp(nic->rules[i].match.destination, address, sizeof address) == 0) {
            return &nic->rules[i];
        }
    }
    return NULL;
}

enum delivery agents_sim_send(struct agents_sim *sim, uint32_t src, uint32_t dst, uint32_t qp,
                              bool ipv6, link_id *cut) {
    const struct fabric *fabric = sim->map;
    const struct rule_set *nic = &sim->agents[src].nic;
    port_id from = {fabric->nodes[src].first_port}, to = {fabric->nodes[dst].first_port};
    const struct rule *rule = find_rule(nic, &fabric->ports[to.i], ipv6);
    if (rule == NULL) {
        return SENT_PLAIN;
    }
    unsigned index = rule->select == RULE_SINGLE ? 0 : rule->bucket[qp % RULE_BUCKETS];
    struct trip trip = follow(sim, from, nic->encaps[rule->encap[index]].sids);
    if (trip.end == LOST_ON_CUT && cut != NULL) {
        *cut = trip.cut;
    }
    return trip.end == DELIVERED && trip.port.i != to.i ? LOST_ASTRAY : trip.end;
}

uint32_t agents_sim_notes(const struct agents_sim *sim, uint32_t host, const char *kind) {
    for (unsigned i = 0; i < KINDS_MAX; i++) {
        const struct note_count *note = &sim->agents[host].notes[i];
        if (note->kind != NULL && strcmp(note->kind, kind) == 0) {
            return note->count;
        }
    }
    return 0;
}
