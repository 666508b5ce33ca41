// SPDX-License-Identifier: Apache-2.0
// Reports on links, one per observer and directed link, and how long a "down" among them counts.
//
// An observer damps its own "up" (prober.h): after "down" it says "up" only when the link answered
// for the hold time, which doubles with each flap. Nobody needs to trust it to do so. Every agent
// keeps the same account of what it hears: a "down" counts for the hold time although it was taken
// back, and one that follows another within five minutes for twice the time of that. An observer
// that damps is never overtaken by this; one that does not moves others' flows no more often than
// one that does. With "lossy" it is the same, in an account of its own.
#include <stdlib.h>
#include <string.h>

#include "model/time.h"
#include "state.h"

// "Down" and "up" may take differently long to arrive: the account allows for an eighth.
#define ACCOUNT_SHARE(hold_ns) ((hold_ns) - (hold_ns) / 8)

static uint32_t report_place(const struct link_view *view, node_id observer) {
    uint32_t place = 0;
    while (place < view->count && view->reports[place].observer.i < observer.i) {
        place++;
    }
    return place;
}

static bool has_report(const struct link_view *view, uint32_t place, node_id observer) {
    return place < view->count && view->reports[place].observer.i == observer.i;
}

static bool report_room(struct link_view *view) {
    if (view->count < view->capacity) {
        return true;
    }
    if (view->capacity == OBSERVERS_MAX) {
        return false;
    }
    uint8_t capacity = view->capacity == 0 ? 4 : (uint8_t)(2 * view->capacity);
    struct link_evidence *reports = realloc(view->reports, capacity * sizeof *reports);
    if (reports == NULL) {
        return false;
    }
    view->reports = reports;
    struct vote_accounts *accounts = realloc(view->accounts, capacity * sizeof *accounts);
    if (accounts == NULL) {
        return false;
    }
    view->accounts = accounts;
    view->capacity = capacity;
    return true;
}

static void drop_report(struct link_view *view, uint32_t place) {
    uint32_t after = view->count - place - 1U;
    memmove(&view->reports[place], &view->reports[place + 1], after * sizeof *view->reports);
    memmove(&view->accounts[place], &view->accounts[place + 1], after * sizeof *view->accounts);
    view->count--;
}

static void make_place(struct link_view *view, uint32_t place) {
    uint32_t after = view->count - place;
    memmove(&view->reports[place + 1], &view->reports[place], after * sizeof *view->reports);
    memmove(&view->accounts[place + 1], &view->accounts[place], after * sizeof *view->accounts);
    view->accounts[place] = (struct vote_accounts){.withdrawn = true};
    view->count++;
}

// Reports of those who are not elected change no belief; election looks at all reports anew.
static void changed(struct engine *engine, link_id link, node_id observer) {
    bool counts = belief_is_elected(&engine->observers[link_cable(link).i], observer);
    engine->evidence_changed = engine->evidence_changed || counts;
}

// ---- accounts

static bool is_held(const struct engine *engine, const struct vote_account *account) {
    return engine->now_ns < account->down_until_ns;
}

static bool any_held(const struct engine *engine, const struct vote_accounts *accounts) {
    return is_held(engine, &accounts->down) || is_held(engine, &accounts->lossy);
}

static void account_down(const struct engine *engine, struct vote_account *account) {
    const struct engine_config *config = &engine->config;
    if (!is_held(engine, account)) { // else the flap goes on for which it is held
        uint64_t up_since_ns =
            account->up_at_ns > account->down_until_ns ? account->up_at_ns : account->down_until_ns;
        bool forgiven = engine->now_ns - up_since_ns > FLAPS_FORGIVEN_AFTER_NS;
        uint64_t doubled = 2 * account->hold_ns;
        account->hold_ns = account->hold_ns == 0 || forgiven ? config->up_hold_ns : doubled;
        account->hold_ns =
            account->hold_ns < config->up_hold_max_ns ? account->hold_ns : config->up_hold_max_ns;
    }
    account->down_until_ns = engine->now_ns + ACCOUNT_SHARE(account->hold_ns);
}

static void account_for(struct engine *engine, node_id observer, bool before, bool now,
                        struct vote_account *account) {
    if (observer.i == engine->self.i || before == now) {
        return; // the own prober and localization have damped already
    }
    if (now) {
        account_down(engine, account);
    } else {
        account->up_at_ns = engine->now_ns;
    }
}

// ---- reports

static void remove_report(struct engine *engine, link_id link, node_id observer) {
    struct link_view *view = &engine->links[link.i];
    uint32_t place = report_place(view, observer);
    if (!has_report(view, place, observer)) {
        return;
    }
    struct vote_accounts *accounts = &view->accounts[place];
    const struct link_report *report = &view->reports[place].report;
    bool down = !accounts->withdrawn && report->verdict == LINK_DOWN;
    account_for(engine, observer, down, false, &accounts->down);
    account_for(engine, observer, !accounts->withdrawn && report->avoid, false, &accounts->lossy);
    if (any_held(engine, accounts)) {
        accounts->withdrawn = true;
    } else {
        drop_report(view, place);
    }
    changed(engine, link, observer);
}

