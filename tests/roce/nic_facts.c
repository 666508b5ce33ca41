// SPDX-License-Identifier: Apache-2.0
// What the machine says of its NICs, one JSON object a line, as nicdrv's readers tell it:
//
//   nic_facts qps SECONDS        looks once (address vectors set from then on are seen), says
//                                "ready" on stderr, and prints each second the QPs there are
//   nic_facts counters NETDEV    counters that exist
//   nic_facts preflight NETDEV   findings; exit status 1 when one failed
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nicdrv/port_counters.h"
#include "nicdrv/rdma_qps.h"
#include "nicdrv_mlx5/preflight.h"

static void nothing(void *context, const struct rdma_qp *qp) {
    (void)context;
    (void)qp;
}

static void print_qp(void *context, const struct rdma_qp *qp) {
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    (void)context;
    inet_ntop(AF_INET6, qp->source, source, sizeof source);
    inet_ntop(AF_INET6, qp->destination, destination, sizeof destination);
    printf(
        "{\"device\":\"%s\",\"qp\":%u,\"peer\":%u,\"pid\":%u,\"process\":\"%s\",\"source\":\"%s\","
        "\"destination\":\"%s\",\"sport\":%u}\n",
        qp->device, qp->number, qp->peer, qp->pid, qp->process, source, destination, qp->sport);
}

static int run_qps(const char *seconds, struct error *error) {
    struct rdma_qps *qps = NULL;
    int rc = rdma_qps_open(&qps, error);
    rc = rc != 0 ? rc : rdma_qps_read(qps, nothing, NULL, error);
    if (rc == 0) {
        fprintf(stderr, "ready %s\n", rdma_qps_reason(qps));
        fflush(stderr);
    }
    for (unsigned long left = strtoul(seconds, NULL, 10); rc == 0 && left > 0; left--) {
        sleep(1);
        rc = rdma_qps_read(qps, print_qp, NULL, error);
        fflush(stdout);
    }
    rdma_qps_close(qps);
    return rc;
}

static int run_counters(const char *netdev, struct error *error) {
    struct port_counters *counters;
    struct port_values values;
    int rc = port_counters_open(netdev, &counters, error);
    if (rc != 0) {
        return rc;
    }
    port_counters_read(counters, &values);
    for (unsigned i = 0; i < PORT_COUNTERS; i++) {
        if (values.values[i] != PORT_COUNTER_ABSENT) {
            printf("{\"counter\":\"%s\",\"value\":%llu}\n", port_counter_name(i),
                   (unsigned long long)values.values[i]);
        }
    }
    port_counters_close(counters);
    return 0;
}

static void print_finding(void *context, const struct preflight_finding *finding) {
    static const char *const grades[] = {"ok", "unknown", "warn", "fail"};
    (void)context;
    printf("{\"check\":\"%s\",\"grade\":\"%s\",\"found\":\"%s\",\"advice\":\"%s\"}\n",
           finding->check, grades[finding->grade], finding->found, finding->advice);
}

int main(int count, char **arguments) {
    struct error error = {0};
    int rc;
    if (count == 3 && strcmp(arguments[1], "qps") == 0) {
        rc = run_qps(arguments[2], &error);
    } else if (count == 3 && strcmp(arguments[1], "counters") == 0) {
        rc = run_counters(arguments[2], &error);
    } else if (count == 3 && strcmp(arguments[1], "preflight") == 0) {
        struct nic_options options = {.device = arguments[2]};
        rc = mlx5_preflight(&options, print_finding, NULL, &error);
    } else {
        fprintf(stderr, "usage: nic_facts qps SECONDS | counters NETDEV | preflight NETDEV\n");
        return 2;
    }
    if (rc != 0) {
        fprintf(stderr, "nic_facts: %s\n", error.text);
    }
    return rc != 0;
}
