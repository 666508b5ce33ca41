// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include <bpf/bpf.h>

#include "ebpf.h"
#include "nicdrv/diff.h"

#define NEXT_HEADER_IPV4 4
#define NEXT_HEADER_IPV6 41
#define NEXT_HEADER_ROUTING 43
#define ROUTING_TYPE_SRH 4

static_assert(SRV6_BUCKETS == RULE_BUCKETS && SRV6_BUCKETS >= RULE_PATHS_MAX, "tables fit");
static_assert(SRV6_LOCAL_SIDS == LOCAL_SIDS_MAX, "a set of local SIDs fits");
static_assert(SRV6_SEGMENTS_MAX == SID_LIST_MAX, "the longest SID list fits an srv6_srh");
static_assert((int)SRV6_SINGLE == (int)RULE_SINGLE && (int)SRV6_SPRAY == (int)RULE_SPRAY &&
                  (int)SRV6_BUCKET_QP == (int)RULE_BUCKET_QP &&
                  (int)SRV6_BUCKET_SPORT == (int)RULE_BUCKET_SPORT,
              "a rule's select is stored as it is");

static bool is_ipv4(const uint8_t destination[16]) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(destination, mapped, sizeof mapped) == 0;
}

static struct srv6_address address_of(const uint8_t bytes[16]) {
    struct srv6_address address;
    memcpy(&address, bytes, sizeof address);
    return address;
}

void ebpf_rules_fini(struct ebpf_rules *rules) {
    rule_set_fini(&rules->set);
    free(rules->first);
    free(rules->slots);
    rules->first = NULL;
    rules->slots = NULL;
}

// The reduced header of RFC 8986 section 5.2: segments in reverse, without the first.
static uint8_t build_srh(const struct sid_list *sids, uint8_t next_header, struct srv6_srh *srh) {
    uint8_t carried = (uint8_t)(sids->count - 1);
    *srh = (struct srv6_srh){0};
    srh->bytes[0] = next_header;
    srh->bytes[1] = (uint8_t)(carried * 2); // in 8 bytes, the first 8 not counted
    srh->bytes[2] = ROUTING_TYPE_SRH;
    srh->bytes[3] = carried;                // segments left
    srh->bytes[4] = (uint8_t)(carried - 1); // last entry
    for (uint8_t i = 0; i < carried; i++) {
        memcpy(&srh->bytes[8 + 16 * i], sids->sids[sids->count - 1 - i].bytes, 16);
    }
    return (uint8_t)(8 + 16 * carried);
}

static int zero_counter(const struct ebpf_maps *maps, uint32_t slot) {
    struct srv6_counter *zeroes = calloc((size_t)maps->cpus, sizeof *zeroes);
    if (zeroes == NULL) {
        return -ENOMEM;
    }
    int rc = bpf_map_update_elem(maps->counters, &slot, zeroes, BPF_ANY);
    free(zeroes);
    return rc;
}

int ebpf_put_path(const struct ebpf_maps *maps, const struct ebpf_rules *rules, uint32_t r,
                  uint32_t p) {
    const struct rule *rule = &rules->set.rules[r];
    const struct encap *encap = &rules->set.encaps[rule->encap[p]];
    uint32_t slot = rules->slots[rules->first[r] + p];
    struct srv6_path path = {
        .destination = address_of(rule->match.destination),
        .source = address_of(encap->source),
        .sid = address_of(encap->sids.sids[0].bytes),
        .next_header = is_ipv4(rule->match.destination) ? NEXT_HEADER_IPV4 : NEXT_HEADER_IPV6,
    };
    int rc = 0;
    if (encap->sids.count > 1) {
        struct srv6_srh srh;
        path.srh_bytes = build_srh(&encap->sids, path.next_header, &srh);
        path.next_header = NEXT_HEADER_ROUTING;
        rc = bpf_map_update_elem(maps->srhs, &slot, &srh, BPF_ANY);
    } else {
        bpf_map_delete_elem(maps->srhs, &slot); // of the slot's former owner, if it had one
    }
    if (rc == 0) {
        rc = zero_counter(maps, slot);
    }
    if (rc == 0) {
        rc = bpf_map_update_elem(maps->paths, &slot, &path, BPF_ANY);
    }
    return rc;
}

