// SPDX-License-Identifier: GPL-2.0-only
// ns3_judge: how long the packets of a plan take on ns-3. It shares no code with what it judges.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include <getopt.h>

#include "network.h"

namespace {

const char usage[] =
    "usage: ns3_judge [OPTION]... PLAN\n"
    "\n"
    "Sends the packets of PLAN (what srv6-sim plan --json prints; - is standard input) over ns-3 "
    "and\n"
    "prints {\"cct_ns\":...,\"bytes\":...,\"packets\":...}.\n"
    "\n"
    "  --rate RATE            of links between switches, default 400Gbps\n"
    "  --host-rate RATE       of hosts' links, default 400Gbps\n"
    "  --slow LINK:FRACTION   a cable (leaf0-spine0) or direction (leaf0>spine0) of a lower rate\n"
    "  --delay TIME           of every cable, default 500ns\n"
    "  --packet BYTES         payload, default 8192\n"
    "  --seed N               of the order of QPs and of sprayed packets, default 1\n";

const struct option long_options[] = {
    {"rate", required_argument, nullptr, 'r'},   {"host-rate", required_argument, nullptr, 'n'},
    {"slow", required_argument, nullptr, 's'},   {"delay", required_argument, nullptr, 'd'},
    {"packet", required_argument, nullptr, 'p'}, {"seed", required_argument, nullptr, 'e'},
    {"help", no_argument, nullptr, 'h'},         {nullptr, 0, nullptr, 0},
};

void take_slow(judge::Settings &settings, const std::string &text) {
    size_t colon = text.rfind(':');
    char *end = nullptr;
    double fraction = colon == std::string::npos ? 0 : strtod(text.c_str() + colon + 1, &end);
    if (end == nullptr || *end != '\0' || !(fraction > 0 && fraction <= 1)) {
        throw std::runtime_error("--slow " + text + ": not LINK:FRACTION with 0 < FRACTION <= 1");
    }
    settings.slow[text.substr(0, colon)] = fraction;
}

uint64_t take_number(const char *text, uint64_t least, uint64_t most) {
    char *end = nullptr;
    uint64_t value = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || value < least || value > most) {
        throw std::runtime_error(std::string(text) + ": not a number from " +
                                 std::to_string(least) + " to " + std::to_string(most));
    }
    return value;
}

// False: nothing is left to do.
bool take_option(judge::Settings &settings, int option) {
    switch (option) {
    case 'r':
        settings.rate = optarg;
        return true;
    case 'n':
        settings.host_rate = optarg;
        return true;
    case 's':
        take_slow(settings, optarg);
        return true;
    case 'd':
        settings.delay = optarg;
        return true;
    case 'p': // a device's MTU has 16 bits, and the header takes eight bytes of it
        settings.packet_bytes = (uint32_t)take_number(optarg, 64, 65535 - 8);
        return true;
    case 'e':
        settings.seed = take_number(optarg, 0, UINT32_MAX);
        return true;
    case 'h':
        fputs(usage, stdout);
        return false;
    default:
        throw std::runtime_error("see --help");
    }
}

int judge_plan(int argc, char **argv) {
    judge::Settings settings;
    for (int option; (option = getopt_long(argc, argv, "", long_options, nullptr)) != -1;) {
        if (!take_option(settings, option)) {
            return 0;
        }
    }
    if (optind + 1 != argc) {
        fputs(usage, stderr);
        return 2;
    }
    judge::Plan plan = judge::read_plan(argv[optind]);
    judge::Result result = judge::run_network(plan, settings);
    printf("{\"cct_ns\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"packets\":%" PRIu64 "}\n",
           result.cct_ns, result.bytes, result.packets);
    return 0;
}

} // namespace

int main(int argc, char **argv) {
    try {
        return judge_plan(argc, argv);
    } catch (const std::exception &error) {
        fprintf(stderr, "ns3_judge: %s\n", error.what());
        return 1;
    }
}
