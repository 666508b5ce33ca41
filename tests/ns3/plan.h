// SPDX-License-Identifier: GPL-2.0-only
// What the judge reads of a plan: who sends how many bytes over which cables. Nothing else of the
// plan, neither its loads nor its bounds, is looked at.
//
// Nodes and cables are numbered in the order in which paths name them; what no path uses does not
// exist. A path's first and last cables are host cables, whatever their names.
#ifndef NS3_JUDGE_PLAN_H
#define NS3_JUDGE_PLAN_H

#include <cstdint>
#include <string>
#include <vector>

namespace judge {

struct Cable {
    std::string name;
    uint32_t ends[2];
    bool host; // joins a host and a switch
};

struct Hop {
    uint32_t from, cable;
};

struct Part {
    uint64_t bytes;
    std::vector<Hop> hops;
    uint32_t dst; // node that the last cable enters
};

struct Flow {
    std::string name;
    uint64_t bytes;
    std::vector<Part> parts; // all begin with the same cable
};

struct Plan {
    std::vector<std::string> nodes;
    std::vector<Cable> cables;
    std::vector<Flow> flows;
    bool spray; // packets of a flow choose among its parts, each anew
};

// "-": standard input. Throws std::runtime_error with what is wrong where.
Plan read_plan(const std::string &file);

} // namespace judge

#endif