static struct srv6_exact_key exact_key(const struct rule_match *match) {
    return (struct srv6_exact_key){
        .destination = address_of(match->destination),
        .kind = match->key_kind == RULE_KEY_QP ? SRV6_EXACT_QP : SRV6_EXACT_SPORT,
        .key = match->key,
    };
}

static struct srv6_rule rule_value(const struct ebpf_rules *rules, uint32_t r) {
    const struct rule *rule = &rules->set.rules[r];
    struct srv6_rule value = {.select = rule->select, .path_count = rule->path_count};
    memcpy(value.bucket, rule->bucket, sizeof value.bucket);
    memcpy(value.slot, rules->slots + rules->first[r], rule->path_count * sizeof value.slot[0]);
    return value;
}

int ebpf_put_exact(const struct ebpf_maps *maps, const struct ebpf_rules *rules, uint32_t r) {
    struct srv6_exact_key key = exact_key(&rules->set.rules[r].match);
    struct srv6_rule value = rule_value(rules, r);
    return bpf_map_update_elem(maps->exact, &key, &value, BPF_ANY);
}

int ebpf_drop_exact(const struct ebpf_maps *maps, const struct rule_match *match) {
    struct srv6_exact_key key = exact_key(match);
    int rc = bpf_map_delete_elem(maps->exact, &key);
    return rc == -ENOENT ? 0 : rc;
}

// Whether the destination has a rule of this kind.
static bool has_kind(const struct rule_set *set, const uint8_t destination[16],
                     enum rule_key kind) {
    struct rule_match least = {.key_kind = (uint8_t)kind};
    memcpy(least.destination, destination, sizeof least.destination);
    uint32_t at = rule_set_lower_bound(set, &least);
    return at < set->rule_count && set->rules[at].match.key_kind == kind &&
           memcmp(set->rules[at].match.destination, destination, 16) == 0;
}

int ebpf_put_destination(const struct ebpf_maps *maps, const struct ebpf_rules *rules,
                         const uint8_t destination[16]) {
    struct srv6_address key = address_of(destination);
    struct rule_match match = {.key_kind = RULE_KEY_DEFAULT};
    memcpy(match.destination, destination, sizeof match.destination);
    uint32_t r = rule_set_find(&rules->set, &match);
    struct srv6_rule value = {.select = SRV6_PLAIN};
    if (r != RULE_NONE) {
        value = rule_value(rules, r);
    }
    if (has_kind(&rules->set, destination, RULE_KEY_QP)) {
        value.exact |= SRV6_EXACT_QP;
    }
    if (has_kind(&rules->set, destination, RULE_KEY_SPORT)) {
        value.exact |= SRV6_EXACT_SPORT;
    }
    if (r == RULE_NONE && value.exact == 0) {
        int rc = bpf_map_delete_elem(maps->destinations, &key);
        return rc == -ENOENT ? 0 : rc;
    }
    return bpf_map_update_elem(maps->destinations, &key, &value, BPF_ANY);
}

// Puts `after` where `before` is; -ENOENT when it is nowhere. Other places stay readable meanwhile.
static int replace_local_sid(const struct ebpf_maps *maps, const struct srv6_address *before,
                             const struct srv6_address *after) {
    struct srv6_address at;
    for (uint32_t place = 0; place < SRV6_LOCAL_SIDS; place++) {
        int rc = bpf_map_lookup_elem(maps->local_sids, &place, &at);
        if (rc < 0) {
            return rc;
        }
        if (memcmp(&at, before, sizeof at) == 0) {
            return bpf_map_update_elem(maps->local_sids, &place, after, BPF_ANY);
        }
    }
    return -ENOENT;
}

