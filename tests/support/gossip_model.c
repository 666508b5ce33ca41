// SPDX-License-Identifier: Apache-2.0
#include "gossip_model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void model_init(struct gossip_model *model) {
    memset(model, 0, sizeof *model);
}

static void key_name(uint32_t key, char name[16]) {
    snprintf(name, 16, "key%u", key);
}

void model_put(struct gossip_model *model, struct gossip_net *net, uint32_t host, uint32_t key) {
    char name[16];
    char value[16];
    model->value[host][key] = ++model->next_value;
    key_name(key, name);
    snprintf(value, sizeof value, "%u", model->next_value);
    int put = net_put(net, host, name, value);
    assert(put == 0);
}

void model_delete(struct gossip_model *model, struct gossip_net *net, uint32_t host, uint32_t key) {
    char name[16];
    model->value[host][key] = 0;
    key_name(key, name);
    int deleted = net_delete(net, host, name);
    assert(deleted == 0);
}

void model_restarted(struct gossip_model *model, uint32_t host) {
    memset(model->value[host], 0, sizeof model->value[host]);
}

static uint32_t held(const struct gossip_net *net, uint32_t host, uint32_t origin, uint32_t key) {
    char name[16];
    key_name(key, name);
    const char *value = net_get(net, host, origin, name);
    return value == NULL ? 0 : (uint32_t)strtoul(value, NULL, 10);
}

static bool agrees_on(const struct gossip_model *model, const struct gossip_net *net, uint32_t host,
                      uint32_t origin, char text[160]) {
    bool lives = net->hosts[origin].core != NULL;
    if (lives && net_state(net, host, origin) != GOSSIP_ALIVE) {
        snprintf(text, 160, "%s does not see %s alive", net->hosts[host].name,
                 net->hosts[origin].name);
        return false;
    }
    if (!lives && net_knows(net, host, origin) && net_state(net, host, origin) < GOSSIP_DEAD) {
        snprintf(text, 160, "%s does not see that %s is gone", net->hosts[host].name,
                 net->hosts[origin].name);
        return false;
    }
    for (uint32_t key = 0; key < MODEL_KEYS && lives; key++) {
        uint32_t value = held(net, host, origin, key);
        if (value != model->value[origin][key]) {
            snprintf(text, 160, "%s holds %s/key%u = %u instead of %u", net->hosts[host].name,
                     net->hosts[origin].name, key, value, model->value[origin][key]);
            return false;
        }
    }
    return true;
}

bool model_agrees(const struct gossip_model *model, const struct gossip_net *net, char text[160]) {
    for (uint32_t host = 0; host < net->count; host++) {
        for (uint32_t origin = 0; origin < net->count && net->hosts[host].core != NULL; origin++) {
            if (!agrees_on(model, net, host, origin, text)) {
                return false;
            }
        }
    }
    return true;
}
