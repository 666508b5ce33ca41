// SPDX-License-Identifier: Apache-2.0
// The card's programming socket (softcx_wire.h): one connection that programs, others that ask.
#ifndef SOFTCX_SERVE_H
#define SOFTCX_SERVE_H

#include "softcx_stats.h"

#define CONNECTIONS_MAX 8

struct server {
    struct datapath *path;
    int listen_fd, counters_fd;
    int connections[CONNECTIONS_MAX]; // -1: free
    int programmer;                   // the descriptor of that one; -1: nobody
};

int serve_open(struct server *server, const char *socket_path, struct datapath *path,
               int counters_fd);
// A connection waits: *fd is the new descriptor to watch, -1 when there was none.
void serve_accept(struct server *server, int *fd);
// One request of a connection; closes it at its end.
void serve_request(struct server *server, int fd);

// The client's side: asks the card at this socket for its JSON and writes it.
int serve_query(const char *socket_path, FILE *out);

#endif
