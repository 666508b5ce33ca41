// SPDX-License-Identifier: Apache-2.0
// Any text as the agent's configuration: a whole one within its limits, or complaints.
#include <assert.h>
#include <string.h>

#include "agent_shell/config.h"
#include "pathalg/algorithm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count_error(void *context, const struct error *error) {
    assert(error->code < 0 && error->text[0] != '\0');
    ++*(unsigned *)context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned errors = 0;
    struct config config;
    int rc =
        config_parse("/etc/fuzz.yaml", (const char *)data, size, count_error, &errors, &config);
    assert((rc == 0) == (errors == 0));
    if (rc != 0) {
        return 0;
    }
    assert(config.fabric[0] == '/' && config.listen[0] != '\0' && config.advertise[0] != '\0');
    assert(config.socket[0] != '\0' && algorithm_find(config.algorithm) != NULL &&
           config.nic_driver[0] != '\0');
    assert(config.port_count <= HOST_PORTS_MAX && config.seed_count <= CONFIG_SEEDS_MAX);
    assert(config.probe_interval_ns > 0 && config.loss_threshold > 0);
    assert(config.up_hold_ns <= config.up_hold_max_ns);
    for (uint32_t i = 0; i < config.port_count; i++) {
        assert(memchr(config.ports[i].device, '\0', IFNAMSIZ) != NULL);
    }
    config_fini(&config);
    return 0;
}
