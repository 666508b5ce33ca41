// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf.h"
#include "nicdrv/diff.h"

#define SLOT_NONE UINT32_MAX

static void give_slot(struct ebpf_slots *slots, uint32_t slot) {
    assert(slots->count < SRV6_SLOTS);
    slots->ring[(slots->head + slots->count++) % SRV6_SLOTS] = slot;
}

static uint32_t take_slot(struct ebpf_slots *slots) {
    assert(slots->count > 0);
    uint32_t slot = slots->ring[slots->head];
    slots->head = (slots->head + 1) % SRV6_SLOTS;
    slots->count--;
    return slot;
}

int ebpf_slots_init(struct ebpf_slots *slots, const struct ebpf_rules *in_use) {
    bool *used = calloc(SRV6_SLOTS, sizeof *used);
    uint32_t *ring = calloc(SRV6_SLOTS, sizeof *ring);
    if (used == NULL || ring == NULL) {
        free(used);
        free(ring);
        return -ENOMEM;
    }
    *slots = (struct ebpf_slots){.ring = ring};
    uint32_t total = in_use->first[in_use->set.rule_count];
    for (uint32_t i = 0; i < total; i++) {
        used[in_use->slots[i]] = true;
    }
    for (uint32_t slot = 0; slot < SRV6_SLOTS; slot++) {
        if (!used[slot]) {
            give_slot(slots, slot);
        }
    }
    free(used);
    return 0;
}

void ebpf_slots_fini(struct ebpf_slots *slots) {
    free(slots->ring);
    slots->ring = NULL;
}

// The wanted rules with the slots of the paths that stay; SLOT_NONE for those that are new, whose
// number goes to *missing. Marks in kept[] the numbers of the old paths that stay.
static int plan_slots(const struct ebpf_rules *held, const struct rule_set *wanted,
                      struct ebpf_rules *next, bool *kept, uint32_t *missing) {
    rule_set_init(&next->set);
    int rc = rule_set_copy(wanted, &next->set);
    if (rc == 0) {
        rc = rule_path_numbers(&next->set, &next->first);
    }
    if (rc < 0) {
        return rc;
    }
    next->slots = calloc((size_t)next->first[next->set.rule_count] + 1, sizeof *next->slots);
    if (next->slots == NULL) {
        return -ENOMEM;
    }
    *missing = 0;
    for (uint32_t r = 0; r < next->set.rule_count; r++) {
        uint32_t origin[RULE_PATHS_MAX];
        uint32_t before = rule_set_find(&held->set, &next->set.rules[r].match);
        rule_path_origins(&held->set, before, &next->set, r, origin);
        for (uint32_t p = 0; p < next->set.rules[r].path_count; p++) {
            uint32_t *slot = &next->slots[next->first[r] + p];
            *slot = SLOT_NONE;
            if (origin[p] == RULE_NONE) {
                (*missing)++;
            } else {
                *slot = held->slots[held->first[before] + origin[p]];
                kept[held->first[before] + origin[p]] = true;
            }
        }
    }
    return 0;
}

