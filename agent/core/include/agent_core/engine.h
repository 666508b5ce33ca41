// SPDX-License-Identifier: Apache-2.0
// The agent's engine: one pure step from (event, time) to effects.
//
//   learn    take in what gossip, probes, the NIC and operators say
//   judge    own verdict on each probed link; shared belief = function of all observers' reports
//   route    own flows: plan from the shared belief; where only the own observation says "down",
//   the backup at once program  the whole wanted rule set of each port tell     own changed facts
//   into the gossip core
//
// A stage reads what earlier ones left; nothing calls back upward. The engine owns the gossip core,
// but no socket, clock, descriptor or random source: the daemon, the simulator and the tests run
// the same code.
//
// The daemon applies effects in the order nic, gossip, probes: traffic moves before peers are told.
//
// Units: nanoseconds of one monotonic clock. Ownership: engine_open returns owned; effects and
// everything returned by accessors are borrowed until the next engine_step. One thread.
#ifndef AGENT_CORE_ENGINE_H
#define AGENT_CORE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "gossip/facts.h"
#include "gossip/gossip.h"
#include "model/belief.h"
#include "model/error.h"
#include "model/fabric.h"
#include "model/host_facts.h"
#include "model/job.h"
#include "model/nic_facts.h"
#include "model/rule.h"
#include "pathalg/plan.h"

#define ENGINE_PORTS_MAX HOST_PORTS_MAX
#define ENGINE_POD_RANKS_MAX 512 // of one host
#define ENGINE_PODS_WAIT_NS (30 * UINT64_C(1000000000))

// What marked probes may do (congestion.h in the sources).
struct ecn_policy {
    uint64_t interval_ns;      // between two probes of a path that may be hot; 0: all is off
    uint64_t idle_interval_ns; // of any other path in use; 0: none
    uint64_t timeout_ns;
    uint32_t threshold_percent; // of a trial's probes marked: hot
    uint32_t probes;            // of a trial, at least
    uint64_t quiet_ns;          // without marks until flows return; doubles when they leave again
    uint64_t quiet_max_ns;
    uint8_t traffic_class; // the flows' own, ECN-capable
};

// The search for links, NICs and switches that lose or delay packets (diagnose.h in the sources).
#define DIAGNOSIS_RATE_MAX 10000
struct diagnosis_policy {
    uint32_t probes_per_second; // 0: off
    uint8_t traffic_class;      // the flows' own
    uint32_t avoid_ppm;         // flows keep off links that lose as much or more
};

// Trains of probes that measure what links can carry (capacity.h in the sources).
struct capacity_policy {
    uint64_t interval_ns;  // between two trains over a watched cable; 0: off
    uint32_t packets;      // of a train
    uint32_t packet_bytes; // no more than every link of the fabric takes
    uint8_t traffic_class; // the flows' own
};

struct engine_config {
    char host[NAME_SIZE];
    char algorithm[NAME_SIZE];  // for jobs that name none; "": the plan version's default, and so
                                // while the version does not know it
    uint32_t plan_version;      // highest to plan with; 0: PLAN_VERSION
    uint64_t probe_interval_ns; // between two probes of one loop
    uint64_t probe_timeout_ns;  // least time until a probe counts as lost; grows with the measured
                                // round trip
    uint32_t loss_threshold;    // losses in a row until the own verdict is "down"
    uint64_t up_hold_ns; // a link must answer that long until "up" again; doubles with each flap
    uint64_t up_hold_max_ns;
    uint64_t seed; // of the engine's own choices (probe phases)
    struct ecn_policy ecn;
    struct capacity_policy capacity;
    uint32_t history_links; // of how many links a history is kept, 80 KB each; 0: of none
    struct diagnosis_policy diagnosis;
    // The NIC holds the rules of an earlier life. They stay until the fleet has told this one its
    // jobs (fail static), so that a restart moves no flow.
    bool adopted;
    // Jobs come from this host's pods too (ENGINE_PODS): adopted rules stay until these are known,
    // though not for longer than ENGINE_PODS_WAIT_NS, since nothing reacts to failures meanwhile.
    bool expects_pods;
    char nic_driver[16];
    struct nic_capabilities nic; // of all ports: the least
    struct gossip_config gossip; // name, nonce, address, seeds, timers
};

