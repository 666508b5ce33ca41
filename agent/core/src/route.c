// SPDX-License-Identifier: Apache-2.0
// Own flows: the plan from the shared belief, and for each of its parts the path in use. A part
// leaves its planned path as soon as a link on it is down by the own verdict, for the backup that
// was computed with the plan; when the shared belief follows, the plan itself has the backup in
// that place, and nothing moves again. A part whose link is hot (congestion.h) leaves for the same
// backup, as long as that is not down.
#include <stdlib.h>
#include <string.h>

#include "model/rng.h"
#include "pathalg/candidates.h"
#include "state.h"

void route_fini(struct router *router) {
    plan_fini(&router->plan);
    planner_close(router->planner);
    free(router->parts);
    steer_free(router->steers, router->steer_count);
    for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++) {
        rule_set_fini(&router->rules[i]);
    }
    *router = (struct router){0};
}

// What own flows choose by: links that are down by the shared beliefs or the own verdicts, and
// those besides that the own localization found lossy. The latter are kept off while there is
// another way.
struct views {
    const struct link_belief *hard, *full;
};

static bool is_bad(const struct engine *engine, uint32_t link, bool with_lossy) {
    enum probe_state own = engine->prober.links[link].state;
    bool dead, avoids = diagnosis_avoids(engine, (link_id){link}, &dead);
    return own == PROBE_DOWN || own == PROBE_HELD || dead || (with_lossy && avoids);
}

// Shared beliefs with the own bad verdicts on top; NULL when there are none (use the beliefs as
// they are).
static struct link_belief *own_view(const struct engine *engine, bool with_lossy) {
    uint32_t count = fabric_link_count(engine->fabric);
    struct link_belief *view = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (!is_bad(engine, i, with_lossy)) {
            continue;
        }
        if (view == NULL) {
            view = malloc(count * sizeof *view);
            if (view == NULL) {
                return NULL;
            }
            memcpy(view, engine->beliefs, count * sizeof *view);
        }
        view[i].down = true;
    }
    return view;
}

static link_id first_dead_link(const struct engine *engine, const struct link_belief *view,
                               const struct path *path) {
    for (unsigned i = 0; i < path->link_count; i++) {
        if (belief_rate_bps(engine->fabric, &view[path->links[i].i], path->links[i]) == 0) {
            return path->links[i];
        }
    }
    return (link_id){ID_NONE};
}

// Whether the part is to avoid a hot link, and may: it then is on its way's backup.
static bool leaves_hot_link(struct engine *engine, const struct link_belief *view,
                            const struct plan_flow *flow, struct steer_part *part) {
    uint32_t index;
    const struct congestion_way *way = way_of_part(engine, flow, part, &index);
    if (way == NULL || !way->away) {
        return false;
    }
    if (first_dead_link(engine, view, &way->backup).i != ID_NONE) {
        congestion_send_home(&engine->congestion, index, engine->now_ns);
        return false;
    }
    part->choice = PART_BACKUP;
    part->path = way->backup;
    part->cause = way->cause;
    part->hot = true;
    part->hot_links = way->causes;
    part->hot_ppm = way->cause_ppm;
    part->by_cnp = way->by_cnp;
    return true;
}

static struct path find_backup(const struct engine *engine, const struct link_belief *view,
                               const struct plan_flow *flow, const struct plan_part *planned) {
    struct path backup = planned->backup;
    if (backup.link_count == 0 || first_dead_link(engine, view, &backup).i != ID_NONE) {
        backup_find(engine->fabric, view, flow->src, flow->dst, &planned->path,
                    hash_pair(flow->src.i, flow->dst.i), &backup);
    }
    return backup;
}

static void choose_path(struct engine *engine, const struct views *views,
                        const struct plan_flow *flow, const struct plan_part *planned,
                        struct steer_part *part) {
    part->choice = PART_PRIMARY;
    part->path = planned->path;
    part->hot = false;
    part->cause = first_dead_link(engine, views->full, &planned->path);
    if (part->cause.i == ID_NONE) {
        (void)leaves_hot_link(engine, views->full, flow, part);
        return;
    }
    link_id dead = first_dead_link(engine, views->hard, &planned->path);
    part->lossy = dead.i == ID_NONE;
    struct path backup = find_backup(engine, views->full, flow, planned);
    if (backup.link_count == 0 && !part->lossy) { // rather over a lossy link than over a dead one
        backup = find_backup(engine, views->hard, flow, planned);
    }
    part->cause = part->lossy ? part->cause : dead;
    if (backup.link_count > 0) { // else nothing is better than the planned path
        part->choice = PART_BACKUP;
        part->path = backup;
    }
}

static void format_way(const struct engine *engine, const struct path *path, char *text,
                       size_t size) {
    size_t used = 0;
    text[0] = '\0';
    for (unsigned i = 0; i + 1 < path->link_count && used + NAME_SIZE + 1 < size; i++) {
        const char *name =
            engine->fabric->nodes[fabric_link_to(engine->fabric, path->links[i]).i].name;
        size_t length = strlen(name);
        if (i > 0) {
            text[used++] = ' ';
        }
        memcpy(text + used, name, length + 1);
        used += length;
    }
}

