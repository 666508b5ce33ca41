// SPDX-License-Identifier: Apache-2.0
// The engine's state, by stage, and what the stages offer each other. Private to agent_core.
//
//   learn.c, votes.c, orders.c, jobs.c, bindings.c, pods.c
//                                            members, evidence, orders, jobs    <- gossip, commands
//   judge.c, valve.c, monitors.c, prober*.c, walk.c
//                                            beliefs, elected targets, probes   <- evidence,
//   members, orders job_views.c, plans.c, steer.c, buckets.c, route.c, rules.c, nic_reports.c
//                                            plan, paths in use, rules          <- beliefs, own
//                                            verdicts, jobs
//   tell.c                                   own records in the gossip core     <- own verdicts,
//   jobs, fabric fabric_change.c                          another fabric file takes effect notes.c
//   what every stage uses
#ifndef AGENT_CORE_STATE_H
#define AGENT_CORE_STATE_H

#include "agent_core/engine.h"
#include "capacity.h"
#include "congestion.h"
#include "diagnose.h"
#include "history.h"
#include "monitors.h"
#include "prober.h"

#define OBSERVERS_MAX                                                                              \
    32 // reports kept of one link; elected are four, a few more while views differ
#define BINDINGS_MAX 4096                  // of one host
#define POD_RANKS_MAX ENGINE_POD_RANKS_MAX // likewise
#define JOBS_MAX 1024                      // records, over all origins
#define ORDERS_MAX 4096
// What one origin may take of these, so that no member can keep out the others'.
#define JOBS_OF_ORIGIN_MAX (JOBS_MAX / 4)
#define ORDERS_OF_ORIGIN_MAX (ORDERS_MAX / 4)
#define NOTES_MAX 256 // of one step
#define BINDING_GRACE_NS (3 * UINT64_C(1000000000))
#define REMOVAL_KEPT_NS (600 * UINT64_C(1000000000))
#define ORPHAN_GRACE_NS (30 * UINT64_C(1000000000))

// ---- learn
// ----------------------------------------------------------------------------------------------------------
struct binding {
    char job[JOB_NAME_SIZE];
    char port[NAME_SIZE];
    uint64_t generation;
    uint64_t lost_since_ns; // 0: it stands; else since when its host, in a new life, has not said
                            // it again
};

#define POD_KEY_SIZE 72
// A rank of a pod, as its host published it.
struct held_pod {
    char key[POD_KEY_SIZE];
    struct pod_rank rank;
    uint64_t lost_since_ns; // as of a binding
};

// What is known of a host of the fabric. Facts stay when its agent dies: its NIC goes on (fail
// static).
struct host_view {
    bool known; // ever a member
    enum gossip_state state;
    bool has_facts;
    struct member_facts facts;
    bool mismatch_noted;
    struct host_load load;
    uint64_t load_at_ns; // 0: never heard
    struct binding *bindings;
    uint32_t binding_count, binding_capacity;
    struct held_pod *pods;
    uint32_t pod_count, pod_capacity;
    uint64_t away_since_ns; // that its agent is dead or left; 0: it is not
    bool gone;              // for so long that it keeps no job of pods alive
};

// How an observer's "down" of one link counts although it was taken back; see votes.c.
struct vote_account {
    uint64_t hold_ns, down_until_ns;
    uint64_t up_at_ns; // when it was last taken back
};

struct vote_accounts {
    struct vote_account down, lossy;
    bool withdrawn;      // there is no report any more
    uint64_t told_at_ns; // when the report came
};

struct link_view {
    struct link_evidence *reports;  // sorted by observer
    struct vote_accounts *accounts; // of the reports in the same places
    uint8_t count, capacity;
};

struct order_record {
    char name[LINK_NAME_SIZE];
    char origin[NAME_SIZE];
    uint64_t name_hash;
    struct drain_order order;
    bool lost; // its origin began a new life without it
};

// ---- judge
// -----------------------------------------------------------------------------------------------------------
#define TIERS_MAX 4

// See valve.c.
struct valve {
    bool shut;
    uint64_t shut_at_ns;
    uint64_t armed_at_ns; // 0: not joined yet
    uint64_t *down_at_ns; // by directed link: when the shared view took it down; 0: long ago
    bool *held;           // by directed link: down by the evidence, and held up
    uint32_t held_count;
    uint32_t *burst; // scratch, by node
};

