// SPDX-License-Identifier: Apache-2.0
// The process, under the names that Prometheus' own client libraries use.
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent.h"
#include "model/time.h"

static uint64_t ns_of(const struct timeval *time) {
    return (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_usec * NS_PER_US;
}

static void tell_cpu(struct metric_text *text) {
    static const struct metric_family family = {"process_cpu_seconds", METRIC_COUNTER, "seconds",
                                                "User and system time, of all threads."};
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        metric_family(text, &family);
        metric_seconds(text, NULL, 0, ns_of(&usage.ru_utime) + ns_of(&usage.ru_stime));
    }
}

static void tell_memory(struct metric_text *text) {
    static const struct metric_family family = {"process_resident_memory_bytes", METRIC_GAUGE,
                                                "bytes", "Memory in use that is resident."};
    unsigned long total, resident;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL && fscanf(file, "%lu %lu", &total, &resident) == 2) {
        metrics_single(text, &family, (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE));
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void tell_descriptors(struct metric_text *text) {
    static const struct metric_family open = {"process_open_fds", METRIC_GAUGE, NULL,
                                              "Descriptors that are open."};
    static const struct metric_family most = {"process_max_fds", METRIC_GAUGE, NULL,
                                              "Descriptors that may be open."};
    struct rlimit limit;
    uint64_t count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL) {
        count++;
    }
    if (folder != NULL) {
        closedir(folder);
        metrics_single(text, &open, count - 3); // ".", "..", and the folder's own
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        metrics_single(text, &most, limit.rlim_cur);
    }
}

void metrics_of_process(struct metric_text *text) {
    tell_cpu(text);
    tell_memory(text);
    tell_descriptors(text);
}
