// SPDX-License-Identifier: Apache-2.0
// What the file says of the probes of all kinds.
#include "config_file.h"
#include "model/time.h"

#define PROBE_INTERVAL_DEFAULT_MS 10
#define PROBE_TIMEOUT_DEFAULT_MS 4
#define LOSS_THRESHOLD_DEFAULT 2
#define UP_HOLD_DEFAULT_MS 1000
#define UP_HOLD_MAX_DEFAULT_MS 60000
#define TRAIN_PACKETS_DEFAULT 64
#define TRAIN_BYTES_DEFAULT 1500
#define ECN_INTERVAL_DEFAULT_MS 3
#define ECN_IDLE_DEFAULT_MS 100
#define ECN_CLASS_DEFAULT 0x6a // DSCP 26, the usual class of RoCE, and ECN-capable
#define ECN_THRESHOLD_DEFAULT_PERCENT 50
#define ECN_PROBES_DEFAULT 6
#define ECN_QUIET_DEFAULT_MS 5000
#define ECN_QUIET_MAX_DEFAULT_MS 300000
#define DIAGNOSIS_RATE_DEFAULT 100
#define AVOID_DEFAULT_PPM 1000

static void read_probe(const struct reading *reading) {
    static const struct probe_yaml absent;
    const struct probe_yaml *probe = reading->file->probe != NULL ? reading->file->probe : &absent;
    struct config *config = reading->config;
    uint64_t threshold = 0;
    const struct number numbers[] = {
        {"probe.interval_ms", probe->interval_ms, PROBE_INTERVAL_DEFAULT_MS, 1, MINUTE_MS,
         &config->probe_interval_ns, NS_PER_MS},
        {"probe.timeout_ms", probe->timeout_ms, PROBE_TIMEOUT_DEFAULT_MS, 1, MINUTE_MS,
         &config->probe_timeout_ns, NS_PER_MS},
        {"probe.loss_threshold", probe->loss_threshold, LOSS_THRESHOLD_DEFAULT, 1, 100, &threshold,
         1},
        {"probe.up_hold_ms", probe->up_hold_ms, UP_HOLD_DEFAULT_MS, 1, HOUR_MS, &config->up_hold_ns,
         NS_PER_MS},
        {"probe.up_hold_max_ms", probe->up_hold_max_ms, UP_HOLD_MAX_DEFAULT_MS, 1, 24 * HOUR_MS,
         &config->up_hold_max_ns, NS_PER_MS},
    };
    config_set_numbers(reading, numbers, sizeof(numbers) / sizeof(numbers[0]));
    config->loss_threshold = (uint32_t)threshold;
    config->backend = probe->backend != NULL ? *probe->backend : PROBE_BACKEND_AUTO;
    if (config->up_hold_max_ns < config->up_hold_ns) {
        config_complain_at(reading, "probe",
                           probe->up_hold_max_ms != NULL
                               ? "up_hold_max_ms is below up_hold_ms"
                               : "up_hold_ms is above the default of up_hold_max_ms: set both");
    }
}

// After read_ecn: trains go in the flows' class.
static void read_capacity(const struct reading *reading) {
    static const struct capacity_yaml absent;
    const struct capacity_yaml *capacity =
        reading->file->capacity != NULL ? reading->file->capacity : &absent;
    struct capacity_policy *policy = &reading->config->capacity;
    uint64_t packets = 0, bytes = 0;
    const struct number numbers[] = {
        {"capacity.interval_ms", capacity->interval_ms, 0, 0, HOUR_MS, &policy->interval_ns,
         NS_PER_MS},
        {"capacity.packets", capacity->packets, TRAIN_PACKETS_DEFAULT, 16, 100, &packets, 1},
        {"capacity.packet_bytes", capacity->packet_bytes, TRAIN_BYTES_DEFAULT, 256, 9000, &bytes,
         1},
    };
    config_set_numbers(reading, numbers, sizeof(numbers) / sizeof(numbers[0]));
    policy->packets = (uint32_t)packets;
    policy->packet_bytes = (uint32_t)bytes;
    policy->traffic_class = reading->config->ecn.traffic_class;
    if (policy->interval_ns != 0 && policy->interval_ns < 100 * NS_PER_MS) {
        config_complain_at(reading, "capacity.interval_ms",
                           "trains come at most every 100 ms: 0 or more than that");
    }
}

