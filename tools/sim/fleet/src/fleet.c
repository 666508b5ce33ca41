// SPDX-License-Identifier: Apache-2.0
#include "fleet/fleet.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forward.h"
#include "model/rng.h"
#include "model/time.h"
#include "queue.h"

#define GOSSIP_DELAY_NS (200 * NS_PER_US)
#define HOP_DELAY_NS (5 * NS_PER_US)
#define PROBE_TIMEOUT_NS (4 * NS_PER_MS)
#define UP_HOLD_NS NS_PER_S
#define UP_HOLD_MAX_NS (60 * NS_PER_S)
#define ENCAP_BYTES_MAX 128
#define LOSS_THRESHOLD 2
#define KINDS_MAX 64
#define SEEDS 3

struct note_count {
    const char *kind;
    uint32_t count;
};

struct agent {
    struct engine *engine; // NULL: stopped
    struct rule_set *nics; // what its NICs hold, by port: outlives the agent
    uint32_t nic_count;
    uint64_t deadline_ns, paused_until_ns;
    uint32_t lives;
    uint32_t group;
    bool deaf;
    bool applied[ENGINE_PORTS_MAX], told_applied[ENGINE_PORTS_MAX]; // once in a life
    uint64_t nic_changes;
    struct note_count notes[KINDS_MAX];
};

struct fleet {
    struct fleet_options options;
    struct fabric *fabric; // the simulator's own copy
    struct agent *agents;
    uint32_t count;
    bool *cut, *marks;   // by directed link
    uint32_t *loss_ppm;  // of probes, by directed link
    uint64_t *excess_ns; // likewise
    struct rng rng;      // for losses
    struct queue queue;
    uint64_t now_ns;
    int error;
};

// ---- what an engine wants done

static void host_address(uint32_t host, char text[GOSSIP_ADDRESS_SIZE]) {
    snprintf(text, GOSSIP_ADDRESS_SIZE, "sim://%u", host);
}

static void push(struct fleet *fleet, struct item item) {
    int rc = queue_push(&fleet->queue, item);
    if (rc != 0) {
        free(item.bytes);
        fleet->error = rc;
    }
}