// ---- events
// -----------------------------------------------------------------------------------------------------------
enum engine_event_kind {
    ENGINE_TICK,           // time has passed
    ENGINE_GOSSIP,         // the carrier has fed the core (engine_gossip)
    ENGINE_PROBE_RETURNED, // probe
    ENGINE_PROBE_FAILED,   // probe: could not be sent (socket full, no buffer), or left too late:
                           // does not count as lost
    ENGINE_FABRIC,     // fabric: a new file was loaded; the engine takes ownership of it, unless it
                       // refuses
    ENGINE_JOB_SUBMIT, // job: borrowed
    ENGINE_JOB_REMOVE, // name
    ENGINE_DRAIN,      // drain
    ENGINE_QPS,        // qps: what the NIC saw sending
    ENGINE_COUNTERS,   // counters: per rule and path
    ENGINE_CNPS,       // cnps: congestion notifications that came for our QPs
    ENGINE_NIC_APPLIED, // port: nic_apply succeeded for the first time, or again after it failed
    ENGINE_NIC_FAILED,  // port: nic_apply failed; the engine asks again after a while
    ENGINE_NIC_LOST,    // port: what was applied is gone, so nothing is decapsulated; likewise
    ENGINE_CONFIG,      // config: live keys changed (probe timing, thresholds, algorithm), or what
                        // the NIC can do became known
    ENGINE_HOST_FACTS,  // host_facts: how this host is set up, as read now
    ENGINE_PODS,        // pods: all ranks of this host's pods, as they are now
    ENGINE_LEAVE,       // say goodbye in gossip
};

struct engine_probe_result {
    uint64_t token; // as in engine_probe
    uint64_t sent_at_ns,
        received_at_ns; // kernel time stamps where the back end has them; 0: unknown
    bool ce;            // came back marked Congestion Experienced
};

struct engine_drain {
    const char *name; // link, cable or node
    enum drain_kind kind;
    bool active;
    uint32_t capacity_ppm;
};

// The whole set; what is not in it has ended. Ports are this host's.
struct engine_pods {
    const struct pod_rank *ranks;
    uint32_t count;
};

struct engine_port_qps {
    uint32_t port; // index of the own port
    const struct nic_qp *qps;
    uint32_t count;
};

struct engine_port_counters {
    uint32_t port;
    const struct nic_counter *counters;
    uint32_t count;
};

// That a packet of one of our QPs was marked, said by its receiver, who names the QP by our number
// of it; who knows the other number, that of packets, says so.
struct engine_cnp {
    uint8_t source[16];
    bool qp_known;
    uint32_t qp;    // the destination's
    uint64_t count; // 0: some, to be counted later
};

struct engine_port_cnps {
    uint32_t port;
    const struct engine_cnp *cnps;
    uint32_t count;
    uint64_t of_port; // CNPs of which only the port is known
};

struct engine_event {
    enum engine_event_kind kind;
    union {
        struct engine_probe_result probe;
        struct fabric *fabric;
        const struct job *job;
        const char *name;
        struct engine_drain drain;
        struct engine_pods pods;
        struct engine_port_qps qps;
        struct engine_port_counters counters;
        struct engine_port_cnps cnps;
        uint32_t port;
        const struct engine_config *config;
        const struct host_facts *host_facts; // borrowed
    };
};

// ---- effects
// ----------------------------------------------------------------------------------------------------------
// One loop probe: a UDP datagram whose SID list leads out and back to the sending port.
struct engine_probe {
    uint64_t token; // opaque; comes back in ENGINE_PROBE_RETURNED
    uint32_t port;  // index of the own port
    uint8_t traffic_class;
    // Of the whole IPv6 packet, in a train that may queue before it leaves; 0: as few as it takes.
    uint16_t packet_bytes;
    struct sid_list sids;
};

enum engine_note_level { NOTE_DEBUG, NOTE_INFO, NOTE_WARNING, NOTE_ALARM };
// Something happened that a person may want to know: the daemon logs it and `srv6-ctl events` shows
// it.
struct engine_note {
    enum engine_note_level level;
    const char *kind;             // "link_down", "flow_moved", "member_dead", ...
    char subject[LINK_NAME_SIZE]; // link, flow, member, job
    char text[ERROR_TEXT_SIZE];
};

struct engine_effects {
    bool nic_dirty[ENGINE_PORTS_MAX]; // apply engine_rules(engine, port)
    const struct engine_probe *probes;
    uint32_t probe_count;
    const struct engine_note *notes;
    uint32_t note_count;
};

struct engine;

