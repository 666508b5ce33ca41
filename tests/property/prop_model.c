// SPDX-License-Identifier: Apache-2.0
// Invariants of the model over random fabrics, walks and reports.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "model/belief.h"
#include "model_yaml/fabric_file.h"
#include "random_fabric.h"

#define WALK_MAX 12

static uint64_t seed;
static struct rng rng;

static uint32_t draw(uint32_t low, uint32_t high) {
    return random_between(&rng, low, high);
}

static void packing_and_unpacking_give_the_list_back(void **state) {
    (void)state;
    const struct usid_block block = {{0xfc, 0xbb, 0xbb, 0x00}};
    for (int round = 0; round < 20000; round++) {
        struct usid_list list = {0}, back;
        struct sid_list sids;
        uint32_t count = draw(1, USID_LIST_MAX);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(usid_list_append(&list, (uint16_t)draw(1, 0xffff)), 0);
        }
        assert_int_equal(sid_list_pack(block, &list, &sids), 0);
        assert_int_equal(sids.count, (count + 5) / 6);
        assert_int_equal(sid_list_unpack(block, &sids, &back), 0);
        assert_int_equal(back.count, count);
        assert_memory_equal(back.usids, list.usids, count * sizeof list.usids[0]);
        char text[SID_TEXT_SIZE];
        struct sid parsed;
        sid_format(&sids.sids[0], text);
        assert_int_equal(sid_parse(text, &parsed), 0);
        assert_memory_equal(&parsed, &sids.sids[0], sizeof parsed);
    }
}

// ---- what switches do with a packet, by RFC 9800

struct packet {
    const struct sid_list *sids;
    unsigned segment; // index of the carrier that was copied to the destination last
    struct sid destination;
};

static void next_usid(struct packet *packet) {
    if (!sid_shift(&packet->destination)) {
        packet->segment++;
        assert_true(packet->segment < packet->sids->count);
        packet->destination = packet->sids->sids[packet->segment];
    }
}

// A uN that is not our own is a neighbour's or that of a host below; anything else is a detour.
static link_id route(const struct fabric *fabric, node_id at, uint16_t usid) {
    port_id port;
    if (fabric_find_port_by_usid(fabric, usid, &port)) {
        assert_int_equal(fabric->ports[port.i].leaf.i, at.i);
        return link_of(fabric->ports[port.i].cable, true);
    }
    const struct fabric_node *node = &fabric->nodes[at.i];
    for (uint32_t k = 0; k < node->adjacency_count; k++) {
        const struct fabric_adjacency *to = &fabric->adjacencies[node->first_adjacency + k];
        if (fabric->nodes[to->peer.i].usid == usid) {
            // Over parallel cables a switch would choose by itself.
            assert_int_equal(fabric->cables[link_cable(to->link).i].parallel_count, 1);
            return to->link;
        }
    }
    fail_msg("%s: no route to uSID %x", node->name, usid);
    return (link_id){ID_NONE};
}

static link_id forward(const struct fabric *fabric, node_id at, struct packet *packet) {
    const struct fabric_node *node = &fabric->nodes[at.i];
    if (sid_first_usid(&packet->destination) == node->usid) {
        next_usid(packet);
    }
    uint16_t usid = sid_first_usid(&packet->destination);
    if (usid < USID_ADJACENCY_MIN) {
        return route(fabric, at, usid);
    }
    assert_true((uint32_t)(usid - USID_ADJACENCY_MIN) < node->adjacency_count);
    next_usid(packet);
    return fabric->adjacencies[node->first_adjacency + usid - USID_ADJACENCY_MIN].link;
}

static void expect_walk(const struct fabric *fabric, const link_id *links, unsigned count) {
    struct sid_list sids;
    assert_int_equal(fabric_walk_sids(fabric, links, count, &sids), 0);
    struct packet packet = {.sids = &sids, .destination = sids.sids[0]};
    node_id at = fabric_link_to(fabric, links[0]);
    for (unsigned i = 1; i < count; i++) {
        link_id taken = forward(fabric, at, &packet);
        assert_int_equal(taken.i, links[i].i);
        at = fabric_link_to(fabric, taken);
    }
    port_id port;
    assert_true(fabric_find_port_by_usid(fabric, sid_first_usid(&packet.destination), &port));
    assert_int_equal(fabric->ports[port.i].cable.i, link_cable(links[count - 1]).i);
    assert_int_equal(packet.segment, sids.count - 1U);
    assert_false(sid_shift(&packet.destination));
}

// Wanders from a host through switches until it has had enough and is next to a host again.
static unsigned random_walk(const struct fabric *fabric, link_id *links) {
    port_id port = {draw(0, fabric->port_count - 1)};
    unsigned count = 0, wanted = draw(1, 7);
    links[count++] = link_of(fabric->ports[port.i].cable, false);
    for (;;) {
        node_id at = fabric_link_to(fabric, links[count - 1]);
        const struct fabric_node *node = &fabric->nodes[at.i];
        link_id link =
            fabric->adjacencies[node->first_adjacency + draw(0, node->adjacency_count - 1)].link;
        bool to_host = fabric->nodes[fabric_link_to(fabric, link).i].kind == NODE_HOST;
        if (to_host && count < wanted) {
            continue;
        }
        links[count++] = link;
        if (to_host) {
            return count;
        }
        if (count == WALK_MAX) {
            return 0;
        }
    }
}

