// SPDX-License-Identifier: Apache-2.0
// Paths of a private workload: nobody knows what it asks, so each QP (or part of a flow) moves on
// what it sees itself, once a round (about a round trip): the share of packets that came back
// marked (ECN), and whether any was lost.
//
//                 residence over              congested
//     SETTLING -------------------> STEADY ---------------> RESTLESS
//        ^                            ^                     |     |
//        |                            '---------------------'     |
//        |                                not congested           |
//        '------------ moves: patience over, and the dice --------'
//                      moves at once, from any state: lost, or the path is dead
//
// As in PLB (Qureshi et al., SIGCOMM 2022) a QP leaves its path after several congested rounds in a
// row; as in REPS (Bonato et al., EuroSys 2026, arXiv:2407.21625) it goes to a path that was calm
// lately, and each such observation is used once; else to one drawn in proportion to capacity.
//
// What is new here keeps it from oscillating where everything is congested (an oversubscribed
// fabric) and where many decide at once:
// - Congested is a round whose unmarked share is a margin below what is typical of the QPs with the
//   same paths.
// - Of those only the surplus leaves: a QP moves with probability 1 - unmarked / typical unmarked.
// - After a move a QP stays for its residence, which doubles with each move and halves with time.
//
// Pure: time and random numbers are parameters. The caller owns both structs; QPs of one source
// port to one destination leaf share a set.
#ifndef PATHALG_ADAPTIVE_H
#define PATHALG_ADAPTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/rng.h"
#include "model/rule.h"

#define ADAPTIVE_PATHS_MAX RULE_PATHS_MAX
#define ADAPTIVE_CALM_MAX 16

struct adaptive_config {
    uint32_t marked_ppm; // a share below it is never congested
    uint32_t margin_ppm; // of the typical unmarked share: what is below it by more is congested
    uint32_t patience;   // congested rounds in a row before a move
    uint64_t residence_ns, residence_max_ns;
    uint64_t calm_ns;   // how long it is remembered that a path was calm
    uint64_t retire_ns; // how long a path that lost packets is not drawn
};
// The defaults, for rounds of rtt_ns.
struct adaptive_config adaptive_config_of(uint64_t rtt_ns);

// Paths that QPs share, by index.
struct adaptive_set {
    struct adaptive_config config;
    uint32_t path_count;
    uint16_t weights[ADAPTIVE_PATHS_MAX]; // capacities; 0: dead. The caller changes them at will
    uint64_t retired_until_ns[ADAPTIVE_PATHS_MAX];
    uint32_t typical_ppm; // marked share, a moving average over all QPs' rounds
    uint32_t calm_count;  // the newest last
    uint16_t calm_paths[ADAPTIVE_CALM_MAX];
    uint64_t calm_at_ns[ADAPTIVE_CALM_MAX];
};

enum adaptive_state { ADAPTIVE_SETTLING, ADAPTIVE_STEADY, ADAPTIVE_RESTLESS };

struct adaptive {
    enum adaptive_state state;
    uint32_t path;
    uint32_t congested_rounds; // in a row
    uint64_t since_ns;         // of the last move, or the last time that the residence changed
    uint64_t residence_ns;
};

struct adaptive_round {
    uint64_t now_ns;
    uint32_t marked_ppm; // of this round's packets
    bool lost;
};

// weights: by path, 1 to ADAPTIVE_PATHS_MAX of them.
void adaptive_set_init(struct adaptive_set *set, const struct adaptive_config *config,
                       const uint16_t *weights, uint32_t path_count);
// Begins on `path`, for instance what the algorithm `adaptive` planned.
void adaptive_init(struct adaptive *qp, const struct adaptive_set *set, uint32_t path,
                   uint64_t now_ns);
// True when the QP moved: qp->path is another. A path is never dead unless all are.
bool adaptive_step(struct adaptive *qp, struct adaptive_set *set,
                   const struct adaptive_round *round, struct rng *rng);

#endif