// Takes ownership of `fabric` on success only. -EINVAL with the reason (host not in the fabric,
// ...), -ENOMEM.
int engine_open(const struct engine_config *config, struct fabric *fabric, uint64_t now_ns,
                struct engine **out, struct error *error);
void engine_close(struct engine *engine); // NULL is a no-op

// Returns 0, or -errno with the reason for events that ask for something (submit, drain, fabric)
// and are refused; the state is then unchanged. Effects are valid in both cases.
int engine_step(struct engine *engine, uint64_t now_ns, const struct engine_event *event,
                struct engine_effects *effects, struct error *error);
uint64_t engine_deadline_ns(const struct engine *engine); // when the next ENGINE_TICK is due
struct gossip *engine_gossip(struct engine *engine);      // for the carrier

// ---- state, for the daemon and its control socket
// -----------------------------------------------------------------------
const struct rule_set *engine_rules(const struct engine *engine, uint32_t port); // sealed
const struct fabric *engine_fabric(const struct engine *engine);                 // active
uint64_t engine_held_generation(
    const struct engine *engine); // of the newest file; != active: waiting for members
uint32_t engine_own_port_count(const struct engine *engine);
port_id engine_own_port(const struct engine *engine, uint32_t index);
const struct engine_config *engine_configuration(const struct engine *engine);

// Where localization puts a fault of which a link is part.
enum link_fault_place { PLACE_LINK, PLACE_NIC, PLACE_LEAF, PLACE_SPINE, PLACE_UNKNOWN };
// What the own localization has found, most recent last; also what is over and still held.
struct engine_finding {
    enum link_fault_place place;
    bool down, slow;              // neither: lossy
    char subject[LINK_NAME_SIZE]; // link, host port, or switch
    uint32_t sent, lost, loss_ppm, confidence_ppm;
    uint64_t excess_ns, since_ns;
    bool over; // well again, held for a while
};
uint32_t engine_finding_count(const struct engine *engine);
void engine_finding_at(const struct engine *engine, uint32_t index, struct engine_finding *out);
bool engine_diagnoses(const struct engine *engine);
// Directed links that lost probes lately, those that lost most first; others hear of them.
uint32_t engine_suspicion_count(const struct engine *engine);
link_id engine_suspicion_at(const struct engine *engine, uint32_t index);

// Links: shared belief, all evidence (sorted by link), own verdict.
enum probe_state { PROBE_NONE, PROBE_GOOD, PROBE_SUSPECT, PROBE_DOWN, PROBE_HELD };
struct engine_link {
    struct link_belief belief;
    enum probe_state own;              // PROBE_NONE: not probed by this host
    bool monitored;                    // this host is one of the link's elected observers
    uint64_t sent, lost;               // probes, ever
    uint64_t recent_sent, recent_lost; // in the last recent_ns, 30 to 60 s of a running agent
    uint64_t recent_ns;
    uint64_t rtt_ns;        // smoothed, of the shortest own loop over the link
    uint64_t changed_at_ns; // of the own verdict
    uint64_t held_until_ns; // PROBE_HELD: answers again, up is damped until then
    bool held_by_valve;     // down by the evidence, and not believed so: too much would go down
    enum link_fault fault;  // of the own localization, if not more than suspected
    enum link_fault_place fault_place;
    uint32_t fault_ppm, fault_confidence_ppm;
    uint64_t excess_ns;
    uint32_t tested, missed;   // probes over it since it came under suspicion, those lost
    bool ecn_known;            // own probes of the flows' class crossed it lately
    uint32_t ecn_ppm;          // of them came back marked, at most
    uint64_t cnps;             // for own flows that took this link out of their leaf
    uint32_t own_capacity_ppm; // by own trains; CAPACITY_FULL_PPM: nothing was found
};
void engine_link_at(const struct engine *engine, link_id link, struct engine_link *out);
// What is known of a link on a path (hops.c in the sources).
struct engine_hop {
    uint32_t loop_count; // own loops that crossed it in the last seconds
    bool told_apart;     // one of them in this direction only
    uint64_t age_ns;     // of the newest of them
    bool excess_known;
    uint64_t excess_ns;                       // so much of a round trip may be the link's, at most
    uint64_t loop_rtt_ns;                     // of the loop that says so
    uint64_t usual_rtt_ns;                    // of own loops of as many links
    uint32_t report_count, report_down_count; // other observers' that count
    uint32_t report_loss_ppm;                 // the highest, at the time
    enum link_fault report_fault;             // the gravest that localization of others named
    uint32_t report_fault_ppm;                // of that, where it is loss
    uint64_t report_age_ns;                   // of the newest
};
void engine_hop_at(const struct engine *engine, link_id link, struct engine_hop *out);
const struct link_evidence *engine_evidence(const struct engine *engine, link_id link,
                                            uint32_t *count);
