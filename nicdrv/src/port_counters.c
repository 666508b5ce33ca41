// SPDX-License-Identifier: Apache-2.0
#include "nicdrv/port_counters.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <net/if.h>

#include "port_ethtool.h"

#define FILES_MAX 4096 // of all functions
#define PATH_SIZE 384
#define SYSFS_DEFAULT "/sys"
#define NAMES_MAX 3

struct known {
    const char *name;              // ours
    const char *theirs[NAMES_MAX]; // of drivers: mlx5, then rxe
};

static const struct known known[PORT_COUNTERS] = {
    [PORT_CNP_SENT] = {"cnp_sent", {"np_cnp_sent"}},
    [PORT_CNP_HANDLED] = {"cnp_handled", {"rp_cnp_handled"}},
    [PORT_CNP_IGNORED] = {"cnp_ignored", {"rp_cnp_ignored"}},
    [PORT_ECN_MARKED] = {"ecn_marked", {"np_ecn_marked_roce_packets"}},
    [PORT_OUT_OF_SEQUENCE] = {"out_of_sequence", {"out_of_sequence", "out_of_seq_request"}},
    [PORT_SEQUENCE_ERRORS] = {"sequence_errors", {"packet_seq_err", "rcvd_seq_err"}},
    [PORT_IMPLIED_NAKS] = {"implied_naks", {"implied_nak_seq_err"}},
    [PORT_ACK_TIMEOUTS] = {"ack_timeouts", {"local_ack_timeout_err", "completer_retry_err"}},
    [PORT_DUPLICATES] = {"duplicates", {"duplicate_request"}},
    [PORT_RNR_NAKS] = {"rnr_naks", {"rnr_nak_retry_err", "rcvd_rnr_err"}},
    [PORT_RETRIES_EXCEEDED] = {"retries_exceeded",
                               {"req_transport_retries_exceeded", "retry_exceeded_err"}},
    [PORT_ADAPTIVE_RETRANSMITS] = {"adaptive_retransmits", {"roce_adp_retrans"}},
    [PORT_SLOW_RESTARTS] = {"slow_restarts", {"roce_slow_restart"}},
    [PORT_ICRC_ERRORS] = {"icrc_errors", {"rx_icrc_encapsulated"}},
    [PORT_DISCARDS] = {"discards", {"rx_discards_phy"}},
    [PORT_LINK_DOWNS] = {"link_downs", {"link_down_events_phy"}},
};

static const char *const priority_names[PORT_PRIORITY_COUNTERS] = {
    [PORT_RX_PAUSES] = "rx_pauses",
    [PORT_TX_PAUSES] = "tx_pauses",
    [PORT_RX_PAUSE_NS] = "rx_pause_ns",
    [PORT_TX_PAUSE_NS] = "tx_pause_ns",
    [PORT_BUFFER_DISCARDS] = "buffer_discards",
};

struct file {
    int fd;
    enum port_counter counter;
};

struct port_counters {
    char netdev[IF_NAMESIZE];
    struct file *files;
    uint32_t file_count;
    struct port_ethtool *ethtool; // NULL: the driver has no statistics
};

const char *port_counter_name(enum port_counter counter) {
    return known[counter].name;
}

const char *port_priority_counter_name(enum port_priority_counter counter) {
    return priority_names[counter];
}

bool port_counter_find(const char *theirs, enum port_counter *out) {
    for (unsigned i = 0; i < PORT_COUNTERS; i++) {
        for (unsigned n = 0; n < NAMES_MAX && known[i].theirs[n] != NULL; n++) {
            if (strcmp(known[i].theirs[n], theirs) == 0) {
                *out = (enum port_counter)i;
                return true;
            }
        }
    }
    return false;
}

// ---- files

static int keep_file(struct port_counters *counters, const char *path, enum port_counter counter) {
    if (counters->file_count == FILES_MAX) {
        return -ENOSPC;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0; // a function that went, or a counter that may not be read
    }
    counters->files[counters->file_count++] = (struct file){fd, counter};
    return 0;
}

static bool join(char out[PATH_SIZE], const char *folder, const char *name, const char *below) {
    int size = snprintf(out, PATH_SIZE, "%s/%s%s", folder, name, below);
    return size > 0 && size < PATH_SIZE;
}

// Calls `each` for every entry of a folder; a folder that is not there has none.
static int walk(struct port_counters *counters, const char *folder,
                int (*each)(struct port_counters *, const char *folder, const char *name)) {
    DIR *listing = opendir(folder);
    int rc = 0;
    for (struct dirent *entry; rc == 0 && listing != NULL && (entry = readdir(listing)) != NULL;) {
        if (entry->d_name[0] != '.') {
            rc = each(counters, folder, entry->d_name);
        }
    }
    if (listing != NULL) {
        closedir(listing);
    }
    return rc;
}

