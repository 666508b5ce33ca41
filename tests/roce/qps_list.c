// SPDX-License-Identifier: Apache-2.0
// Prints the QPs that this machine has, one JSON object a line, as nicdrv/rdma_qps.h tells them:
// `qps_list SECONDS` looks once at the start, so that address vectors set from then on are seen,
// and prints what is there at the end.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "nicdrv/rdma_qps.h"

static void nothing(void *context, const struct rdma_qp *qp) {
    (void)context;
    (void)qp;
}

static void print(void *context, const struct rdma_qp *qp) {
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    (void)context;
    inet_ntop(AF_INET6, qp->source, source, sizeof source);
    inet_ntop(AF_INET6, qp->destination, destination, sizeof destination);
    printf(
        "{\"device\":\"%s\",\"qp\":%u,\"peer\":%u,\"pid\":%u,\"process\":\"%s\",\"source\":\"%s\","
        "\"destination\":\"%s\",\"sport\":%u}\n",
        qp->device, qp->number, qp->peer, qp->pid, qp->process, source, destination, qp->sport);
}

int main(int count, char **arguments) {
    struct rdma_qps *qps = NULL;
    struct error error = {0};
    if (count != 2) {
        fprintf(stderr, "usage: qps_list SECONDS\n");
        return 2;
    }
    int rc = rdma_qps_open(&qps, &error);
    rc = rc != 0 ? rc : rdma_qps_read(qps, nothing, NULL, &error);
    if (rc == 0) {
        fprintf(stderr, "ready %s\n", rdma_qps_reason(qps));
        sleep((unsigned)strtoul(arguments[1], NULL, 10));
        rc = rdma_qps_read(qps, print, NULL, &error);
    }
    rdma_qps_close(qps);
    if (rc != 0) {
        fprintf(stderr, "qps_list: %s\n", error.text);
    }
    return rc != 0;
}