// Writes the new paths; no packet sees them yet.
static int make_paths(const struct ebpf_maps *maps, struct ebpf_slots *slots,
                      struct ebpf_rules *next) {
    for (uint32_t r = 0; r < next->set.rule_count; r++) {
        for (uint32_t p = 0; p < next->set.rules[r].path_count; p++) {
            uint32_t *slot = &next->slots[next->first[r] + p];
            if (*slot != SLOT_NONE) {
                continue;
            }
            *slot = take_slot(slots);
            int rc = ebpf_put_path(maps, next, r, p);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

static const struct rule_match *match_of(const struct rule_change *change,
                                         const struct rule_set *before,
                                         const struct rule_set *after) {
    return change->kind == RULE_CHANGE_REMOVE ? &before->rules[change->before].match
                                              : &after->rules[change->after].match;
}

// A destination's entry tells of its exact rules too, so every change refreshes it: after exact
// rules were added, before exact rules go.
static int refresh_destinations(const struct ebpf_maps *maps, const struct ebpf_rules *held,
                                const struct ebpf_rules *next, const struct rule_diff *diff) {
    const uint8_t *last = NULL;
    for (uint32_t i = 0; i < diff->count; i++) {
        const uint8_t *destination =
            match_of(&diff->changes[i], &held->set, &next->set)->destination;
        if (last != NULL && memcmp(last, destination, 16) == 0) {
            continue;
        }
        int rc = ebpf_put_destination(maps, next, destination);
        if (rc < 0) {
            return rc;
        }
        last = destination;
    }
    return 0;
}

static int change_rules(const struct ebpf_maps *maps, const struct ebpf_rules *held,
                        const struct ebpf_rules *next) {
    struct rule_diff diff;
    int rc = rule_diff_make(&held->set, &next->set, &diff);
    if (rc < 0) {
        return rc;
    }
    for (uint32_t i = 0; rc == 0 && i < diff.count; i++) {
        if (diff.changes[i].phase == 1) {
            rc = ebpf_put_exact(maps, next, diff.changes[i].after);
        }
    }
    if (rc == 0) {
        rc = refresh_destinations(maps, held, next, &diff);
    }
    for (uint32_t i = 0; rc == 0 && i < diff.count; i++) {
        if (diff.changes[i].phase == 4) {
            rc = ebpf_drop_exact(maps, &held->set.rules[diff.changes[i].before].match);
        }
    }
    rule_diff_fini(&diff);
    return rc;
}

static bool has_local_sid(const struct rule_set *set, const struct sid *sid) {
    for (uint32_t i = 0; i < set->local_sid_count; i++) {
        if (memcmp(set->local_sids[i].bytes, sid->bytes, sizeof sid->bytes) == 0) {
            return true;
        }
    }
    return false;
}

// Old ones go first: the map has room for just one set, and no sender that is told of a new SID
// before this apply ends may use it.
static int change_local_sids(const struct ebpf_maps *maps, const struct rule_set *held,
                             const struct rule_set *wanted) {
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < held->local_sid_count; i++) {
        if (!has_local_sid(wanted, &held->local_sids[i])) {
            rc = ebpf_drop_local_sid(maps, &held->local_sids[i]);
        }
    }
    for (uint32_t i = 0; rc == 0 && i < wanted->local_sid_count; i++) {
        if (!has_local_sid(held, &wanted->local_sids[i])) {
            rc = ebpf_put_local_sid(maps, &wanted->local_sids[i]);
        }
    }
    return rc;
}

int ebpf_update(const struct ebpf_maps *maps, struct ebpf_slots *slots, struct ebpf_rules *held,
                const struct rule_set *wanted, const char *device, struct error *error) {
    struct ebpf_rules next = {0};
    uint32_t held_paths = held->first[held->set.rule_count], missing = 0;
    bool *kept = calloc((size_t)held_paths + 1, sizeof *kept);
    int rc = kept == NULL ? -ENOMEM : plan_slots(held, wanted, &next, kept, &missing);
    if (rc == 0 && missing > slots->count) {
        rc = error_set(error, -ENOSPC,
                       "%s: %u new paths beside the %u in use; the BPF maps hold %d in all", device,
                       missing, held_paths, SRV6_SLOTS);
    } else if (rc < 0) {
        error_set(error, rc, "%s: no memory for %u rules", device, wanted->rule_count);
    } else {
        rc = make_paths(maps, slots, &next);
        if (rc == 0) {
            rc = change_rules(maps, held, &next);
        }
        if (rc == 0) {
            rc = change_local_sids(maps, &held->set, &next.set);
        }
        if (rc < 0) {
            error_set(error, rc, "%s: the kernel refused to change a BPF map: %s", device,
                      strerror(-rc));
        }
    }
    if (rc == 0) {
        for (uint32_t i = 0; i < held_paths; i++) {
            if (!kept[i]) {
                give_slot(slots, held->slots[i]);
            }
        }
        ebpf_rules_fini(held);
        *held = next;
    } else {
        ebpf_rules_fini(&next);
    }
    free(kept);
    return rc;
}
