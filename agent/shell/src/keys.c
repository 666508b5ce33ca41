// SPDX-License-Identifier: Apache-2.0
// The keys of fleet.keys and host.secret (gossip_zmq/keys.h), at start and while running.
#include <string.h>

#include "agent.h"
#include "agent_shell/clock.h"

int agent_keys_load(const struct config *config, struct agent_keys *out, struct error *error) {
    struct agent_keys keys = {0};
    if (!config->curve) {
        *out = keys;
        return 0;
    }
    int rc = curve_keys_load(config->fleet_keys_file, &keys.fleet, error);
    rc = rc != 0
             ? rc
             : curve_secret_load(config->secret_key_file, keys.secret_key, keys.public_key, error);
    rc = rc != 0 ? rc : curve_keys_check_own(&keys.fleet, config->host, keys.secret_key, error);
    rc = rc != 0 ? rc : curve_signing_open(&keys.fleet, keys.secret_key, &keys.signing, error);
    if (rc != 0) {
        agent_keys_fini(&keys);
        return rc;
    }
    *out = keys;
    return 0;
}

void agent_keys_fini(struct agent_keys *keys) {
    curve_keys_fini(&keys->fleet);
    curve_signing_close(keys->signing);
    explicit_bzero(keys, sizeof(*keys));
}

int agent_keys_change(struct agent *agent, const struct config *config, struct error *error) {
    struct agent_keys keys;
    int rc = agent_keys_load(config, &keys, error);
    if (rc != 0) {
        return rc;
    }
    rc = gossip_zmq_set_keys(agent->carrier, clock_now_ns(), keys.secret_key, &keys.fleet, error);
    if (rc == 0) {
        struct gossip_signing *old = agent->signing;
        agent->signing = keys.signing;
        keys.signing = NULL;
        gossip_set_signing(engine_gossip(agent->engine), clock_now_ns(), agent->signing);
        curve_signing_close(old);
    }
    agent_keys_fini(&keys);
    return rc;
}
