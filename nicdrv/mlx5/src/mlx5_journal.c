// SPDX-License-Identifier: Apache-2.0
#include "mlx5_journal.h"

#include <errno.h>
#include <stdlib.h>

// Asking takes longer than a rule: a few rules are checked one by one, of many each eighth. The
// library waits for the device when twice as many writes are on their way.
#define CHECKED_EACH 64
#define CHECKED_EVERY 8

void mlx5_journal_init(struct mlx5_journal *journal, struct mlx5_steer *steer,
                       struct mlx5_reformats *reformats, struct mlx5_counters *counters) {
    *journal = (struct mlx5_journal){.steer = steer, .reformats = reformats, .counters = counters};
}

static int ask_now_and_then(struct mlx5_journal *journal) {
    uint32_t number = ++journal->rule_count;
    return number <= CHECKED_EACH || number % CHECKED_EVERY == 0 ? mlx5_steer_sync(journal->steer)
                                                                 : 0;
}

// The device cannot refuse: rules are written over, and what the firmware keeps ends with the
// device's descriptor at the latest.
static void let_go(struct mlx5_journal *journal, const struct mlx5_deed *deed) {
    if (mlx5_events_disorder(journal->steer->events)) {
        return;
    }
    mlx5_events_step(journal->steer->events);
    switch ((enum mlx5_deed_kind)deed->kind) {
    case MLX5_DEED_RULE:
        mlx5dv_dr_rule_destroy(deed->object);
        ask_now_and_then(journal);
        break;
    case MLX5_DEED_ACTION:
        mlx5dv_dr_action_destroy(deed->object);
        break;
    case MLX5_DEED_REFORMAT:
        mlx5_reformat_give(journal->reformats, deed->object);
        break;
    case MLX5_DEED_COUNTER:
        mlx5_counter_give(journal->counters, deed->object);
        break;
    }
}

static int record(struct mlx5_deeds *deeds, const struct mlx5_deed *deed) {
    if (deeds->count == deeds->capacity) {
        uint32_t capacity = deeds->capacity == 0 ? 64 : deeds->capacity * 2;
        struct mlx5_deed *grown = realloc(deeds->items, capacity * sizeof *grown);
        if (grown == NULL) {
            return -ENOMEM;
        }
        deeds->items = grown;
        deeds->capacity = capacity;
    }
    deeds->items[deeds->count++] = *deed;
    return 0;
}

int mlx5_journal_made(struct mlx5_journal *journal, enum mlx5_deed_kind kind, void *object) {
    struct mlx5_deed deed = {(uint8_t)kind, object};
    mlx5_events_step(journal->steer->events);
    int rc = record(&journal->made, &deed);
    if (rc < 0) {
        let_go(journal, &deed);
        return rc;
    }
    return kind == MLX5_DEED_RULE ? ask_now_and_then(journal) : 0;
}

int mlx5_journal_retire(struct mlx5_journal *journal, enum mlx5_deed_kind kind, void *object) {
    struct mlx5_deed deed = {(uint8_t)kind, object};
    if (object == NULL) {
        return 0;
    }
    if (!journal->at_once) {
        return record(&journal->retired, &deed);
    }
    let_go(journal, &deed);
    return 0;
}

static void end(struct mlx5_journal *journal) {
    free(journal->made.items);
    free(journal->retired.items);
    journal->made = journal->retired = (struct mlx5_deeds){0};
}

void mlx5_journal_commit(struct mlx5_journal *journal) {
    for (uint32_t i = 0; i < journal->retired.count; i++) {
        let_go(journal, &journal->retired.items[i]);
    }
    end(journal);
}

void mlx5_journal_undo(struct mlx5_journal *journal) {
    mlx5_steer_sync(journal->steer); // that may be why
    for (uint32_t i = journal->made.count; i-- > 0;) {
        let_go(journal, &journal->made.items[i]);
    }
    end(journal);
}