int ebpf_put_local_sid(const struct ebpf_maps *maps, const struct sid *sid) {
    struct srv6_address none = {0}, own = address_of(sid->bytes);
    int rc = replace_local_sid(maps, &none, &own);
    return rc == -ENOENT ? -ENOSPC : rc;
}

int ebpf_drop_local_sid(const struct ebpf_maps *maps, const struct sid *sid) {
    struct srv6_address none = {0}, own = address_of(sid->bytes);
    int rc = replace_local_sid(maps, &own, &none);
    return rc == -ENOENT ? 0 : rc;
}

// --- reading back --------------------------------------------------------------------------------

static int read_encap(const struct ebpf_maps *maps, uint32_t slot, struct encap *out) {
    struct srv6_path path;
    struct encap encap = {.sids.count = 1};
    if (slot >= SRV6_SLOTS || bpf_map_lookup_elem(maps->paths, &slot, &path) < 0) {
        return -EUCLEAN;
    }
    memcpy(encap.source, &path.source, sizeof encap.source);
    memcpy(encap.sids.sids[0].bytes, &path.sid, sizeof path.sid);
    if (path.srh_bytes > 0) {
        struct srv6_srh srh;
        if (bpf_map_lookup_elem(maps->srhs, &slot, &srh) < 0 || srh.bytes[3] == 0 ||
            srh.bytes[3] >= SID_LIST_MAX) {
            return -EUCLEAN;
        }
        encap.sids.count = (uint8_t)(srh.bytes[3] + 1);
        for (uint8_t i = 1; i < encap.sids.count; i++) {
            memcpy(encap.sids.sids[i].bytes, &srh.bytes[8 + 16 * (srh.bytes[3] - i)], 16);
        }
    }
    *out = encap;
    return 0;
}