// ---- jobs
// -----------------------------------------------------------------------------------------------------------
struct job_record {
    char origin[NAME_SIZE];
    struct job job;
    uint64_t orphan_since_ns; // 0: its origin lives and holds it
    uint64_t written_at_ns;   // here
};

// A job of pods (pod_jobs.h).
struct pod_job {
    struct job_record record;           // its origin is ""
    char run[JOB_NAME_SIZE];            // as in struct pod_rank
    uint32_t present, wanted;           // ranks; of how many, 0: unknown
    uint32_t hosts;                     // of the ranks that count
    bool planned;                       // else it cannot be
    char trouble[ERROR_TEXT_SIZE - 32]; // "": none
};

// A job in force: the winning record of its name, resolved on the active fabric.
struct job_view {
    const struct job_record *record;
    const struct pod_job *pods; // NULL: it was submitted
    port_id *ranks;
    uint32_t rank_count, own_rank_count;
    uint32_t *permutations[JOB_COLLECTIVES_MAX]; // owned; NULL where the collective is none
};

// ---- route
// ----------------------------------------------------------------------------------------------------------
// All own flows from one port to one other share a rule; their parts with equal primary paths share
// a slot in it.
#define WAY_NONE UINT32_MAX
struct steer_slot {
    struct path primary;
    uint64_t bytes;                          // planned on it
    uint32_t way;                            // in congestion.ways; WAY_NONE: it may not leave
    uint64_t last_bytes[2], last_packets[2]; // NIC counters at the last reading, IPv4 and IPv6
    uint64_t cnps;                           // for flows on it, wherever it led when they came
};

struct steer_part {
    enum part_choice choice;
    struct path path; // in use
    link_id cause;
    bool lossy;  // PART_BACKUP: the cause is not down, it loses packets by the own localization
    bool hot;    // PART_BACKUP: the cause is hot, not down
    bool by_cnp; // and a CNP told of it
    uint8_t hot_links; // of the planned path, as bits: no probe tells these apart
    uint32_t hot_ppm;  // of the probes over it that were marked
    uint64_t packets, bytes;
    uint16_t slot;
};

struct seen_qp {
    uint32_t qp;
    uint32_t key; // by which the NIC chooses its bucket: the QP itself, or its source port
    uint64_t seen_at_ns;
};
#define QP_FORGET_NS (10 * UINT64_C(1000000000))
#define COUNTER_UNKNOWN UINT64_MAX // the next reading is a base, not growth

#define STEER_QPS_MAX 256 // a power of two
struct steer {
    port_id src, dst;
    uint32_t first_flow, flow_count; // contiguous in the plan
    bool steered, spray;
    uint16_t slot_count;
    struct steer_slot slots[RULE_PATHS_MAX];
    uint8_t bucket[RULE_BUCKETS]; // -> slot
    struct seen_qp *qps;          // owned; most pairs have few, and many never send
    uint16_t qp_count, qp_capacity;
    bool qps_changed;          // buckets are to be assigned anew
    uint64_t cnps_unplaced;    // for one of its flows, on whichever slot
    uint64_t cnps_noted_at_ns; // 0: never
};

struct plan_problems_list {
    uint32_t count; // also of those without a text here
    char texts[ENGINE_PROBLEMS_MAX][ERROR_TEXT_SIZE];
};

struct router {
    struct plan plan;
    struct planner *planner; // NULL until the first plan
    struct plan_problems_list problems;
    uint64_t problems_hash;
    struct steer_part *parts; // one per plan part
    struct steer *steers;     // sorted by (src, dst)
    uint32_t steer_count;
    struct rule_set rules[ENGINE_PORTS_MAX];
    bool nic_failed[ENGINE_PORTS_MAX];
    bool nic_holds[ENGINE_PORTS_MAX]; // the NIC decapsulates what is sent to this port's SID
};

// ---- tell
// -----------------------------------------------------------------------------------------------------------
struct told_link {
    bool published;
    enum link_verdict verdict;
    enum link_fault fault;
    bool avoid;
    uint32_t missed;
    uint32_t capacity_ppm;
    uint32_t loss_ppm;
};

// Ports whose settings are not those of most, as last told.
#define ODD_MAX 256 // the rest is only shown when asked for
struct odd_port {
    enum host_setting setting;
    node_id host;
    uint32_t ports;
    uint64_t value_hash, common_hash;
};
struct audit_state {
    uint64_t changed_at_ns, due_at_ns; // NEVER_NS: nothing has changed
    struct odd_port odd[ODD_MAX];
    uint32_t odd_count;
    uint32_t split; // a bit per setting without a majority
};

