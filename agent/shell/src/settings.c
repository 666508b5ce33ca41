// SPDX-License-Identifier: Apache-2.0
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "agent.h"
#include "agent_shell/clock.h"
#include "model/time.h"
#include "nicdrv/port_settings.h"
#include "side.h"

#define LOOK_NS (10 * NS_PER_S)

struct settings_reader {
    struct host_facts facts;
    uint32_t port_count;
    char devices[ENGINE_PORTS_MAX][32];
};

// In the thread.
static void read_all(void *data) {
    struct settings_reader *reader = data;
    reader->facts.count = 0;
    host_settings_read(&reader->facts);
    for (uint32_t i = 0; i < reader->port_count; i++) {
        port_settings_read(reader->devices[i], i, &reader->facts);
    }
}

static void on_read(void *context) {
    struct agent *agent = context;
    struct engine_event event = {.kind = ENGINE_HOST_FACTS,
                                 .host_facts = &agent->settings.reader->facts};
    struct error error = {0};
    if (!agent->stopping && agent_step(agent, &event, &error) != 0) {
        agent_tell(agent, LOG_WARNING, "settings_untold", agent->config.host, "%s", error.text);
    }
}

static bool make_reader(struct agent *agent) {
    struct settings_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return false;
    }
    struct side_job job = {read_all, on_read, free, reader, agent};
    reader->port_count = agent->port_count;
    for (uint32_t i = 0; i < agent->port_count; i++) {
        snprintf(reader->devices[i], sizeof reader->devices[i], "%s", agent->ports[i].device);
    }
    if (side_open(&agent->loop, &job, &agent->settings.side) != 0) {
        free(reader);
        return false;
    }
    agent->settings.reader = reader;
    return true;
}

void agent_settings_look(struct agent *agent) {
    struct agent_settings *settings = &agent->settings;
    uint64_t now_ns = clock_now_ns();
    if ((settings->side == NULL && !make_reader(agent)) ||
        (settings->read_at_ns != 0 && now_ns - settings->read_at_ns < LOOK_NS)) {
        return;
    }
    if (side_start(settings->side)) {
        settings->read_at_ns = now_ns;
    }
}

void agent_settings_close(struct agent_settings *settings) {
    side_close(settings->side); // takes the reader with it
    settings->side = NULL;
    settings->reader = NULL;
}