// What becomes of a report, by its place in engine_evidence.
enum vote_standing {
    VOTE_COUNTS,
    VOTE_TAKEN_BACK,  // a "down" that counts although taken back, for the hold time
    VOTE_GONE,        // its observer's agent is dead
    VOTE_NOT_ELECTED, // its observer is none of the link's
    VOTE_BLIND,       // a "down" of an observer that calls most of its links so, while others see
    VOTE_ONE_RACK,    // a "down" where all come from one rack and others say up
};
enum vote_standing engine_vote_standing(const struct engine *engine, link_id link, uint32_t index);
// Links that are down by the evidence and that the safety valve holds up; 0: it is open.
uint32_t engine_valve_held(const struct engine *engine);

// Jobs known, sorted by name.
struct engine_job {
    const struct job *job;
    const char *owner;                // origin that holds it
    bool orphaned;                    // its owner died and no successor has written yet
    uint32_t rank_count, bound_count; // ranks resolved on the fabric; ranks whose host agreed
    uint32_t own_rank_count;
    // Of a job that pods make (owner ""): `run` says whose pods; ranks that run, of how many (0:
    // unknown); what is wrong with it, "": nothing. Else NULL.
    const char *run, *trouble;
    uint32_t pods_present, pods_wanted;
};
uint32_t engine_job_count(const struct engine *engine);
void engine_job_at(const struct engine *engine, uint32_t index, struct engine_job *out);
// The job alone, and how many of its ranks this host has: at no cost however large the job is.
const struct job *engine_job_here(const struct engine *engine, uint32_t index, uint32_t *own_ranks);

// How fast the ranks of a job send while they send, as far as it is known here: to those that have
// a rank of it. A rank is slow that stays far behind the others for seconds.
#define ENGINE_SLOW_MAX 8
struct engine_slow_rank {
    uint32_t rank;
    port_id port;
    uint64_t pace_bps; // 0: it sends nothing, while most do
    uint64_t for_ns;
};
struct engine_pace {
    uint32_t measured; // ranks
    uint64_t median_bps;
    uint32_t slow_count; // of which the first are listed
    struct engine_slow_rank slow[ENGINE_SLOW_MAX];
};
void engine_pace_at(const struct engine *engine, uint32_t index, struct engine_pace *out);

// Of a job, or of one that names none; NULL: plans of the version in force do not know it.
const char *engine_algorithm(const struct engine *engine, const struct job *job);
uint32_t engine_plan_version(const struct engine *engine); // lowest among live members

// What of the facts cannot be planned, a sentence each (plan_problems). Those from
// ENGINE_PROBLEMS_MAX on are only counted.
#define ENGINE_PROBLEMS_MAX 16
uint32_t engine_problem_count(const struct engine *engine);
const char *engine_problem_at(const struct engine *engine, uint32_t index);

// Own flows as they are steered now.
const struct plan *engine_plan(const struct engine *engine);
enum part_choice { PART_PRIMARY, PART_BACKUP, PART_PLAIN };
struct engine_part {
    enum part_choice choice;
    const struct path *path; // in use; NULL when plain
    uint64_t packets, bytes; // by the NIC's counters, 0 when it has none
    link_id cause;           // PART_BACKUP: the link that is down for us, or hot
    bool lossy;              // PART_BACKUP: `cause` is not down, it loses packets
    bool hot;                // PART_BACKUP: because probes over `cause` were marked
    bool by_cnp;             // and a CNP made us look
    uint64_t cnps;           // for flows between the two ports that took its place in the rule
    uint8_t hot_links;       // which links of the planned path it may be, as bits in its order
    uint32_t hot_ppm;        // so many of them, when the part left
};
void engine_part_at(const struct engine *engine, uint32_t flow, uint32_t part,
                    struct engine_part *out);
// CNPs for flows between the two ports of which nobody knows what path they took.
uint64_t engine_flow_cnps_unplaced(const struct engine *engine, uint32_t flow);
const char *engine_plain_reason(const struct engine *engine,
                                uint32_t flow); // why a flow is not steered; NULL: it is