// How fast own ranks send, and who of a job is slow: paces.c.
#define PACE_METERS_MAX 16
#define PACE_WINDOW 4 // seconds
struct pace_meter {
    uint32_t job; // as in host_job_pace
    port_id port;
    uint64_t fresh; // bytes since the NIC was last read
    uint64_t bytes[PACE_WINDOW], busy_ns[PACE_WINDOW], seen_ns[PACE_WINDOW]; // the first: now
    uint64_t read_at_ns, used_at_ns;
};
#define SLOW_RANKS_MAX 64
struct slow_rank {
    uint32_t job;
    uint32_t rank;
    uint32_t seconds; // in a row that it was slow
    uint64_t since_ns, seen_at_ns;
    bool told;
};
struct pace_state {
    struct pace_meter meters[PACE_METERS_MAX];
    uint32_t meter_count;
    struct slow_rank slow[SLOW_RANKS_MAX];
    uint32_t slow_count;
};

// Of the own load, since it was last told.
struct load_meter {
    uint64_t since_ns; // 0: not begun
    uint64_t sent_bytes, returned, marked;
};

struct engine {
    struct engine_config config;
    struct fabric *fabric; // active
    struct fabric *held;   // newer, waiting for all live members; NULL
    node_id self;
    uint32_t own_port_count;
    port_id own_ports[ENGINE_PORTS_MAX];
    struct gossip *gossip;
    uint64_t now_ns;

    struct host_view *hosts; // by host node
    struct link_view *links; // by directed link
    struct order_record *orders;
    uint32_t order_count;
    struct job_record **records; // jobs as written, by origin
    uint32_t record_count;
    struct pod_rank *own_pods; // as published
    uint32_t own_pod_count;
    struct pod_job *pod_jobs; // sorted by name; what the views of jobs of pods borrow
    uint32_t pod_job_count;
    uint64_t pods_due_at_ns;   // when jobs are made of the pods anew; NEVER_NS: they are
    uint64_t pods_known_at_ns; // when the own ones became known; 0: not yet

    struct link_belief *beliefs;    // by directed link
    struct link_evidence *evidence; // scratch: of live observers, sorted by link
    uint32_t evidence_capacity;
    uint64_t votes_due_at_ns; // when the next vote that was taken back ceases to count
    struct valve valve;
    struct monitors monitors;
    struct cable_observers *observers; // elected, by cable
    struct observer_sight *sights;     // by host
    struct prober prober;
    struct congestion congestion;
    struct capacity capacity;
    struct diagnose diagnose;
    uint64_t watched;         // hash of the election that its loops are for
    uint64_t loops_due_at_ns; // when it gets others; NEVER_NS: not
    cable_id *elected;        // cables to probe, and from which own port
    uint32_t *elected_ports;
    uint32_t elected_count;

    struct job_view *jobs; // sorted by name
    uint32_t job_count;
    uint32_t plan_version; // the lowest of all live members
    struct router router;
    struct told_link *told; // by directed link
    uint64_t *link_cnps; // by directed link: for flows whose path has it as the first of a choice
    struct load_meter load_meter;
    struct pace_state paces;
    struct audit_state audit;
    struct history history;
    uint64_t forecast_at_ns; // when links are next looked at
    struct host_load load_told;
    uint64_t load_told_at_ns;
    uint32_t load_told_times; // since it or the scopes changed

    // What a stage left for the next to redo.
    bool hosts_changed, evidence_changed, orders_changed, jobs_changed; // -> judge
    bool own_verdict_changed, beliefs_changed;                          // -> route, tell
    bool suspicions_changed;                                            // -> tell
    bool ways_changed;  // left hot links or returned -> route
    bool plans_stale;   // what plans depend on besides beliefs has changed -> route
    bool rates_changed; // what links can carry has -> route
    bool facts_changed; // own facts must be told again
    bool scopes_stale;  // whom loads are told
    bool leaving;
    bool holding; // adopted rules stay until the facts are in
    uint64_t joined_at_ns;
    uint64_t retry_nic_at_ns, housekeeping_at_ns;

    struct engine_note notes[NOTES_MAX];
    uint32_t note_count;
    bool nic_dirty[ENGINE_PORTS_MAX];
    struct engine_stats stats;
};

