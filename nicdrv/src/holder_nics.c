// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "holder_state.h"

static bool same_options(const struct nic_eswitch_options *a, const struct nic_eswitch_options *b) {
    return a->vport == b->vport && a->class_count == b->class_count &&
           memcmp(a->vport_mac, b->vport_mac, sizeof a->vport_mac) == 0 &&
           memcmp(a->gateway_mac, b->gateway_mac, sizeof a->gateway_mac) == 0 &&
           memcmp(a->traffic_classes, b->traffic_classes, sizeof a->traffic_classes) == 0;
}

static struct holder_nic *find(struct holder *holder, const char *device) {
    for (unsigned i = 0; i < HOLDER_NICS_MAX; i++) {
        if (strcmp(holder->nics[i].device, device) == 0) {
            return &holder->nics[i];
        }
    }
    return NULL;
}

static int open_nic(struct holder *holder, struct holder_nic *held, struct error *error) {
    struct nic_options options = {.device = held->device, .eswitch = held->eswitch};
    return nic_open_with(holder->config->driver, &options, &held->nic, error);
}

static int add(struct holder *holder, const struct holder_message *open, struct holder_nic **out,
               struct error *error) {
    struct holder_nic *held = find(holder, "");
    if (held == NULL) {
        return error_set(error, -ENOSPC, "the holder has %d NICs and takes no more",
                         HOLDER_NICS_MAX);
    }
    memcpy(held->device, open->device, sizeof held->device);
    held->eswitch = open->eswitch;
    int rc = open_nic(holder, held, error);
    if (rc != 0) {
        *held = (struct holder_nic){0};
        return rc;
    }
    *out = held;
    return 0;
}

int holder_nic_take(struct holder *holder, struct holder_session *session,
                    const struct holder_message *open, struct error *error) {
    struct holder_nic *held = find(holder, open->device);
    if (open->device[0] == '\0') { // would be a free place
        return error_set(error, -EINVAL, "a NIC without a name");
    }
    if (held != NULL && held->session != NULL) {
        return error_set(error, -EBUSY, "%s: process %d is attached to it: stop that agent first",
                         held->device, (int)held->session->pid);
    }
    if (held == NULL) {
        int rc = add(holder, open, &held, error);
        if (rc != 0) {
            return rc;
        }
    }
    if (held->nic == NULL) { // its owner left it in a bad state
        held->eswitch = open->eswitch;
        int rc = open_nic(holder, held, error);
        if (rc != 0) {
            return rc;
        }
    }
    if (!same_options(&held->eswitch, &open->eswitch)) {
        held->eswitch = open->eswitch;
        held->stale = true;
    }
    held->session = session;
    session->nic = held;
    return 0;
}

int holder_nic_apply(struct holder *holder, struct holder_nic *held, const struct rule_set *wanted,
                     struct error *error) {
    if (held->stale) {
        nic_close(held->nic, true);
        held->nic = NULL;
        held->stale = false;
    }
    int rc = held->nic != NULL ? 0 : open_nic(holder, held, error);
    return rc != 0 ? rc : nic_apply(held->nic, wanted, error);
}

void holder_nic_review(struct holder *holder, struct holder_nic *held) {
    struct error loss = {0};
    if (held->nic == NULL || held->nic->driver->review == NULL ||
        held->nic->driver->review(held->nic, &loss) == 0) {
        return;
    }
    holder_note(holder, false, "%s: lost: %s", held->device, loss.text);
    if (held->session != NULL) { // a later loss is told in place of one that was not read yet
        held->session->lost = true;
        held->session->loss = loss;
    }
}

void holder_nic_drop(struct holder_nic *held, bool remove) {
    if (held->session != NULL) {
        held->session->nic = NULL;
    }
    nic_close(held->nic, remove);
    *held = (struct holder_nic){0};
}
