// SPDX-License-Identifier: Apache-2.0
#include "swarm_run.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/time.h"

// The bytes of one message to several hosts.
struct swarm_packet {
    uint32_t references;
    size_t size;
    uint8_t bytes[];
};

struct swarm_delivery {
    struct swarm_delivery *next;
    struct swarm_packet *packet;
    uint32_t from;
};

static void push(struct swarm_run *run, uint64_t at_ns, enum swarm_due due, uint32_t host) {
    struct swarm_item item = {.at_ns = at_ns, .host = host, .due = due};
    run->starved = swarm_queue_push(&run->queue, item) != 0 || run->starved;
}

// A wait, where each message and deadline has its own.
static uint64_t own_wait_ns(struct swarm_run *run, uint32_t index) {
    return run->model->wake_each ? swarm_wake_ns(run->model, index, run->hosts[index].waits++) : 0;
}

static uint64_t later(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

// ---- messages on their way

static void release(struct swarm_packet *packet) {
    if (packet != NULL && --packet->references == 0) {
        free(packet);
    }
}

static void drop(struct swarm_delivery *delivery) {
    release(delivery->packet);
    free(delivery);
}

static struct swarm_packet *pack(const struct gossip_message *message) {
    struct swarm_packet *packet = malloc(sizeof *packet + message->size);
    if (packet != NULL) {
        packet->references = 1;
        packet->size = message->size;
        memcpy(packet->bytes, message->bytes, message->size);
    }
    return packet;
}

static void deliver(struct swarm_run *run, uint32_t from, uint32_t to, uint64_t at_ns,
                    struct swarm_packet *packet) {
    struct swarm_delivery *delivery = malloc(sizeof *delivery);
    if (delivery == NULL) {
        run->starved = true;
        return;
    }
    packet->references++;
    *delivery = (struct swarm_delivery){.packet = packet, .from = from};
    struct swarm_item item = {.at_ns = at_ns,
                              .delivery = delivery,
                              .host = to,
                              .due = SWARM_ARRIVES};
    if (swarm_queue_push(&run->queue, item) != 0) {
        drop(delivery);
        run->starved = true;
    }
}

// Sends what the core has to say, one message after the other from `at_ns` on.
static void send_all(struct swarm_run *run, uint32_t index, uint64_t at_ns) {
    struct swarm_host *host = &run->hosts[index];
    struct gossip_message message;
    struct swarm_packet *packet = NULL;
    const void *packed = NULL; // the core gives the same bytes for each of several receivers
    while (!run->starved && gossip_take_message(host->core, &message)) {
        at_ns += run->model->send_ns;
        run->messages++;
        run->bytes += message.size;
        uint32_t to = swarm_host_at(message.address);
        assert(to < run->swarm->config.hosts);
        bool lost = swarm_loses(run->model, index, host->sent++);
        if (run->hosts[to].core == NULL || lost) {
            continue;
        }
        if (packet == NULL || packed != message.bytes || packet->size != message.size) {
            release(packet);
            packet = pack(&message);
            packed = message.bytes;
        }
        if (packet == NULL) {
            run->starved = true;
        } else {
            uint64_t way_ns = swarm_way_ns(run->model, index, to) + own_wait_ns(run, to);
            deliver(run, index, to, at_ns + way_ns, packet);
        }
    }
    release(packet);
    host->free_at_ns = at_ns;
}

// ---- what a host does

// A timer that is set earlier than the deadline is set again when it rings.
static void set_timer(struct swarm_run *run, uint32_t index) {
    struct swarm_host *host = &run->hosts[index];
    uint64_t deadline = gossip_deadline_ns(host->core);
    if (!host->tick_due && deadline < host->timer_at_ns) {
        host->timer_at_ns = later(deadline, run->now_ns) + own_wait_ns(run, index);
        push(run, host->timer_at_ns, SWARM_TIMER, index);
    }
}

// After an event at `now_ns`: whether it knows now, what it says, when it is due next.
static void conclude(struct swarm_run *run, uint32_t index, uint64_t now_ns) {
    struct swarm_host *host = &run->hosts[index];
    struct gossip_change change;
    while (gossip_take_change(host->core, &change)) {
        if (host->known_at_ns == NEVER_NS && change.kind == GOSSIP_RECORD &&
            change.table == GOSSIP_TABLE_LINK && change.size == run->write.size &&
            strcmp(change.key, run->write.key) == 0 &&
            memcmp(change.value, run->write.value, change.size) == 0) {
            host->known_at_ns = now_ns;
            run->unknowing--;
        }
    }
    send_all(run, index, now_ns);
    set_timer(run, index);
}

static void wake(struct swarm_run *run, uint32_t index) {
    struct swarm_host *host = &run->hosts[index];
    if (host->running) {
        return;
    }
    uint64_t at_ns = later(host->free_at_ns, run->now_ns);
    if (host->free_at_ns <= run->now_ns && !run->model->wake_each) {
        at_ns += swarm_wake_ns(run->model, index, host->waits++);
    }
    host->running = true;
    push(run, at_ns, SWARM_RUNS, index);
}

static void receive(struct swarm_run *run, uint32_t index) {
    struct swarm_host *host = &run->hosts[index];
    struct swarm_delivery *delivery = host->first;
    host->first = delivery->next;
    uint64_t done_ns = run->now_ns + run->model->receive_ns;
    char sender[NAME_SIZE];
    struct gossip_stats stats;
    swarm_name(delivery->from, sender);
    gossip_receive(host->core, done_ns, sender, delivery->packet->bytes, delivery->packet->size);
    gossip_stats(host->core, &stats);
    drop(delivery);
    done_ns += (stats.states_verified - host->verified) * run->model->verify_ns;
    host->verified = stats.states_verified;
    conclude(run, index, done_ns);
}

static void run_host(struct swarm_run *run, uint32_t index) {
    struct swarm_host *host = &run->hosts[index];
    host->running = false;
    if (host->free_at_ns > run->now_ns) { // it wrote meanwhile
        wake(run, index);
        return;
    }
    if (host->tick_due) {
        host->tick_due = false;
        gossip_tick(host->core, run->now_ns);
        conclude(run, index, run->now_ns);
    } else if (host->first != NULL) {
        receive(run, index);
    }
    if (host->tick_due || host->first != NULL) {
        host->running = true;
        push(run, host->free_at_ns, SWARM_RUNS, index);
    }
}

static void write_fact(struct swarm_run *run, uint32_t index) {
    struct swarm_host *host = &run->hosts[index];
    const struct swarm_write *write = &run->write;
    uint64_t now_ns = later(run->now_ns, host->free_at_ns);
    int rc =
        gossip_put(host->core, now_ns, GOSSIP_TABLE_LINK, write->key, write->value, write->size);
    assert(rc == 0 || rc == -ENOMEM); // it replaces a value of the same size
    run->starved = rc != 0 || run->starved;
    gossip_tick(host->core, now_ns);
    host->known_at_ns = now_ns;
    run->unknowing--;
    conclude(run, index, now_ns);
}

static void ring(struct swarm_run *run, uint32_t index) {
    struct swarm_host *host = &run->hosts[index];
    if (host->timer_at_ns != run->now_ns) {
        return; // another one took its place
    }
    host->timer_at_ns = NEVER_NS;
    if (gossip_deadline_ns(host->core) > run->now_ns) {
        set_timer(run, index);
    } else {
        host->tick_due = true;
        wake(run, index);
    }
}

static void arrive(struct swarm_run *run, uint32_t index, struct swarm_delivery *delivery) {
    struct swarm_host *host = &run->hosts[index];
    if (host->first == NULL) {
        host->first = delivery;
    } else {
        host->last->next = delivery;
    }
    host->last = delivery;
    wake(run, index);
}

static void happen(struct swarm_run *run, const struct swarm_item *item) {
    switch (item->due) {
    case SWARM_ARRIVES:
        arrive(run, item->host, item->delivery);
        break;
    case SWARM_RUNS:
        run_host(run, item->host);
        break;
    case SWARM_TIMER:
        ring(run, item->host);
        break;
    case SWARM_WRITES:
        write_fact(run, item->host);
        break;
    }
}

int swarm_run_until(struct swarm_run *run, uint64_t until_ns, bool stop_known) {
    while (!run->starved && run->queue.count > 0 && run->queue.items[0].at_ns <= until_ns &&
           !(stop_known && run->unknowing == 0)) {
        struct swarm_item item = swarm_queue_take(&run->queue);
        run->now_ns = item.at_ns;
        happen(run, &item);
    }
    return run->starved ? -ENOMEM : 0;
}

// ---- construction

int swarm_run_open(const struct swarm *swarm, const struct swarm_model *model,
                   const struct swarm_write *write, struct swarm_run *out, struct error *error) {
    uint32_t count = swarm->config.hosts;
    struct swarm_run run = {.swarm = swarm,
                            .model = model,
                            .write = *write,
                            .now_ns = SWARM_BEGIN_NS,
                            .unknowing = swarm->live_count};
    int rc = 0;
    run.hosts = calloc(count, sizeof run.hosts[0]);
    if (run.hosts == NULL) {
        return error_set(error, -ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        run.hosts[i].timer_at_ns = run.hosts[i].known_at_ns = NEVER_NS;
        if (swarm->live[i]) {
            rc = swarm_open_core(swarm, i, run.now_ns, &run.hosts[i].core, error);
        }
    }
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        if (swarm->live[i]) {
            conclude(&run, i, run.now_ns);
        }
    }
    if (rc == 0 && write->happens) {
        push(&run, write->at_ns, SWARM_WRITES, write->host);
    }
    if (rc == 0 && run.starved) {
        rc = error_set(error, -ENOMEM, "out of memory");
    }
    if (rc != 0) {
        swarm_run_close(&run);
        return rc;
    }
    *out = run;
    return 0;
}

void swarm_run_close(struct swarm_run *run) {
    for (uint32_t i = 0; i < run->queue.count; i++) {
        if (run->queue.items[i].due == SWARM_ARRIVES) {
            drop(run->queue.items[i].delivery);
        }
    }
    swarm_queue_fini(&run->queue);
    for (uint32_t i = 0; i < run->swarm->config.hosts; i++) {
        struct swarm_host *host = &run->hosts[i];
        while (host->first != NULL) {
            struct swarm_delivery *delivery = host->first;
            host->first = delivery->next;
            drop(delivery);
        }
        gossip_close(host->core);
    }
    free(run->hosts);
    *run = (struct swarm_run){0};
}