static void collect_messages(struct fleet *fleet, uint32_t host) {
    struct gossip_message message;
    while (gossip_take_message(engine_gossip(fleet->agents[host].engine), &message)) {
        unsigned destination;
        if (sscanf(message.address, "sim://%u", &destination) != 1 || destination >= fleet->count) {
            continue;
        }
        struct item item = {.at_ns = fleet->now_ns + GOSSIP_DELAY_NS,
                            .kind = ITEM_MESSAGE,
                            .host = destination,
                            .group = fleet->agents[host].group,
                            .bytes = malloc(message.size > 0 ? message.size : 1),
                            .size = message.size};
        if (item.bytes == NULL) {
            fleet->error = -ENOMEM;
            return;
        }
        memcpy(item.bytes, message.bytes, message.size);
        push(fleet, item);
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

static void take_notes(struct fleet *fleet, uint32_t host, const struct engine_effects *effects) {
    for (uint32_t i = 0; i < effects->note_count; i++) {
        count_note(&fleet->agents[host], effects->notes[i].kind);
        if (fleet->options.on_note != NULL) {
            fleet->options.on_note(fleet->options.context, host, &effects->notes[i]);
        }
    }
}

static void program(struct fleet *fleet, uint32_t host, const struct engine_effects *effects) {
    struct agent *agent = &fleet->agents[host];
    for (uint32_t port = 0; port < agent->nic_count; port++) {
        if (!effects->nic_dirty[port]) {
            continue;
        }
        rule_set_fini(&agent->nics[port]);
        rule_set_init(&agent->nics[port]);
        if (rule_set_copy(engine_rules(agent->engine, port), &agent->nics[port]) != 0) {
            fleet->error = -ENOMEM;
        }
        agent->applied[port] = true;
        agent->nic_changes++;
    }
}

static bool is_marked(const struct fleet *fleet, const struct engine_probe *probe,
                      const struct fleet_trip *trip) {
    bool marked = false;
    for (unsigned i = 0; i < trip->link_count; i++) {
        marked = marked || fleet->marks[trip->links[i].i];
    }
    return marked && (probe->traffic_class & 3) != 0;
}

static bool is_dropped(struct fleet *fleet, const struct fleet_trip *trip) {
    bool dropped = false;
    for (unsigned i = 0; i < trip->link_count; i++) {
        uint32_t ppm = fleet->loss_ppm[trip->links[i].i];
        dropped = dropped || (ppm > 0 && rng_below(&fleet->rng, 1000000) < ppm);
    }
    return dropped;
}

static uint64_t trip_ns(const struct fleet *fleet, const struct fleet_trip *trip) {
    uint64_t ns = HOP_DELAY_NS * trip->link_count;
    for (unsigned i = 0; i < trip->link_count; i++) {
        ns += fleet->excess_ns[trip->links[i].i];
    }
    return ns;
}

static void send_probes(struct fleet *fleet, uint32_t host, const struct engine_effects *effects) {
    const struct agent *agent = &fleet->agents[host];
    for (uint32_t i = 0; i < effects->probe_count; i++) {
        const struct engine_probe *probe = &effects->probes[i];
        struct fleet_trip trip;
        forward(fleet->fabric, fleet->cut, engine_own_port(agent->engine, probe->port),
                &probe->sids, &trip);
        if (trip.end == DELIVERED && fleet->fabric->ports[trip.port.i].host.i == host &&
            !is_dropped(fleet, &trip)) {
            push(fleet, (struct item){.at_ns = fleet->now_ns + trip_ns(fleet, &trip),
                                      .kind = ITEM_PROBE,
                                      .host = host,
                                      .life = agent->lives,
                                      .token = probe->token,
                                      .sent_at_ns = fleet->now_ns,
                                      .marked = is_marked(fleet, probe, &trip)});
        }
    }
}

static void apply(struct fleet *fleet, uint32_t host, const struct engine_effects *effects) {
    program(fleet, host, effects);
    take_notes(fleet, host, effects);
    send_probes(fleet, host, effects);
    collect_messages(fleet, host);
}

// ---- events

int fleet_event(struct fleet *fleet, uint32_t host, const struct engine_event *event,
                struct error *error) {
    struct agent *agent = &fleet->agents[host];
    struct engine_effects effects;
    int rc = engine_step(agent->engine, fleet->now_ns, event, &effects, error);
    apply(fleet, host, &effects);
    for (uint32_t port = 0; port < agent->nic_count; port++) {
        if (agent->applied[port] && !agent->told_applied[port]) {
            struct engine_event applied = {.kind = ENGINE_NIC_APPLIED, .port = port};
            agent->told_applied[port] = true;
            engine_step(agent->engine, fleet->now_ns, &applied, &effects, NULL);
            apply(fleet, host, &effects);
        }
    }
    agent->deadline_ns = engine_deadline_ns(agent->engine);
    return rc;
}

// Of several that are due at once, what is on its way comes first, then hosts in order.
static uint64_t next_due(const struct fleet *fleet, uint32_t *host) {
    uint64_t next_ns = queue_next_at_ns(&fleet->queue);
    *host = ID_NONE;
    for (uint32_t i = 0; i < fleet->count; i++) {
        const struct agent *agent = &fleet->agents[i];
        uint64_t due_ns = agent->deadline_ns;
        due_ns = due_ns > agent->paused_until_ns ? due_ns : agent->paused_until_ns;
        due_ns = due_ns > fleet->now_ns ? due_ns : fleet->now_ns + 1;
        if (agent->engine != NULL && due_ns < next_ns) {
            next_ns = due_ns;
            *host = i;
        }
    }
    return next_ns;
}

static bool arrives(const struct fleet *fleet, const struct item *item) {
    const struct agent *agent = &fleet->agents[item->host];
    if (agent->engine == NULL) {
        return false;
    }
    return item->kind == ITEM_MESSAGE ? agent->group == item->group && !agent->deaf
                                      : item->life == agent->lives;
}

static void deliver(struct fleet *fleet, struct item item) {
    struct agent *agent = &fleet->agents[item.host];
    if (agent->engine != NULL && agent->paused_until_ns > fleet->now_ns) {
        item.at_ns = agent->paused_until_ns;
        push(fleet, item);
        return;
    }
    if (!arrives(fleet, &item)) {
        free(item.bytes);
        return;
    }
    struct engine_event event = {.kind = ENGINE_GOSSIP};
    if (item.kind == ITEM_MESSAGE) {
        gossip_receive(engine_gossip(agent->engine), fleet->now_ns, NULL, item.bytes, item.size);
    } else {
        event = (struct engine_event){.kind = ENGINE_PROBE_RETURNED,
                                      .probe = {.token = item.token,
                                                .sent_at_ns = item.sent_at_ns,
                                                .received_at_ns = item.at_ns,
                                                .ce = item.marked}};
    }
    fleet_event(fleet, item.host, &event, NULL);
    free(item.bytes);
}

uint64_t fleet_next_at_ns(const struct fleet *fleet) {
    uint32_t host;
    return next_due(fleet, &host);
}

void fleet_run(struct fleet *fleet, uint64_t span_ns) {
    uint64_t end_ns = fleet->now_ns + span_ns;
    while (fleet->error == 0) {
        uint32_t due;
        uint64_t next_ns = next_due(fleet, &due);
        if (next_ns > end_ns) {
            break;
        }
        fleet->now_ns = next_ns > fleet->now_ns ? next_ns : fleet->now_ns;
        if (due != ID_NONE) {
            fleet_event(fleet, due, &(struct engine_event){.kind = ENGINE_TICK}, NULL);
        } else {
            deliver(fleet, queue_take(&fleet->queue));
        }
    }
    fleet->now_ns = end_ns;
}

// ---- life

static void name_agent(const struct fleet *fleet, uint32_t host, struct engine_config *config) {
    const struct fabric *fabric = fleet->fabric;
    const struct fabric_port *port = &fabric->ports[fabric->nodes[host].first_port];
    memcpy(config->host, fabric->nodes[host].name, NAME_SIZE);
    memcpy(config->gossip.name, fabric->nodes[host].name, NAME_SIZE);
    memcpy(config->gossip.rack, fabric->nodes[port->leaf.i].name, NAME_SIZE);
    host_address(host, config->gossip.address);
}

static struct engine_config agent_config(const struct fleet *fleet, uint32_t host) {
    const struct fleet_options *options = &fleet->options;
    const struct agent *agent = &fleet->agents[host];
    struct engine_config config = {.probe_interval_ns = options->probe_interval_ns,
                                   .probe_timeout_ns = PROBE_TIMEOUT_NS,
                                   .loss_threshold = LOSS_THRESHOLD,
                                   .up_hold_ns = UP_HOLD_NS,
                                   .up_hold_max_ns = UP_HOLD_MAX_NS,
                                   .history_links = options->history_links,
                                   .diagnosis = {.probes_per_second = options->diagnosis_pps,
                                                 .traffic_class = 0x6a,
                                                 .avoid_ppm = 1000},
                                   .nic_driver = "mem",
                                   .nic = {.spray = true,
                                           .per_qp = !options->eswitch,
                                           .srh = !options->no_srh,
                                           .counters = true,
                                           .spares = options->eswitch,
                                           .rules_max = RULES_MAX,
                                           .encap_bytes_max = ENCAP_BYTES_MAX}};
    if (options->algorithm != NULL) {
        snprintf(config.algorithm, sizeof config.algorithm, "%s", options->algorithm);
    }
    name_agent(fleet, host, &config);
    for (uint32_t i = 0; i < agent->nic_count; i++) {
        config.adopted = config.adopted || agent->nics[i].rule_count > 0;
    }
    config.gossip.nonce = (uint32_t)hash_pair(options->seed + agent->lives, host);
    config.gossip.seed = config.seed = hash_pair(options->seed, host);
    return config;
}

int fleet_start(struct fleet *fleet, uint32_t host, struct error *error) {
    struct agent *agent = &fleet->agents[host];
    assert(agent->engine == NULL);
    agent->lives++;
    memset(agent->applied, 0, sizeof agent->applied);
    memset(agent->told_applied, 0, sizeof agent->told_applied);
    struct engine_config config = agent_config(fleet, host);
    char addresses[SEEDS][GOSSIP_ADDRESS_SIZE];
    const char *seeds[SEEDS];
    for (uint32_t i = 0; i < SEEDS; i++) {
        host_address(i, addresses[i]);
        seeds[i] = addresses[i];
    }
    config.gossip.seeds = seeds;
    config.gossip.seed_count = SEEDS;
    struct fabric *fabric = fabric_copy(fleet->fabric);
    if (fabric == NULL) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    int rc = engine_open(&config, fabric, fleet->now_ns, &agent->engine, error);
    if (rc != 0) {
        fabric_close(fabric);
        return rc;
    }
    fleet_event(fleet, host, &(struct engine_event){.kind = ENGINE_TICK}, NULL);
    return 0;
}

void fleet_stop(struct fleet *fleet, uint32_t host) {
    engine_close(fleet->agents[host].engine);
    fleet->agents[host].engine = NULL;
}

void fleet_pause(struct fleet *fleet, uint32_t host, uint64_t span_ns) {
    fleet->agents[host].paused_until_ns = fleet->now_ns + span_ns;
}

void fleet_set_group(struct fleet *fleet, uint32_t host, uint32_t group) {
    fleet->agents[host].group = group;
}

void fleet_set_deaf(struct fleet *fleet, uint32_t host, bool deaf) {
    fleet->agents[host].deaf = deaf;
}

static int open_agents(struct fleet *fleet, struct error *error) {
    for (uint32_t i = 0; i < fleet->count; i++) {
        struct agent *agent = &fleet->agents[i];
        agent->nic_count = fleet->fabric->nodes[i].port_count;
        agent->nics = calloc(agent->nic_count + 1U, sizeof agent->nics[0]);
        if (agent->nics == NULL) {
            return error_set(error, -ENOMEM, "out of memory");
        }
        for (uint32_t port = 0; port < agent->nic_count; port++) {
            rule_set_init(&agent->nics[port]);
        }
        int rc = fleet_start(fleet, i, error);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

struct fleet *fleet_open(const struct fabric *fabric, const struct fleet_options *options,
                         struct error *error) {
    struct fleet *fleet = calloc(1, sizeof *fleet);
    if (fleet == NULL) {
        error_set(error, -ENOMEM, "out of memory");
        return NULL;
    }
    fleet->options = *options;
    fleet->now_ns = NS_PER_S;
    fleet->count = fabric->host_count;
    fleet->fabric = fabric_copy(fabric);
    fleet->agents = calloc(fleet->count + 1U, sizeof fleet->agents[0]);
    fleet->cut = calloc(fabric_link_count(fabric) + 1U, sizeof fleet->cut[0]);
    fleet->marks = calloc(fabric_link_count(fabric) + 1U, sizeof fleet->marks[0]);
    fleet->loss_ppm = calloc(fabric_link_count(fabric) + 1U, sizeof fleet->loss_ppm[0]);
    fleet->excess_ns = calloc(fabric_link_count(fabric) + 1U, sizeof fleet->excess_ns[0]);
    rng_init(&fleet->rng, options->seed);
    bool whole = fleet->loss_ppm != NULL && fleet->excess_ns != NULL && fleet->fabric != NULL &&
                 fleet->agents != NULL && fleet->cut != NULL && fleet->marks != NULL;
    if (!whole) {
        error_set(error, -ENOMEM, "out of memory");
    }
    if (!whole || open_agents(fleet, error) != 0) {
        fleet_close(fleet);
        return NULL;
    }
    return fleet;
}

void fleet_close(struct fleet *fleet) {
    if (fleet == NULL) {
        return;
    }
    for (uint32_t i = 0; fleet->agents != NULL && i < fleet->count; i++) {
        struct agent *agent = &fleet->agents[i];
        engine_close(agent->engine);
        for (uint32_t port = 0; agent->nics != NULL && port < agent->nic_count; port++) {
            rule_set_fini(&agent->nics[port]);
        }
        free(agent->nics);
    }
    queue_fini(&fleet->queue);
    free(fleet->cut);
    free(fleet->marks);
    free(fleet->loss_ppm);
    free(fleet->excess_ns);
    free(fleet->agents);
    fabric_close(fleet->fabric);
    free(fleet);
}

int fleet_submit(struct fleet *fleet, uint32_t host, const struct job *job, struct error *error) {
    return fleet_event(fleet, host, &(struct engine_event){.kind = ENGINE_JOB_SUBMIT, .job = job},
                       error);
}

int fleet_offer_fabric(struct fleet *fleet, uint32_t host, const struct fabric *fabric,
                       struct error *error) {
    struct fabric *copy = fabric_copy(fabric);
    if (copy == NULL) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    struct engine_event event = {.kind = ENGINE_FABRIC, .fabric = copy};
    int rc = fleet_event(fleet, host, &event, error);
    if (rc != 0) {
        fabric_close(copy);
    }
    return rc;
}

// ---- what is

int fleet_error(const struct fleet *fleet) {
    return fleet->error;
}
uint64_t fleet_now_ns(const struct fleet *fleet) {
    return fleet->now_ns;
}
const struct fabric *fleet_fabric(const struct fleet *fleet) {
    return fleet->fabric;
}
uint32_t fleet_count(const struct fleet *fleet) {
    return fleet->count;
}
struct engine *fleet_engine(struct fleet *fleet, uint32_t host) {
    return fleet->agents[host].engine;
}
uint64_t fleet_nic_changes(const struct fleet *fleet, uint32_t host) {
    return fleet->agents[host].nic_changes;
}

uint32_t fleet_notes(const struct fleet *fleet, uint32_t host, const char *kind) {
    for (unsigned i = 0; i < KINDS_MAX; i++) {
        const struct note_count *note = &fleet->agents[host].notes[i];
        if (note->kind != NULL && strcmp(note->kind, kind) == 0) {
            return note->count;
        }
    }
    return 0;
}

// ---- links and packets

void fleet_cut(struct fleet *fleet, link_id link, bool cut) {
    fleet->cut[link.i] = cut;
}
void fleet_mark(struct fleet *fleet, link_id link, bool marks) {
    fleet->marks[link.i] = marks;
}
void fleet_lose(struct fleet *fleet, link_id link, uint32_t loss_ppm) {
    fleet->loss_ppm[link.i] = loss_ppm;
}
void fleet_slow(struct fleet *fleet, link_id link, uint64_t excess_ns) {
    fleet->excess_ns[link.i] = excess_ns;
}
bool fleet_is_cut(const struct fleet *fleet, link_id link) {
    return fleet->cut[link.i];
}

static const struct rule_set *nic_of(const struct fleet *fleet, port_id port) {
    const struct fabric_port *from = &fleet->fabric->ports[port.i];
    return &fleet->agents[from->host.i].nics[from->index];
}

uint32_t fleet_follow(const struct fleet *fleet, port_id src, port_id dst,
                      uint8_t way[RULE_BUCKETS], struct fleet_trip *trips, bool *sprayed) {
    const struct rule_set *nic = nic_of(fleet, src);
    const struct rule *rule = forward_rule(nic, &fleet->fabric->ports[dst.i], 0, false);
    if (rule == NULL) {
        return 0;
    }
    for (unsigned i = 0; i < rule->path_count; i++) {
        forward(fleet->fabric, fleet->cut, src, &nic->encaps[rule->encap[i]].sids, &trips[i]);
        if (trips[i].end == DELIVERED && trips[i].port.i != dst.i) {
            trips[i].end = LOST_ASTRAY;
        }
    }
    for (unsigned i = 0; i < RULE_BUCKETS; i++) {
        way[i] = rule->select == RULE_SINGLE ? 0 : rule->bucket[i];
    }
    *sprayed = rule->select == RULE_SPRAY;
    return rule->path_count;
}

enum delivery fleet_send(const struct fleet *fleet, uint32_t src, uint32_t dst, uint32_t qp,
                         bool ipv6, link_id *cut) {
    const struct fabric *fabric = fleet->fabric;
    port_id from = {fabric->nodes[src].first_port}, to = {fabric->nodes[dst].first_port};
    const struct rule_set *nic = nic_of(fleet, from);
    const struct rule *rule = forward_rule(nic, &fabric->ports[to.i], qp, ipv6);
    if (rule == NULL) {
        return SENT_PLAIN;
    }
    unsigned index = rule->select == RULE_SINGLE ? 0 : rule->bucket[qp % RULE_BUCKETS];
    struct fleet_trip trip;
    forward(fabric, fleet->cut, from, &nic->encaps[rule->encap[index]].sids, &trip);
    if (trip.end == LOST_ON_CUT && cut != NULL) {
        *cut = trip.cut;
    }
    return trip.end == DELIVERED && trip.port.i != to.i ? LOST_ASTRAY : trip.end;
}
