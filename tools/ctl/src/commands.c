// SPDX-License-Identifier: Apache-2.0
#include "commands.h"

#define AGENT CTL_OPTION_AGENT

const char ctl_usage[] =
    "usage: srv6-ctl [--socket PATH | --host HOST] [--timeout TIME] [--json] COMMAND [...]\n";

const struct ctl_command ctl_commands[] = {
    {"status", "", 0, AGENT | CTL_OPTION_CHECK,
     "state of the agent; --check: exit 4 when unhealthy", run_status},
    {"members", "", 0, AGENT, "the agents that this one knows", run_members},
    {"links", "[--why LINK]", 0, AGENT | CTL_OPTION_WHY,
     "links between switches; --why: on what evidence", run_links},
    {"jobs", "", 0, AGENT, "the training jobs", run_jobs},
    {"flows", "", 0, AGENT, "the flows that this host sends, and their paths", run_flows},
    {"rules", "", 0, AGENT, "what is programmed into the NIC", run_rules},
    {"paths", "SRC DST", 2, AGENT, "every path between two hosts", run_paths},
    {"why", "FLOW", 1, AGENT, "why a flow takes its paths", run_why},
    {"trace", "FLOW", 1, AGENT, "the links that a flow takes, and what probes over them say",
     run_trace},
    {"audit", "", 0, AGENT, "whose settings differ from most others'; exit 4 when some do",
     run_audit},
    {"history", "[LINK] [--since TIME]", 1, AGENT | CTL_OPTION_SINCE | CTL_OPTION_FEWER,
     "what this host saw of links, and which will soon be full", run_history},
    {"events", "[-f] [--level LEVEL]", 0, AGENT | CTL_OPTION_FOLLOW | CTL_OPTION_LEVEL,
     "what happened; -f: and what happens", run_events},
    {"job submit", "FILE", 1, AGENT | CTL_OPTION_FORCE, "make a job known to all agents",
     run_job_submit},
    {"job remove", "JOB", 1, AGENT | CTL_OPTION_FORCE, "end a job", run_job_remove},
    {"link drain", "LINK", 1, AGENT | CTL_OPTION_FORCE, "move traffic off a link", run_drain},
    {"link undrain", "LINK", 1, AGENT | CTL_OPTION_FORCE, "use it again", run_undrain},
    {"link set", "LINK --capacity F", 1, AGENT | CTL_OPTION_FORCE | CTL_OPTION_CAPACITY,
     "say what fraction of its rate a link carries", run_link_set},
    {"node drain", "NODE", 1, AGENT | CTL_OPTION_FORCE, "move traffic off a switch", run_drain},
    {"node undrain", "NODE", 1, AGENT | CTL_OPTION_FORCE, "use it again", run_undrain},
    {"keys generate", "--out DIR --host NAME", 0,
     CTL_OPTION_OUT | CTL_OPTION_HOST | CTL_OPTION_ADDRESS, "a new key pair for one host",
     run_keys_generate},
    {"keys line", "FILE --host NAME", 1, CTL_OPTION_HOST | CTL_OPTION_ADDRESS,
     "the line of fleet.keys that belongs to a secret", run_keys_line},
    {"keys rotate", "--out DIR --host NAME", 0,
     CTL_OPTION_OUT | CTL_OPTION_HOST | CTL_OPTION_ADDRESS,
     "a new key pair for a host, beside its old one", run_keys_rotate},
    {"keys retire", "--out DIR --host NAME", 0, CTL_OPTION_OUT | CTL_OPTION_HOST,
     "remove the old one", run_keys_retire},
    {"keys list", "FILE", 1, 0, "check and show a file of the fleet's keys", run_keys_list},
    {"fabric check", "FILE", 1, 0, "every error in a fabric file", run_fabric_check},
    {"fabric export", "FILE", 1, CTL_OPTION_OUT, "the file with every node and link written out",
     run_fabric_export},
    {"fabric import", "FILE", 1, CTL_OPTION_OUT | CTL_OPTION_IMPORT,
     "a fabric file from a list of links (a,b,gbps[,cables])", run_fabric_import},
    {0},
};
