// SPDX-License-Identifier: Apache-2.0
// What a NIC port counts by itself: congestion (CNP, ECN), retransmission, pauses (PFC).
//
//   /sys/class/infiniband/<device>/ports/<p>/hw_counters/   RDMA; of the port's own device and of
//   /sys/class/infiniband/<device>/hw_counters/             its virtual functions, summed: in
//                                                           switchdev mode the function counts
//   ethtool statistics of the netdev                        PFC per priority, discards
//
// Drivers cache the first two (hw_counters/lifespan, 10 ms by default) and may ask their firmware:
// a reading can be slow, so it belongs in a worker. Descriptors stay open. A counter that nobody
// has is absent, not 0.
//
// Ownership: open returns owned. Errors: -errno with a sentence. One thread.
#ifndef NICDRV_PORT_COUNTERS_H
#define NICDRV_PORT_COUNTERS_H

#include <stdint.h>

#include "model/error.h"

#define PORT_PRIORITIES 8
#define PORT_COUNTER_ABSENT UINT64_MAX

enum port_counter {
    PORT_CNP_SENT,             // np_cnp_sent: as receiver of marked packets
    PORT_CNP_HANDLED,          // rp_cnp_handled: as sender
    PORT_CNP_IGNORED,          // rp_cnp_ignored
    PORT_ECN_MARKED,           // np_ecn_marked_roce_packets
    PORT_OUT_OF_SEQUENCE,      // out_of_sequence
    PORT_SEQUENCE_ERRORS,      // packet_seq_err: NAKs that came
    PORT_IMPLIED_NAKS,         // implied_nak_seq_err
    PORT_ACK_TIMEOUTS,         // local_ack_timeout_err
    PORT_DUPLICATES,           // duplicate_request
    PORT_RNR_NAKS,             // rnr_nak_retry_err
    PORT_RETRIES_EXCEEDED,     // req_transport_retries_exceeded: a QP failed
    PORT_ADAPTIVE_RETRANSMITS, // roce_adp_retrans
    PORT_SLOW_RESTARTS,        // roce_slow_restart
    PORT_ICRC_ERRORS,          // rx_icrc_encapsulated
    PORT_DISCARDS,             // rx_discards_phy
    PORT_LINK_DOWNS,           // link_down_events_phy
    PORT_COUNTERS
};

enum port_priority_counter {
    PORT_RX_PAUSES, // frames
    PORT_TX_PAUSES,
    PORT_RX_PAUSE_NS,
    PORT_TX_PAUSE_NS,
    PORT_BUFFER_DISCARDS, // packets
    PORT_PRIORITY_COUNTERS
};

struct port_values {
    uint64_t values[PORT_COUNTERS]; // PORT_COUNTER_ABSENT where nobody counts it
    uint64_t priority[PORT_PRIORITIES][PORT_PRIORITY_COUNTERS];
};

struct port_counters;

// netdev: the port's. Succeeds without any RDMA device; -ENODEV when there is no such netdev.
int port_counters_open(const char *netdev, struct port_counters **out, struct error *error);
void port_counters_close(struct port_counters *counters); // NULL is a no-op
void port_counters_read(struct port_counters *counters, struct port_values *out);
// One of the RDMA counters, at the cost of that one; PORT_COUNTER_ABSENT.
uint64_t port_counters_read_rdma(struct port_counters *counters, enum port_counter which);

// "cnp_sent", "rx_pauses": the keys of status and metrics.
const char *port_counter_name(enum port_counter counter);
const char *port_priority_counter_name(enum port_priority_counter counter);

#endif