// Which part carries a QP of a flow (by bucket or exact rule). False: the flow is not steered.
bool engine_flow_qp_part(const struct engine *engine, uint32_t flow, uint32_t qp, uint32_t *part);

// Members' facts as decoded from gossip (gossip.h has states).
bool engine_member_facts(const struct engine *engine, const char *name, struct member_facts *out);
// How busy a member says it is. False: it shares neither rack nor job with this host, or nothing
// was heard of it lately.
struct engine_load {
    struct host_load load;
    uint64_t age_ns; // at the last step, since it was heard (the own one: measured)
};
bool engine_member_load(const struct engine *engine, const char *name, struct engine_load *out);
// How the live members are set up, and who is odd (model/host_facts.h). Made anew with each call.
struct engine_audit {
    uint32_t host_count, silent_count; // silent: say nothing of themselves, or what cannot be read
    struct audit_host *hosts;          // their facts are owned
    node_id *nodes;                    // of them
    node_id *silent;
    struct audit_setting settings[HOST_SETTINGS];
};
int engine_audit(const struct engine *engine, struct engine_audit *out); // -ENOMEM; *out owned
void engine_audit_fini(struct engine_audit *audit);
// Of the last comparison, at no cost: how many hosts differ in each setting from most, and of which
// settings no value is that of most.
struct engine_audit_sums {
    uint32_t odd[HOST_SETTINGS];
    bool split[HOST_SETTINGS];
};
void engine_audit_sums(const struct engine *engine, struct engine_audit_sums *out);
// What this host saw of links (history.h in the sources), and which will soon be full.
struct engine_history_point {
    bool rate_known, rtt_known, marks_known;
    uint64_t rate_bps; // of own flows
    uint64_t rtt_ns;
    uint32_t sent, lost; // probes; of many, both in proportion
    uint32_t marked_ppm;
};
enum forecast_kind {
    FORECAST_RATE,  // own sends fill an own uplink
    FORECAST_MARKS, // probes are marked as often as makes flows leave
};
struct engine_forecast {
    enum forecast_kind kind;
    double share;                           // of the rate, or of probes marked, now
    uint64_t in_ns, earliest_ns, latest_ns; // from now; latest NEVER_NS: it may never be
};
uint32_t engine_history_count(const struct engine *engine);
link_id engine_history_link(const struct engine *engine, uint32_t index);
// The mean of `step_ns` that begin `ago_ns` ago, in whole seconds, or minutes where it is more than
// an hour ago. False: there is no history of the link.
bool engine_history_at(const struct engine *engine, link_id link, uint64_t ago_ns, uint64_t step_ns,
                       struct engine_history_point *out);
uint64_t engine_history_size(const struct engine *engine, uint64_t *omitted); // bytes
// As engine_forecast, of a link by its place in the history, half a minute old at most and at no
// cost.
bool engine_last_forecast(const struct engine *engine, uint32_t index, struct engine_forecast *out);
// False: nothing points to it.
bool engine_forecast(const struct engine *engine, link_id link, struct engine_forecast *out);
// Operators' orders in force.
struct engine_order {
    const char *name;
    struct drain_order order;
    const char *origin;
};
uint32_t engine_order_count(const struct engine *engine);
void engine_order_at(const struct engine *engine, uint32_t index, struct engine_order *out);

struct engine_stats {
    uint64_t steps, probes_sent, probes_returned, probes_lost, probes_void, probes_unknown;
    uint64_t diagnosis_sent, diagnosis_lost, diagnosis_late; // windows that were discarded
    uint64_t moves_by_loss;              // away from links that the own localization found lossy
    uint64_t trains_sent, trains_failed; // for capacities; too little of them came back
    uint64_t ecn_probes_sent, ecn_probes_marked, moves_by_ecn; // away and home
    // CNPs by what is known of them: the path, the two ports, the own port.
    uint64_t cnps_of_path, cnps_of_pair, cnps_of_port;
    uint64_t plans, moves_to_backup, moves_by_plan, nic_updates, nic_failures;
    uint64_t bad_facts;    // values of peers that did not decode or did not fit, dropped
    uint64_t late_windows; // the prober itself was not scheduled in time
};
void engine_stats(const struct engine *engine, struct engine_stats *out);
// Healthy: joined, all members alive with the same fabric, no link down, NIC rules in place, all
// own flows steered. Otherwise false, and the first reason in `why`.
bool engine_healthy(const struct engine *engine, struct error *why);

#endif