static int add_counter(struct port_counters *counters, const char *folder, const char *name) {
    char path[PATH_SIZE];
    enum port_counter counter;
    bool ours = port_counter_find(name, &counter) && join(path, folder, name, "");
    return ours ? keep_file(counters, path, counter) : 0;
}

static int add_port(struct port_counters *counters, const char *folder, const char *name) {
    char path[PATH_SIZE];
    return join(path, folder, name, "/hw_counters") ? walk(counters, path, add_counter) : 0;
}

// A port's own counters, and where it has none those of the whole device.
static int add_rdma(struct port_counters *counters, const char *folder, const char *name) {
    char path[PATH_SIZE];
    uint32_t before = counters->file_count;
    int rc = join(path, folder, name, "/ports") ? walk(counters, path, add_port) : 0;
    if (rc == 0 && counters->file_count == before && join(path, folder, name, "/hw_counters")) {
        rc = walk(counters, path, add_counter);
    }
    return rc;
}

static int add_function(struct port_counters *counters, const char *folder, const char *name) {
    char path[PATH_SIZE];
    bool function = strncmp(name, "virtfn", 6) == 0 && join(path, folder, name, "/infiniband");
    return function ? walk(counters, path, add_rdma) : 0;
}

// A device in software (rxe, siw) stands on no PCI function; its GIDs name the netdev.
static int add_software(struct port_counters *counters, const char *folder, const char *name) {
    char path[PATH_SIZE], netdev[IF_NAMESIZE + 1] = "";
    if (!join(path, folder, name, "/ports/1/gid_attrs/ndevs/0")) {
        return 0;
    }
    FILE *file = fopen(path, "re");
    bool read = file != NULL && fgets(netdev, sizeof netdev, file) != NULL;
    netdev[strcspn(netdev, "\n")] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    return read && strcmp(netdev, counters->netdev) == 0 ? add_rdma(counters, folder, name) : 0;
}

static int add_netdev(struct port_counters *counters) {
    char path[PATH_SIZE];
    const char *sysfs = getenv("SYSFS_PATH"); // as libibverbs
    sysfs = sysfs != NULL ? sysfs : SYSFS_DEFAULT;
    snprintf(path, sizeof path, "%s/class/net/%s/device/infiniband", sysfs, counters->netdev);
    int rc = walk(counters, path, add_rdma);
    *strrchr(path, '/') = '\0';
    if (access(path, F_OK) != 0) {
        snprintf(path, sizeof path, "%s/class/infiniband", sysfs);
        return rc != 0 ? rc : walk(counters, path, add_software);
    }
    return rc != 0 ? rc : walk(counters, path, add_function);
}

// ---- open, read

int port_counters_open(const char *netdev, struct port_counters **out, struct error *error) {
    struct port_counters *counters = calloc(1, sizeof *counters);
    if (if_nametoindex(netdev) == 0) {
        free(counters);
        return error_set(error, -ENODEV, "%s: no such network device in this network namespace",
                         netdev);
    }
    if (counters == NULL ||
        (counters->files = calloc(FILES_MAX, sizeof *counters->files)) == NULL) {
        free(counters);
        return error_set(error, -ENOMEM, "%s: no memory", netdev);
    }
    strncpy(counters->netdev, netdev, sizeof counters->netdev - 1);
    int rc = add_netdev(counters);
    rc = rc != 0 ? rc : port_ethtool_open(netdev, &counters->ethtool);
    if (rc != 0) {
        port_counters_close(counters);
        return error_set(error, rc, "%s: counters: %s", netdev, strerror(-rc));
    }
    *out = counters;
    return 0;
}

void port_counters_close(struct port_counters *counters) {
    if (counters == NULL) {
        return;
    }
    for (uint32_t i = 0; i < counters->file_count; i++) {
        close(counters->files[i].fd);
    }
    port_ethtool_close(counters->ethtool);
    free(counters->files);
    free(counters);
}

void port_values_add(uint64_t *value, uint64_t more) {
    *value = *value == PORT_COUNTER_ABSENT ? more : *value + more;
}

static void read_file(const struct file *file, uint64_t *sum) {
    char text[32];
    ssize_t size = pread(file->fd, text, sizeof text - 1, 0);
    if (size > 0) {
        text[size] = '\0';
        port_values_add(sum, strtoull(text, NULL, 10));
    }
}

uint64_t port_counters_read_rdma(struct port_counters *counters, enum port_counter which) {
    uint64_t sum = PORT_COUNTER_ABSENT;
    for (uint32_t i = 0; i < counters->file_count; i++) {
        if (counters->files[i].counter == which) {
            read_file(&counters->files[i], &sum);
        }
    }
    return sum;
}

void port_counters_read(struct port_counters *counters, struct port_values *out) {
    memset(out, 0xff, sizeof *out); // PORT_COUNTER_ABSENT
    for (uint32_t i = 0; i < counters->file_count; i++) {
        read_file(&counters->files[i], &out->values[counters->files[i].counter]);
    }
    if (counters->ethtool != NULL) {
        port_ethtool_read(counters->ethtool, out);
    }
}