static void switches_take_a_packet_over_exactly_the_walk(void **state) {
    (void)state;
    unsigned walked = 0, several = 0;
    for (int round = 0; round < 200; round++) {
        struct fabric *fabric = random_fabric(&rng);
        for (int i = 0; i < 50; i++) {
            link_id links[WALK_MAX];
            unsigned count = random_walk(fabric, links);
            if (count > 0) {
                expect_walk(fabric, links, count);
                walked++;
                several += count > 6;
            }
        }
        fabric_close(fabric);
    }
    assert_true(walked > 1000 && several > 100);
}

static void a_written_fabric_loads_to_the_same_digest(void **state) {
    (void)state;
    for (int round = 0; round < 30; round++) {
        struct fabric *fabric = random_fabric(&rng), *again;
        char *text;
        size_t size;
        FILE *stream = open_memstream(&text, &size);
        assert_int_equal(fabric_file_write(fabric, stream), 0);
        fclose(stream);
        assert_int_equal(fabric_file_parse("again", text, size, complain_aloud, NULL, &again), 0);
        assert_memory_equal(fabric->digest, again->digest, 32);
        assert_int_equal(fabric->plane_count, again->plane_count);
        for (uint32_t i = 0; i < fabric->node_count; i++) {
            assert_int_equal(fabric->nodes[i].plane, again->nodes[i].plane);
        }
        free(text);
        fabric_close(again);
        fabric_close(fabric);
    }
}

static void shuffle(struct link_evidence *list, uint32_t count) {
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = draw(0, i - 1);
        struct link_evidence swap = list[i - 1];
        list[i - 1] = list[other];
        list[other] = swap;
    }
}

static void belief_does_not_depend_on_the_order_of_reports(void **state) {
    (void)state;
    for (int round = 0; round < 500; round++) {
        struct fabric *fabric = random_fabric(&rng);
        uint32_t links = fabric_link_count(fabric), link = draw(0, links - 1);
        struct link_evidence list[12] = {0};
        struct cable_observers *observers = calloc(fabric->cable_count, sizeof *observers);
        struct observer_sight *sights = calloc(fabric->host_count, sizeof *sights);
        assert_true(observers != NULL && sights != NULL);
        struct cable_observers *elected = &observers[link / 2];
        uint32_t count = draw(1, fabric->host_count < 12 ? fabric->host_count : 12);
        for (uint32_t i = 0; i < count; i++) {
            list[i].link.i = link;
            list[i].observer.i = i;
            list[i].report.verdict = draw(0, 1) == 0 ? LINK_UP : LINK_DOWN;
            list[i].report.capacity_ppm = draw(0, 4) * 250000;
            if (elected->count < CABLE_OBSERVERS_MAX && draw(0, 1) == 0) {
                elected->hosts[elected->count++].i = i;
            }
        }
        struct link_belief *first = calloc(links, sizeof *first);
        struct link_belief *second = calloc(links, sizeof *second);
        assert_non_null(first);
        assert_non_null(second);
        const struct belief_input input = {fabric, observers, list, count, sights};
        belief_compute(&input, first);
        shuffle(list, count);
        belief_compute(&input, second);
        assert_memory_equal(first, second, links * sizeof *first);
        assert_int_equal(first[link].observer_count, elected->count);
        free(observers);
        free(sights);
        free(first);
        free(second);
        fabric_close(fabric);
    }
}

// ---- planes

static void planes_are_what_cables_join(void **state) {
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct fabric *fabric = random_fabric(&rng);
        uint32_t *mark = calloc(fabric->node_count, sizeof mark[0]);
        assert_non_null(mark);
        // Marks spread from the first leaf until nothing changes.
        mark[fabric->ports[0].leaf.i] = 1;
        for (bool changed = true; changed;) {
            changed = false;
            for (uint32_t i = 0; i < fabric->cable_count; i++) {
                uint32_t a = fabric->cables[i].a.i, b = fabric->cables[i].b.i;
                if (a >= fabric->host_count && mark[a] != mark[b]) {
                    mark[a] = mark[b] = 1;
                    changed = true;
                }
            }
        }
        bool dual = strcmp(fabric->kind, "dual-plane") == 0;
        assert_int_equal(fabric->plane_count, dual ? 2 : 1);
        for (uint32_t i = fabric->host_count; i < fabric->node_count; i++) {
            assert_int_equal(fabric->nodes[i].plane == 0, mark[i] == 1);
        }
        free(mark);
        fabric_close(fabric);
    }
}

static int seed_rng(void **state) {
    (void)state;
    rng_init(&rng, seed);
    return 0;
}

int main(void) {
    const char *text = getenv("SEED");
    seed = text != NULL ? strtoull(text, NULL, 10) : 1;
    printf("SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(packing_and_unpacking_give_the_list_back, seed_rng),
        cmocka_unit_test_setup(switches_take_a_packet_over_exactly_the_walk, seed_rng),
        cmocka_unit_test_setup(a_written_fabric_loads_to_the_same_digest, seed_rng),
        cmocka_unit_test_setup(belief_does_not_depend_on_the_order_of_reports, seed_rng),
        cmocka_unit_test_setup(planes_are_what_cables_join, seed_rng),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
