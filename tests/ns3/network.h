// SPDX-License-Identifier: GPL-2.0-only
// Packets of a plan on ns-3: point-to-point devices, one pair a cable, and nothing above them.
//
//   NIC           a round over the QPs that have something to send, one packet each; a part of a
//                 flow is a QP, a sprayed flow is one QP whose packets choose their path by chance
//   packet        an 8-byte header of our own names the QP and the path; no IP, no SRv6
//   switch        looks up what the path says; output queues never overflow
//
// So it shows what paths do to a lossless fabric: queues, bursts and rounds of packets, but neither
// congestion control nor loss.
#ifndef NS3_JUDGE_NETWORK_H
#define NS3_JUDGE_NETWORK_H

#include <map>
#include <string>

#include "plan.h"

namespace judge {

struct Settings {
    std::string rate = "400Gbps", host_rate = "400Gbps";
    std::map<std::string, double> slow; // cable "a-b" or direction "a>b": fraction of its rate
    std::string delay = "500ns";        // of every cable
    uint32_t packet_bytes = 8192;
    uint64_t seed = 1; // of the order of QPs at each NIC and of sprayed packets
};

struct Result {
    uint64_t cct_ns; // from the first bit sent to the last packet received
    uint64_t bytes, packets;
};

// Throws std::runtime_error: a slow cable that no path uses, or bytes that did not arrive.
Result run_network(const Plan &plan, const Settings &settings);

} // namespace judge

#endif