static bool is_alone(uint8_t bits) {
    return (bits & (bits - 1)) == 0;
}

// `part` as it is, or was, while it avoids the link.
static void note_hot(struct engine *engine, const char *subject, uint32_t number,
                     const struct steer_part *part, bool leaves) {
    char link[LINK_NAME_SIZE];
    fabric_format_link(engine->fabric, part->cause, link);
    if (leaves) {
        engine_note(engine, NOTE_INFO, "ecn_left", subject,
                    "part %u leaves %s%s: %s%u %% of the probes over it came back marked",
                    number + 1, link, is_alone(part->hot_links) ? "" : ", or what follows it",
                    part->by_cnp ? "after CNPs " : "", part->hot_ppm / 10000);
    } else {
        engine_note(engine, NOTE_INFO, "ecn_returned", subject, "part %u no longer avoids %s",
                    number + 1, link);
    }
}

void route_format_pair(const struct engine *engine, port_id src, port_id dst,
                       char text[LINK_NAME_SIZE]) {
    char to[NAME_SIZE + 4];
    fabric_format_port(engine->fabric, src, text);
    fabric_format_port(engine->fabric, dst, to);
    size_t length = strlen(text);
    text[length] = '>';
    memcpy(text + length + 1, to, strlen(to) + 1);
}

static void note_move(struct engine *engine, const struct plan_flow *flow, uint32_t part,
                      const struct steer_part *before, const struct steer_part *now) {
    char old_way[72], new_way[72], subject[LINK_NAME_SIZE];
    format_way(engine, &before->path, old_way, sizeof old_way);
    format_way(engine, &now->path, new_way, sizeof new_way);
    route_format_pair(engine, flow->src, flow->dst, subject);
    bool by_ecn = before->hot != now->hot;
    bool to_backup = now->choice == PART_BACKUP;
    engine->stats.moves_by_ecn += by_ecn;
    engine->stats.moves_to_backup += to_backup && !by_ecn;
    engine->stats.moves_by_loss += to_backup && !by_ecn && now->lossy;
    engine->stats.moves_by_plan += !to_backup && !by_ecn;
    engine_note(engine, NOTE_INFO, "flow_moved", subject, "part %u of %u: from %s to %s", part + 1,
                flow->part_count, old_way, new_way);
    if (by_ecn) {
        note_hot(engine, subject, part, now->hot ? now : before, now->hot);
    }
}

static void choose_paths(struct engine *engine) {
    struct router *router = &engine->router;
    struct link_belief *hard = own_view(engine, false), *full = own_view(engine, true);
    const struct views views = {hard != NULL ? hard : engine->beliefs,
                                full != NULL ? full : engine->beliefs};
    for (uint32_t i = 0; i < router->plan.flow_count; i++) {
        const struct plan_flow *flow = &router->plan.flows[i];
        bool plain = plain_reason(engine, &router->plan, flow) != NULL;
        for (uint32_t p = 0; p < flow->part_count; p++) {
            struct steer_part *part = &router->parts[flow->first_part + p];
            const struct steer_part before = *part;
            choose_path(engine, &views, flow, &router->plan.parts[flow->first_part + p], part);
            part->choice = plain ? PART_PLAIN : part->choice;
            bool was_steered = before.path.link_count > 0 && before.choice != PART_PLAIN;
            if (!plain && was_steered && !path_equal(&before.path, &part->path)) {
                note_move(engine, flow, p, &before, part);
            }
        }
    }
    free(hard);
    free(full);
}

void route_program(struct engine *engine) {
    for (uint32_t i = 0; i < engine->own_port_count; i++) {
        struct rule_set next;
        rule_set_init(&next);
        int rc = rules_build(engine, i, &next);
        if (rc != 0) {
            engine_note(engine, NOTE_ALARM, "rules_failed", engine->config.host,
                        "cannot build the rules of port %u: %s; the old ones stay", i,
                        code_text(rc));
            rule_set_fini(&next);
            continue;
        }
        if (rule_set_equal(&next, &engine->router.rules[i])) {
            rule_set_fini(&next);
            continue;
        }
        rule_set_fini(&engine->router.rules[i]);
        engine->router.rules[i] = next;
        engine->nic_dirty[i] = true;
        engine->stats.nic_updates++;
    }
}

void route(struct engine *engine) {
    if (!engine->beliefs_changed && !engine->own_verdict_changed && !engine->ways_changed) {
        return;
    }
    if (engine->beliefs_changed && plans_wanted(engine)) {
        int rc = steer_replan(engine);
        if (rc != 0) {
            engine_note(engine, NOTE_ALARM, "plan_failed", engine->config.host,
                        "cannot plan: %s; the old paths stay", code_text(rc));
        }
        if (rc == 0) {
            congestion_follow_plan(engine);
        }
    }
    choose_paths(engine);
    route_program(engine);
}