static void store_report(struct engine *engine, link_id link, node_id observer,
                         const struct link_report *report) {
    struct link_view *view = &engine->links[link.i];
    uint32_t place = report_place(view, observer);
    if (!has_report(view, place, observer)) {
        if (!report_room(view)) {
            engine->stats.bad_facts++;
            return;
        }
        make_place(view, place);
    }
    struct vote_accounts *accounts = &view->accounts[place];
    const struct link_report *before = &view->reports[place].report;
    bool was_down = !accounts->withdrawn && before->verdict == LINK_DOWN;
    bool was_lossy = !accounts->withdrawn && before->avoid;
    account_for(engine, observer, was_down, report->verdict == LINK_DOWN, &accounts->down);
    account_for(engine, observer, was_lossy, report->avoid, &accounts->lossy);
    bool same = !accounts->withdrawn && before->verdict == report->verdict &&
                before->avoid == report->avoid && before->fault_ppm == report->fault_ppm &&
                before->capacity_ppm == report->capacity_ppm;
    accounts->withdrawn = false;
    accounts->told_at_ns = engine->now_ns;
    view->reports[place] = (struct link_evidence){link, observer, *report};
    if (!same) { // suspicions are of no account
        changed(engine, link, observer);
    }
}

void learn_own_report(struct engine *engine, link_id link, const struct link_report *report) {
    if (report == NULL) {
        remove_report(engine, link, engine->self);
    } else {
        store_report(engine, link, engine->self, report);
    }
}

static void hear(struct engine *engine, link_id link, node_id observer,
                 const struct link_report *report) {
    const struct link_view *view = &engine->links[link.i];
    uint32_t place = report_place(view, observer);
    const struct link_report *before =
        has_report(view, place, observer) ? &view->reports[place].report : NULL;
    if (observer.i != engine->self.i) {
        diagnosis_hear(engine, link, observer, before, report);
    }
}

void votes_learn(struct engine *engine, node_id observer, const char *key, const void *value,
                 size_t size) {
    link_id link;
    if (!fabric_find_link(engine->fabric, key, &link) ||
        !fabric_link_is_internal(engine->fabric, link)) {
        engine->stats.bad_facts++;
        return;
    }
    struct link_report report;
    if (value == NULL) {
        remove_report(engine, link, observer);
    } else if (link_report_decode(value, size, &report) != 0) {
        engine->stats.bad_facts++;
    } else {
        hear(engine, link, observer, &report);
        store_report(engine, link, observer, &report);
    }
}

// ---- evidence

bool votes_held(const struct engine *engine, link_id link, uint32_t index) {
    const struct link_view *view = &engine->links[link.i];
    const struct vote_accounts *accounts = &view->accounts[index];
    bool taken_back = accounts->withdrawn || view->reports[index].report.verdict == LINK_UP;
    return taken_back && is_held(engine, &accounts->down);
}

static bool loss_is_held(const struct engine *engine, const struct link_view *view,
                         uint32_t index) {
    const struct vote_accounts *accounts = &view->accounts[index];
    bool taken_back = accounts->withdrawn || !view->reports[index].report.avoid;
    return taken_back && is_held(engine, &accounts->lossy);
}

static void drop_spent(const struct engine *engine, struct link_view *view) {
    for (uint32_t i = 0; i < view->count;) {
        if (view->accounts[i].withdrawn && !any_held(engine, &view->accounts[i])) {
            drop_report(view, i);
        } else {
            i++;
        }
    }
}

static bool evidence_room(struct engine *engine, uint32_t count) {
    if (count <= engine->evidence_capacity) {
        return true;
    }
    uint32_t capacity = 2 * count + 64;
    struct link_evidence *evidence = realloc(engine->evidence, capacity * sizeof *evidence);
    if (evidence == NULL) {
        return false;
    }
    engine->evidence = evidence;
    engine->evidence_capacity = capacity;
    return true;
}

// What is held is looked at again when it no longer is.
static void count_on(struct engine *engine, const struct vote_account *account) {
    engine->votes_due_at_ns = account->down_until_ns < engine->votes_due_at_ns
                                  ? account->down_until_ns
                                  : engine->votes_due_at_ns;
}

static void collect_link(struct engine *engine, link_id link, uint32_t *count) {
    const struct link_view *view = &engine->links[link.i];
    for (uint32_t i = 0; i < view->count; i++) {
        node_id observer = view->reports[i].observer;
        if (observer.i != engine->self.i && !host_is_live(&engine->hosts[observer.i])) {
            continue;
        }
        struct link_evidence *evidence = &engine->evidence[(*count)++];
        *evidence = view->reports[i];
        bool withdrawn = view->accounts[i].withdrawn;
        evidence->report.avoid = evidence->report.avoid && !withdrawn;
        if (votes_held(engine, link, i)) {
            evidence->report.verdict = LINK_DOWN;
            count_on(engine, &view->accounts[i].down);
        } else if (withdrawn) {
            evidence->report.verdict = LINK_UP;
        }
        if (loss_is_held(engine, view, i)) {
            evidence->report.avoid = true;
            count_on(engine, &view->accounts[i].lossy);
        }
    }
}

uint32_t votes_collect(struct engine *engine) {
    uint32_t count = 0;
    engine->votes_due_at_ns = NEVER_NS;
    for (uint32_t i = 0; i < fabric_link_count(engine->fabric); i++) {
        drop_spent(engine, &engine->links[i]);
        if (!evidence_room(engine, count + engine->links[i].count)) {
            return count;
        }
        collect_link(engine, (link_id){i}, &count);
    }
    return count;
}