static void read_ecn(const struct reading *reading) {
    static const struct ecn_yaml absent;
    const struct ecn_yaml *ecn = reading->file->ecn != NULL ? reading->file->ecn : &absent;
    struct ecn_policy *policy = &reading->config->ecn;
    uint64_t class = 0, threshold = 0, probes = 0;
    const struct number numbers[] = {
        {"ecn.interval_ms", ecn->interval_ms, ECN_INTERVAL_DEFAULT_MS, 0, 1000,
         &policy->interval_ns, NS_PER_MS},
        {"ecn.idle_interval_ms", ecn->idle_interval_ms, ECN_IDLE_DEFAULT_MS, 0, MINUTE_MS,
         &policy->idle_interval_ns, NS_PER_MS},
        {"ecn.traffic_class", ecn->traffic_class, ECN_CLASS_DEFAULT, 0, 255, &class, 1},
        {"ecn.threshold_percent", ecn->threshold_percent, ECN_THRESHOLD_DEFAULT_PERCENT, 1, 100,
         &threshold, 1},
        {"ecn.probes", ecn->probes, ECN_PROBES_DEFAULT, 2, 16, &probes, 1},
        {"ecn.quiet_ms", ecn->quiet_ms, ECN_QUIET_DEFAULT_MS, 1, HOUR_MS, &policy->quiet_ns,
         NS_PER_MS},
        {"ecn.quiet_max_ms", ecn->quiet_max_ms, ECN_QUIET_MAX_DEFAULT_MS, 1, 24 * HOUR_MS,
         &policy->quiet_max_ns, NS_PER_MS},
    };
    config_set_numbers(reading, numbers, sizeof(numbers) / sizeof(numbers[0]));
    policy->traffic_class = (uint8_t) class;
    policy->threshold_percent = (uint32_t)threshold;
    policy->probes = (uint32_t)probes;
    if (ecn->traffic_class != NULL && (*ecn->traffic_class & 3) != 1 &&
        (*ecn->traffic_class & 3) != 2) {
        config_complain_at(
            reading, "ecn.traffic_class",
            "no switch marks this class: its last two bits must be 2, or 1 (ECN-capable)");
    }
    if (policy->idle_interval_ns != 0 && policy->idle_interval_ns < policy->interval_ns) {
        if (ecn->idle_interval_ms != NULL) {
            config_complain_at(reading, "ecn.idle_interval_ms", "below interval_ms");
        }
        policy->idle_interval_ns = policy->interval_ns;
    }
    bool given = ecn->quiet_max_ms != NULL;
    if (policy->quiet_max_ns < policy->quiet_ns) {
        config_complain_at(reading, given ? "ecn.quiet_max_ms" : "ecn.quiet_ms",
                           given ? "below quiet_ms"
                                 : "above the default of quiet_max_ms: set both");
    }
}

// After read_ecn: its class is the flows', too.
static void read_diagnosis(const struct reading *reading) {
    static const struct diagnosis_yaml absent;
    const struct diagnosis_yaml *diagnosis =
        reading->file->diagnosis != NULL ? reading->file->diagnosis : &absent;
    struct diagnosis_policy *policy = &reading->config->diagnosis;
    uint64_t rate = 0, class = 0, avoid_ppm = 0;
    const struct number numbers[] = {
        {"diagnosis.probes_per_second", diagnosis->probes_per_second, DIAGNOSIS_RATE_DEFAULT, 0,
         DIAGNOSIS_RATE_MAX, &rate, 1},
        {"diagnosis.traffic_class", diagnosis->traffic_class, reading->config->ecn.traffic_class, 0,
         255, &class, 1},
        {"diagnosis.avoid_ppm", diagnosis->avoid_ppm, AVOID_DEFAULT_PPM, 1, 1000000, &avoid_ppm, 1},
    };
    config_set_numbers(reading, numbers, sizeof(numbers) / sizeof(numbers[0]));
    *policy = (struct diagnosis_policy){.probes_per_second = (uint32_t)rate,
                                        .traffic_class = (uint8_t) class,
                                        .avoid_ppm = (uint32_t)avoid_ppm};
}

void config_read_probes(const struct reading *reading) {
    read_probe(reading);
    read_ecn(reading);
    read_diagnosis(reading);
    read_capacity(reading);
}