static int read_rule(const struct ebpf_maps *maps, const struct rule_match *match,
                     const struct srv6_rule *value, struct rule_set *set) {
    struct rule rule = {.match = *match, .select = value->select, .path_count = value->path_count};
    if (value->path_count == 0 || value->path_count > RULE_PATHS_MAX) {
        return -EUCLEAN;
    }
    memcpy(rule.bucket, value->bucket, sizeof rule.bucket);
    for (uint32_t p = 0; p < value->path_count; p++) {
        struct encap encap;
        int rc = read_encap(maps, value->slot[p], &encap);
        if (rc == 0) {
            rc = rule_set_intern(set, &encap, &rule.encap[p]);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return rule_set_add(set, &rule);
}

static int read_destinations(const struct ebpf_maps *maps, struct rule_set *set) {
    struct srv6_address key, *previous = NULL;
    int rc = 0;
    while (rc == 0 && bpf_map_get_next_key(maps->destinations, previous, &key) == 0) {
        struct srv6_rule value;
        struct rule_match match = {.key_kind = RULE_KEY_DEFAULT};
        memcpy(match.destination, &key, sizeof key);
        rc = bpf_map_lookup_elem(maps->destinations, &key, &value);
        if (rc == 0 && value.select != SRV6_PLAIN) {
            rc = read_rule(maps, &match, &value, set);
        }
        previous = &key;
    }
    return rc;
}

static int read_exact(const struct ebpf_maps *maps, struct rule_set *set) {
    struct srv6_exact_key key, *previous = NULL;
    int rc = 0;
    while (rc == 0 && bpf_map_get_next_key(maps->exact, previous, &key) == 0) {
        struct srv6_rule value;
        struct rule_match match = {.key_kind =
                                       key.kind == SRV6_EXACT_QP ? RULE_KEY_QP : RULE_KEY_SPORT,
                                   .key = key.key};
        memcpy(match.destination, &key.destination, sizeof key.destination);
        rc = bpf_map_lookup_elem(maps->exact, &key, &value);
        if (rc == 0) {
            rc = read_rule(maps, &match, &value, set);
        }
        previous = &key;
    }
    return rc;
}

static int read_local_sids(const struct ebpf_maps *maps, struct rule_set *set) {
    static const struct srv6_address none;
    for (uint32_t place = 0; place < SRV6_LOCAL_SIDS; place++) {
        struct srv6_address at;
        int rc = bpf_map_lookup_elem(maps->local_sids, &place, &at);
        if (rc < 0) {
            return rc;
        }
        if (memcmp(&at, &none, sizeof at) == 0) {
            continue;
        }
        memcpy(set->local_sids[set->local_sid_count++].bytes, &at, sizeof at);
    }
    return 0;
}

// Sealing sorted the rules, so their slots are fetched again, rule by rule.
static int read_slots(const struct ebpf_maps *maps, struct ebpf_rules *rules) {
    int rc = rule_path_numbers(&rules->set, &rules->first);
    if (rc < 0) {
        return rc;
    }
    rules->slots = calloc((size_t)rules->first[rules->set.rule_count] + 1, sizeof(uint32_t));
    if (rules->slots == NULL) {
        return -ENOMEM;
    }
    for (uint32_t r = 0; r < rules->set.rule_count; r++) {
        const struct rule *rule = &rules->set.rules[r];
        struct srv6_exact_key exact = exact_key(&rule->match);
        struct srv6_rule value;
        rc = rule->match.key_kind == RULE_KEY_DEFAULT
                 ? bpf_map_lookup_elem(maps->destinations, &exact.destination, &value)
                 : bpf_map_lookup_elem(maps->exact, &exact, &value);
        if (rc < 0) {
            return rc;
        }
        memcpy(rules->slots + rules->first[r], value.slot, rule->path_count * sizeof value.slot[0]);
    }
    return 0;
}

int ebpf_read_rules(const struct ebpf_maps *maps, struct ebpf_rules *out, struct error *error) {
    struct ebpf_rules rules = {0};
    rule_set_init(&rules.set);
    int rc = read_destinations(maps, &rules.set);
    if (rc == 0) {
        rc = read_exact(maps, &rules.set);
    }
    if (rc == 0) {
        rc = read_local_sids(maps, &rules.set);
    }
    struct error reason = {.text = "they contradict themselves"};
    if (rc == 0) {
        rc = rule_set_seal(&rules.set, &reason);
    }
    if (rc == 0) {
        rc = read_slots(maps, &rules);
    }
    if (rc < 0) {
        ebpf_rules_fini(&rules);
        return error_set(error, rc, "cannot adopt the rules found in the BPF maps: %.90s",
                         rc == -ENOMEM ? "no memory" : reason.text);
    }
    *out = rules;
    return 0;
}

// --- counters ------------------------------------------------------------------------------------

int ebpf_read_counter(const struct ebpf_maps *maps, uint32_t slot, struct srv6_counter *sum) {
    struct srv6_counter *each = calloc((size_t)maps->cpus, sizeof *each);
    if (each == NULL) {
        return -ENOMEM;
    }
    int rc = bpf_map_lookup_elem(maps->counters, &slot, each);
    *sum = (struct srv6_counter){0};
    for (int cpu = 0; rc == 0 && cpu < maps->cpus; cpu++) {
        sum->packets += each[cpu].packets;
        sum->bytes += each[cpu].bytes;
    }
    free(each);
    return rc;
}

int ebpf_read_totals(const struct ebpf_maps *maps, struct srv6_totals *sum) {
    struct srv6_totals *each = calloc((size_t)maps->cpus, sizeof *each);
    uint32_t zero = 0;
    if (each == NULL) {
        return -ENOMEM;
    }
    int rc = bpf_map_lookup_elem(maps->totals, &zero, each);
    *sum = (struct srv6_totals){0};
    for (int cpu = 0; rc == 0 && cpu < maps->cpus; cpu++) {
        sum->encapsulated += each[cpu].encapsulated;
        sum->decapsulated += each[cpu].decapsulated;
        sum->plain += each[cpu].plain;
        sum->too_big += each[cpu].too_big;
        sum->stale += each[cpu].stale;
        sum->failed += each[cpu].failed;
        sum->dropped += each[cpu].dropped;
    }
    free(each);
    return rc;
}
