// SPDX-License-Identifier: Apache-2.0
// How a host is set up: settings of its kernel and of each fabric port, as texts that can be
// compared, and who differs from most others. Inconsistent settings are the seed of most RoCE
// trouble, and none of them shows on the host that has it.
//
// A setting that a host cannot read is unknown: it is not in its facts, counts for nothing and is
// never guessed. Ports whose values are equal share one fact, so that a host with equal ports says
// each setting once. Values are printable texts in a form that is equal when the settings are.
//
// Ownership: all values; host_audit borrows. No clock, no descriptor.
#ifndef MODEL_HOST_FACTS_H
#define MODEL_HOST_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/fabric.h"

// Numbers are on the wire: add at the end only.
enum host_setting {
    HOST_KERNEL,        // of the host, all others of a port
    HOST_DRIVER,        // "mlx5_core"
    HOST_FIRMWARE,      // "28.39.1002 (MT_0000000834)"
    HOST_MTU,           // bytes
    HOST_SPEED,         // bit/s
    HOST_PAUSE,         // global pause frames: "none", "rx", "tx", "rx tx"
    HOST_PFC,           // priorities with PFC: "3", "3 4", "none"
    HOST_DSCP_PRIORITY, // "0-7:0 8-15:1 ...", "none": no map
    HOST_TRUST,         // by what a packet's priority is found, first what wins: "dscp pcp"
    HOST_ECN_NP,        // priorities on which the receiver answers marks: as HOST_PFC
    HOST_ECN_RP,        // priorities on which the sender obeys CNPs
    HOST_CNP_DSCP,      // DSCP of CNPs
    HOST_ROCE_CLASS,    // traffic class forced on RoCE
    HOST_ROCE_TOS,      // default of rdma_cm
    HOST_SETTINGS
};

#define HOST_VALUE_SIZE 80
#define HOST_FACTS_MAX (HOST_SETTINGS * HOST_PORTS_MAX)
#define HOST_WIDE UINT32_MAX // in place of a port

struct host_fact {
    enum host_setting setting;
    uint32_t ports; // a bit per port index; 0: of the host
    char value[HOST_VALUE_SIZE];
};

struct host_facts {
    uint32_t count;
    struct host_fact facts[HOST_FACTS_MAX];
};

const char *host_setting_name(enum host_setting setting); // "mtu", "speed_bps"
bool host_setting_is_of_port(enum host_setting setting);

// False, and nothing added: the value is empty, too long or not printable, the port is none of the
// setting's, or it has a value already.
bool host_facts_add(struct host_facts *facts, enum host_setting setting, uint32_t port,
                    const char *value);
// NULL: unknown.
const char *host_facts_find(const struct host_facts *facts, enum host_setting setting,
                            uint32_t port);

// ---- who differs

struct audit_host {
    uint32_t port_count; // what the host says of more ports than it has does not count
    uint32_t fact_count;
    const struct host_fact *facts;
};

enum audit_verdict {
    AUDIT_UNKNOWN, // nobody knows it
    AUDIT_AGREED,
    AUDIT_ODD,   // more than half have one value, some another
    AUDIT_SPLIT, // no value is that of more than half: who is odd cannot be said
};

// A port is a voter on the settings of ports, a host on those of hosts.
struct audit_setting {
    enum audit_verdict verdict;
    uint32_t known, unknown; // voters
    uint32_t value_count;    // different ones
    uint32_t common_count;   // voters that have the most frequent value
    const char *common;      // of several as frequent the one that sorts first; NULL: unknown
};

// A voter, or several ports of a host, whose value is not that of most; `ports` as in host_fact.
typedef void audit_odd_fn(void *context, enum host_setting setting, uint32_t host, uint32_t ports,
                          const char *value);

// Judges all settings; `odd` (or NULL) is called for AUDIT_ODD ones, by setting, then host. -ENOMEM
// leaves `out` as it was.
int host_audit(const struct audit_host *hosts, uint32_t host_count,
               struct audit_setting out[HOST_SETTINGS], audit_odd_fn *odd, void *context);

#endif
