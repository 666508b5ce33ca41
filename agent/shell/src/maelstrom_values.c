// SPDX-License-Identifier: Apache-2.0
#include "maelstrom_values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"

int values_init(struct values *values) {
    *values =
        (struct values){.all = json_array(), .places = json_object(), .sources = json_object()};
    if (values->all == NULL || values->places == NULL || values->sources == NULL) {
        values_fini(values);
        return -ENOMEM;
    }
    return 0;
}

void values_fini(struct values *values) {
    json_decref(values->all);
    json_decref(values->places);
    json_decref(values->sources);
    free(values->held_by);
    *values = (struct values){.all = NULL};
}

uint32_t values_source(struct values *values, const char *origin, const char *key) {
    char text[NAME_SIZE + GOSSIP_KEY_MAX + 1];
    snprintf(text, sizeof(text), "%s %s", origin, key);
    json_t *known = json_object_get(values->sources, text);
    if (known != NULL) {
        return (uint32_t)json_integer_value(known);
    }
    size_t next = json_object_size(values->sources);
    return json_object_set_new(values->sources, text, json_integer((json_int_t)next)) == 0
               ? (uint32_t)next
               : SOURCE_NONE;
}

// NULL when memory is short; owned by the caller. Equal values have equal texts.
static char *text_of(json_t *value) {
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

bool values_accept(json_t *value) {
    char *text = text_of(value);
    bool accept = text != NULL && strlen(text) <= VALUE_TEXT_MAX;
    free(text);
    return accept;
}

static bool make_room(struct values *values) {
    if (json_array_size(values->all) < values->capacity) {
        return true;
    }
    uint32_t capacity = values->capacity == 0 ? 256 : 2 * values->capacity;
    uint32_t *held_by = realloc(values->held_by, capacity * sizeof(*held_by));
    if (held_by != NULL) {
        values->held_by = held_by;
        values->capacity = capacity;
    }
    return held_by != NULL;
}

static int append(struct values *values, const char *text, json_t *value, uint32_t source) {
    size_t place = json_array_size(values->all);
    if (!make_room(values) ||
        json_object_set_new(values->places, text, json_integer((json_int_t)place)) != 0) {
        return -ENOMEM;
    }
    if (json_array_append(values->all, value) != 0) {
        json_object_del(values->places, text);
        return -ENOMEM;
    }
    values->held_by[place] = source;
    values->orphan_count += source == SOURCE_NONE;
    return 0;
}

int values_add(struct values *values, json_t *value, uint32_t source) {
    char *text = text_of(value);
    if (text == NULL || strlen(text) > VALUE_TEXT_MAX) {
        int rc = text == NULL ? -ENOMEM : -EMSGSIZE;
        free(text);
        return rc;
    }
    json_t *known = json_object_get(values->places, text);
    int rc = 0;
    if (known == NULL) {
        rc = append(values, text, value, source);
    } else if (source != SOURCE_NONE) {
        uint32_t *held_by = &values->held_by[json_integer_value(known)];
        values->orphan_count -= *held_by == SOURCE_NONE;
        *held_by = *held_by == SOURCE_NONE ? source : *held_by;
    }
    free(text);
    return rc;
}

void values_drop(struct values *values, uint32_t source) {
    for (size_t i = 0; i < json_array_size(values->all); i++) {
        if (source != SOURCE_NONE && values->held_by[i] == source) {
            values->held_by[i] = SOURCE_NONE;
            values->orphan_count++;
        }
    }
}

json_t *values_next_orphan(const struct values *values, uint32_t *next) {
    while (values->orphan_count > 0 && *next < json_array_size(values->all)) {
        uint32_t place = (*next)++;
        if (values->held_by[place] == SOURCE_NONE) {
            return json_array_get(values->all, place);
        }
    }
    return NULL;
}
