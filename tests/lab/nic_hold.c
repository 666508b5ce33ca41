// SPDX-License-Identifier: Apache-2.0
// Holds a NIC open and does what the lines on its standard input say, so that scripts can drive a
// NIC driver; answers each line with lines on standard output, the last one "ok" or "error: ...".
//
//   rule DESTINATION KEY SELECT SOURCE SIDS...  adds a rule to the wanted set
//        KEY     default | qp=N | sport=N
//        SELECT  single | bucket-qp | bucket-sport | spray      (buckets: bucket b takes path b %
//        n) SIDS    one path: carriers joined by commas
//   local SID      adds an own uSID to the wanted set
//   apply          applies the wanted set and starts a new one
//   applied | counters | qps | cnps | hints | totals | capabilities
//   close keep | close remove
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nicdrv/nic.h"

#define WORDS_MAX 80

static int parse_address(const char *text, uint8_t out[16]) {
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (inet_pton(AF_INET6, text, out) == 1) {
        return 0;
    }
    memcpy(out, mapped, sizeof mapped);
    return inet_pton(AF_INET, text, out + 12) == 1 ? 0 : -EINVAL;
}

static int parse_key(const char *text, struct rule_match *match) {
    if (strcmp(text, "default") == 0) {
        match->key_kind = RULE_KEY_DEFAULT;
    } else if (sscanf(text, "qp=%u", &match->key) == 1) {
        match->key_kind = RULE_KEY_QP;
    } else if (sscanf(text, "sport=%u", &match->key) == 1) {
        match->key_kind = RULE_KEY_SPORT;
    } else {
        return -EINVAL;
    }
    return 0;
}

static int parse_select(const char *text, uint8_t *out) {
    static const char *const names[] = {[RULE_SINGLE] = "single",
                                        [RULE_BUCKET_QP] = "bucket-qp",
                                        [RULE_BUCKET_SPORT] = "bucket-sport",
                                        [RULE_SPRAY] = "spray"};
    for (uint8_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return 0;
        }
    }
    return -EINVAL;
}

static int parse_path(char *text, const char *source, struct encap *out) {
    struct encap encap = {0};
    int rc = parse_address(source, encap.source);
    for (char *carrier; rc == 0 && (carrier = strsep(&text, ",")) != NULL;) {
        if (encap.sids.count == SID_LIST_MAX) {
            return -ENOSPC;
        }
        rc = sid_parse(carrier, &encap.sids.sids[encap.sids.count++]);
    }
    *out = encap;
    return rc;
}

static int add_rule(struct rule_set *wanted, char **words, int count) {
    struct rule rule = {.path_count = (uint8_t)(count - 5)};
    if (count < 6 || parse_address(words[1], rule.match.destination) < 0 ||
        parse_key(words[2], &rule.match) < 0 || parse_select(words[3], &rule.select) < 0) {
        return -EINVAL;
    }
    for (int p = 0; p < count - 5; p++) {
        struct encap encap;
        int rc = parse_path(words[5 + p], words[4], &encap);
        if (rc == 0) {
            rc = rule_set_intern(wanted, &encap, &rule.encap[p]);
        }
        if (rc < 0) {
            return rc;
        }
    }
    bool buckets = rule.select == RULE_BUCKET_QP || rule.select == RULE_BUCKET_SPORT;
    for (uint32_t b = 0; b < RULE_BUCKETS && buckets; b++) {
        rule.bucket[b] = (uint8_t)(b % rule.path_count);
    }
    return rule_set_add(wanted, &rule);
}

static void print_match(const struct rule_match *match) {
    static const char *const kinds[] = {"default", "qp", "sport"};
    char text[SID_TEXT_SIZE];
    inet_ntop(AF_INET6, match->destination, text, sizeof text);
    printf("%s %s=%u", text, kinds[match->key_kind], match->key);
}

static void print_counter(void *context, const struct nic_counter *counter) {
    (void)context;
    printf("counter ");
    print_match(&counter->match);
    printf(" path=%u packets=%llu bytes=%llu\n", counter->path,
           (unsigned long long)counter->packets, (unsigned long long)counter->bytes);
}

static void print_qp(void *context, const struct nic_qp *qp) {
    (void)context;
    char text[SID_TEXT_SIZE];
    inet_ntop(AF_INET6, qp->destination, text, sizeof text);
    printf("qp %s %u sport=%u packets=%llu bytes=%llu\n", text, qp->qp, qp->sport,
           (unsigned long long)qp->packets, (unsigned long long)qp->bytes);
}

static void print_cnp(void *context, const struct nic_cnp *cnp) {
    char text[SID_TEXT_SIZE];
    inet_ntop(AF_INET6, cnp->source, text, sizeof text);
    printf("%s %s %u count=%llu\n", (const char *)context, text, cnp->qp,
           (unsigned long long)cnp->count);
}