void engine_note(struct engine *engine, enum engine_note_level level, const char *kind,
                 const char *subject, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
const char *code_text(int code); // of the -errno that occur here; strerror is not pure
bool host_is_live(const struct host_view *host);
struct probe_policy probe_policy_of(const struct engine_config *config);

// learn.c
int learn_init(struct engine *engine); // arrays for the active fabric
void learn_fini(struct engine *engine);
void learn_gossip(struct engine *engine); // drains the core's changes
void learn_all(struct engine *engine);    // from the core's tables, after the fabric changed
void learn_order_record(struct engine *engine, const char *origin, const char *key,
                        const void *value, size_t size);
int learn_order(struct engine *engine, const struct engine_drain *drain, struct error *error);
void learn_adopt_orders(
    struct engine *engine); // of dead origins, when this host is the first live one
const struct order_record *order_in_force(const struct engine *engine, const char *name,
                                          enum drain_kind kind);
bool order_covers(const struct engine *engine, link_id link, enum drain_kind kind,
                  const struct order_record **record);
bool first_live_host(const struct engine *engine);
// order_links.c: calls for each link that an order in force may mean, some of them twice.
typedef void order_link_fn(struct engine *engine, link_id link);
void order_links(struct engine *engine, enum drain_kind kind, order_link_fn *each);

// votes.c
void votes_learn(struct engine *engine, node_id observer, const char *key, const void *value,
                 size_t size);
// Own evidence counts like a peer's. NULL withdraws it.
void learn_own_report(struct engine *engine, link_id link, const struct link_report *report);
uint32_t votes_collect(struct engine *engine); // -> engine->evidence; returns how many
// Whether a report (by place in engine->links) counts as "down" although it was taken back.
bool votes_held(const struct engine *engine, link_id link, uint32_t index);

// jobs.c
const struct job_record *job_winner(const struct engine *engine, const char *name);
void jobs_learn(struct engine *engine, const char *origin, const char *name, const void *value,
                size_t size);
void jobs_origin_state(struct engine *engine, const char *origin, enum gossip_state state);
void jobs_learn_binding(struct engine *engine, const char *origin, const char *key,
                        const void *value, size_t size);
int jobs_submit(struct engine *engine, const struct job *job, struct error *error);
int jobs_remove(struct engine *engine, const char *name, struct error *error);
void jobs_resolve(struct engine *engine); // records -> views
// Whether the port is one of the host's own, of which alone it may speak.
bool host_has_port(const struct engine *engine, const struct host_view *host, const char *name,
                   port_id *out);
void jobs_expire_bindings(struct engine *engine);
void jobs_succeed(struct engine *engine); // adopt orphans, drop expired ones
void jobs_bind(struct engine *engine);    // publish own ranks' bindings
bool job_binds(const struct engine *engine, const struct job_view *view, port_id port);
void jobs_fini_views(struct engine *engine);
void jobs_fini(struct engine *engine);

// pods.c
void pods_learn(struct engine *engine, const char *origin, const char *key, const void *value,
                size_t size);
int pods_set_own(struct engine *engine, const struct engine_pods *pods, struct error *error);
void pods_work(struct engine *engine);    // in time
void pods_expire(struct engine *engine);  // once a second
void pods_resolve(struct engine *engine); // -> engine->pod_jobs; no view may borrow any
// Whether all ranks of all jobs that have pods here are known.
bool pods_are_complete(const struct engine *engine);
void pods_fini(struct engine *engine);

// judge.c
int judge_init(struct engine *engine);
void judge_fini(struct engine *engine);
void judge(struct engine *engine);
void judge_on_verdict(void *context, link_id link, enum probe_state from, enum probe_state to);

// valve.c
int valve_init(struct valve *valve, const struct fabric *fabric);
void valve_fini(struct valve *valve);
// engine->beliefs are what the evidence says, `before` what was believed: holds up what must not go
// down yet.
void valve_pass(struct engine *engine, const struct link_belief *before);
uint64_t valve_deadline_ns(const struct engine *engine);

// route.c, rules.c, buckets.c
void route(struct engine *engine);
// "h0>h5", "h0.1>h5.1"
void route_format_pair(const struct engine *engine, port_id src, port_id dst,
                       char text[LINK_NAME_SIZE]);
void route_program(struct engine *engine); // the wanted rules from the paths in use
void steer_free(struct steer *steers, uint32_t count);
int steer_replan(struct engine *engine); // -ENOMEM, -EINVAL: the old plan stays
// plans.c
uint32_t plans_own_version(const struct engine *engine);
// The lowest version among live members that say one.
void plans_choose_version(struct engine *engine);
// A job's own algorithm, else this agent's default, else that of the plan version; NULL: its own is
// none that the version knows.
const struct algorithm *plans_algorithm(const struct engine *engine, const struct job *job);
int plans_make(struct engine *engine, struct plan *plan); // -ENOMEM
// False while there is no job, no plan of one that went, and nothing to complain about.
bool plans_wanted(const struct engine *engine);
void steer_assign_buckets(struct steer *steer);
void route_fini(struct router *router);
void route_learn_qps(struct engine *engine, const struct engine_port_qps *event);
void route_learn_counters(struct engine *engine, const struct engine_port_counters *event);
bool steer_find(const struct engine *engine, port_id src, port_id dst, uint32_t *index);
// The slot that a QP, by its destination's number, is sent over. False: several, or not known.
bool steer_slot_of_qp(const struct engine *engine, const struct steer *steer, uint32_t qp,
                      uint8_t *slot);
// Of those that a port of ours sends to; the family is 0 for IPv4, 1 for IPv6.
bool route_port_of_address(const struct engine *engine, const uint8_t address[16], port_id *out,
                           unsigned *family);
// Why a flow of the plan goes plain; NULL: it is steered.
const char *plain_reason(const struct engine *engine, const struct plan *plan,
                         const struct plan_flow *flow);
// Spreads buckets over slots in proportion to `weights`; the QPs seen make some buckets heavier.
// Buckets that need not move stay. bucket[] entries >= slot_count count as unassigned.
void buckets_assign(const uint64_t *weights, unsigned slot_count, const uint32_t qps[RULE_BUCKETS],
                    uint8_t bucket[RULE_BUCKETS]);
int rules_build(const struct engine *engine, uint32_t own_port, struct rule_set *out);

// congestion_ways.c
struct ecn_policy ecn_policy_of(const struct engine *engine);
void congestion_follow_plan(struct engine *engine);
void congestion_probe_returned(struct engine *engine, const struct engine_probe_result *probe);
void congestion_work(struct engine *engine); // in time: probes, moves
// congestion_cnps.c
void congestion_learn_cnps(struct engine *engine, const struct engine_port_cnps *event);

// NULL: the part has none.
const struct congestion_way *way_of_part(const struct engine *engine, const struct plan_flow *flow,
                                         const struct steer_part *part, uint32_t *index);

// diagnosis.c
void diagnosis_watch(struct engine *engine); // after an election
void diagnosis_work(struct engine *engine);  // in time: probes, verdicts
// What a peer (not this host) reports of a link, and reported before (NULL: nothing).
void diagnosis_hear(struct engine *engine, link_id link, node_id peer,
                    const struct link_report *before, const struct link_report *now);
// The own verdict on a link, for its report.
void diagnosis_describe(const struct engine *engine, link_id link, struct link_report *report);
// Whether own flows keep off a link by the own localization, and whether it loses everything.
bool diagnosis_avoids(const struct engine *engine, link_id link, bool *dead);
uint64_t diagnosis_deadline_ns(const struct engine *engine);

// tell.c
void tell(struct engine *engine);

// loads.c
void loads_learn(struct engine *engine);
void loads_count_sent(struct engine *engine, uint64_t bytes);
void loads_count_probe(struct engine *engine, bool marked);
void loads_measure(struct engine *engine); // the own load, into the gossip core
void loads_tell(struct engine *engine);    // to whom

// paces.c
void paces_count(struct engine *engine, const struct plan_flow *flow, uint64_t bytes);
void paces_read(struct engine *engine, port_id port);              // the NIC has told all of it
void paces_measure(struct engine *engine, struct host_load *load); // once a second
void paces_judge(struct engine *engine);                           // likewise: who is slow

// audit.c
int audit_tell_own(struct engine *engine, const struct host_facts *facts, struct error *error);
void audit_changed(struct engine *engine); // what a host says of itself, or who is alive
void audit_work(struct engine *engine);    // in time: tells who is odd
void audit_forget(struct engine *engine);  // another fabric: nodes have other numbers

// trends.c
void trends_count(struct engine *engine, const struct path *path, uint64_t bytes);
void trends_work(struct engine *engine); // once a second

// fabric_change.c
int fabric_offer(struct engine *engine, struct fabric *fabric, struct error *error);
void fabric_try_activate(struct engine *engine);
int engine_adopt_fabric(struct engine *engine, struct fabric *fabric, struct error *error);

#endif