// What a loop does that polls the descriptor: no more than is ready.
static void print_hints(struct nic *nic) {
    struct pollfd fd = {nic->cnp_fd, POLLIN, 0};
    if (poll(&fd, 1, 0) == 1) {
        nic->driver->cnp_hints(nic, print_cnp, "hint");
    }
}

static void print_applied(const struct rule_set *set) {
    for (uint32_t r = 0; r < set->rule_count; r++) {
        printf("rule ");
        print_match(&set->rules[r].match);
        printf(" select=%u", set->rules[r].select);
        for (uint32_t p = 0; p < set->rules[r].path_count; p++) {
            const struct sid_list *sids = &set->encaps[set->rules[r].encap[p]].sids;
            for (uint32_t i = 0; i < sids->count; i++) {
                char text[SID_TEXT_SIZE];
                sid_format(&sids->sids[i], text);
                printf("%c%s", i == 0 ? ' ' : ',', text);
            }
        }
        printf("\n");
    }
    for (uint32_t i = 0; i < set->local_sid_count; i++) {
        char text[SID_TEXT_SIZE];
        sid_format(&set->local_sids[i], text);
        printf("local %s\n", text);
    }
}

static int apply(struct nic *nic, struct rule_set *wanted, struct error *error) {
    int rc = rule_set_seal(wanted, error);
    if (rc == 0) {
        rc = nic_apply(nic, wanted, error);
    }
    rule_set_clear(wanted);
    wanted->local_sid_count = 0;
    return rc;
}

static int add_local(struct rule_set *wanted, const char *text) {
    if (wanted->local_sid_count == LOCAL_SIDS_MAX) {
        return -ENOSPC;
    }
    int rc = sid_parse(text, &wanted->local_sids[wanted->local_sid_count]);
    wanted->local_sid_count += rc == 0;
    return rc;
}

static void print_totals(struct nic *nic) {
    uint64_t encapsulated, decapsulated, plain;
    nic->driver->totals(nic, &encapsulated, &decapsulated, &plain);
    printf("totals encapsulated=%llu decapsulated=%llu plain=%llu\n",
           (unsigned long long)encapsulated, (unsigned long long)decapsulated,
           (unsigned long long)plain);
}

static int obey(struct nic *nic, struct rule_set *wanted, char **words, int count,
                struct error *error) {
    if (strcmp(words[0], "rule") == 0) {
        return add_rule(wanted, words, count);
    }
    if (strcmp(words[0], "local") == 0 && count == 2) {
        return add_local(wanted, words[1]);
    }
    if (strcmp(words[0], "apply") == 0) {
        return apply(nic, wanted, error);
    }
    if (strcmp(words[0], "applied") == 0) {
        print_applied(&nic->applied);
        return 0;
    }
    if (strcmp(words[0], "counters") == 0) {
        return nic->driver->counters(nic, print_counter, NULL);
    }
    if (strcmp(words[0], "qps") == 0) {
        return nic->driver->qps(nic, print_qp, NULL);
    }
    if (strcmp(words[0], "cnps") == 0) {
        return nic->driver->cnps(nic, print_cnp, "cnp");
    }
    if (strcmp(words[0], "hints") == 0) {
        print_hints(nic);
        return 0;
    }
    if (strcmp(words[0], "totals") == 0) {
        print_totals(nic);
        return 0;
    }
    return -EINVAL;
}

static int split(char *line, char **words) {
    int count = 0;
    for (char *word; (word = strsep(&line, " \n")) != NULL && count < WORDS_MAX;) {
        if (*word != '\0') {
            words[count++] = word;
        }
    }
    return count;
}

int main(int count, char **arguments) {
    struct nic *nic;
    struct error error = {0};
    if (count != 4) {
        fprintf(stderr, "usage: nic_hold DRIVER DEVICE PIN_DIR\n");
        return 2;
    }
    struct nic_options options = {.device = arguments[2], .pin_dir = arguments[3]};
    if (nic_open(arguments[1], &options, &nic, &error) < 0) {
        printf("error: %s\n", error.text);
        return 1;
    }
    struct rule_set wanted;
    rule_set_init(&wanted);
    printf("open %s\nok\n", nic->attachment);
    fflush(stdout);
    char line[8192], *words[WORDS_MAX];
    bool remove_rules = false;
    while (fgets(line, sizeof line, stdin) != NULL) {
        int word_count = split(line, words);
        if (word_count == 0) {
            continue;
        }
        if (strcmp(words[0], "close") == 0) {
            remove_rules = word_count > 1 && strcmp(words[1], "remove") == 0;
            break;
        }
        snprintf(error.text, sizeof error.text, "cannot do that");
        int rc = obey(nic, &wanted, words, word_count, &error);
        printf(rc < 0 ? "error: %s\n" : "ok\n", error.text);
        fflush(stdout);
    }
    rule_set_fini(&wanted);
    nic_close(nic, remove_rules);
    printf("ok\n");
    return 0;
}
