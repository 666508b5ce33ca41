// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_yaml/job_file.h"
#include "pathalg/algorithm.h"
#include "pods.h"

#define INDEX_ANNOTATION "batch.kubernetes.io/job-completion-index"
#define INDEX_LABEL "apps.kubernetes.io/pod-index"
#define JOBSET_LABEL "jobset.sigs.k8s.io/jobset-uid"
#define PORTS_LIMIT 32 // bits of pod.ports

static const char *text_at(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

// Others' text goes into logs: printable, and not too much of it.
static const char *shown(const char *text, char out[40]) {
    size_t length = strnlen(text, 39);
    for (size_t i = 0; i < length; i++) {
        out[i] = (char)(text[i] >= ' ' && text[i] <= '~' ? text[i] : '?');
    }
    out[length] = '\0';
    return out;
}

static int refuse(const struct pod *pod, struct error *error, const char *annotation,
                  const char *value, const char *expected) {
    char text[40];
    return value == NULL ? error_set(error, -EINVAL, "pod %.60s: %s: missing: %s expected",
                                     pod->name, annotation, expected)
                         : error_set(error, -EINVAL, "pod %.60s: %s: '%s' is not %s", pod->name,
                                     annotation, shown(value, text), expected);
}

// ---- values

static bool parse_number(const char *text, uint32_t least, uint32_t most, uint32_t *out) {
    uint64_t value = 0;
    size_t length = strlen(text);
    if (length == 0 || length > 9 || (length > 1 && text[0] == '0') ||
        strspn(text, "0123456789") != length) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        value = 10 * value + (uint64_t)(text[i] - '0');
    }
    *out = (uint32_t)value;
    return value >= least && value <= most;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool is_name(const char *text) {
    return text[0] != '\0' && strchr(LETTERS, text[0]) != NULL &&
           text[strspn(text, LETTERS "-_.")] == '\0';
}

static bool parse_ports(const char *text, uint32_t *out) {
    uint32_t ports = 0, last = 0;
    if (strcmp(text, "all") == 0) {
        *out = UINT32_MAX;
        return true;
    }
    while (true) {
        char digits[4] = "";
        uint32_t place;
        size_t length = strcspn(text, ",");
        if (length >= sizeof digits) {
            return false;
        }
        memcpy(digits, text, length);
        if (!parse_number(digits, 0, PORTS_LIMIT - 1, &place) || (ports != 0 && place <= last)) {
            return false;
        }
        ports |= UINT32_C(1) << place;
        last = place;
        if (text[length] == '\0') {
            *out = ports;
            return true;
        }
        text += length + 1;
    }
}

// Days since 1970-01-01 of a date in the Gregorian calendar; years begin in March, so that the
// leap day is the last.
static int64_t days_of(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = year / 400, of_era = year % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

// "2026-11-21T21:15:43Z", as the API server writes it.
static bool parse_time(const char *text, uint64_t *out_s) {
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    int64_t numbers[6] = {0};
    unsigned field = 0;
    if (text == NULL || strlen(text) != sizeof form - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof form - 1; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'd' ? !digit : text[i] != form[i]) {
            return false;
        }
        if (form[i] == 'd') {
            numbers[field] = 10 * numbers[field] + (text[i] - '0');
        } else {
            field++;
        }
    }
    if (numbers[0] < 1970 || numbers[1] < 1 || numbers[1] > 12 || numbers[2] < 1 ||
        numbers[2] > 31) {
        return false;
    }
    *out_s = (uint64_t)(days_of(numbers[0], numbers[1], numbers[2]) * 86400 + numbers[3] * 3600 +
                        numbers[4] * 60 + numbers[5]);
    return true;
}

// ---- annotations, one reader each: NULL value: absent

typedef int read_fn(const char *value, struct pod *pod, struct error *error);

static int read_job(const char *value, struct pod *pod, struct error *error) {
    int space = (int)strcspn(pod->name, "/");
    if (value == NULL) {
        return refuse(pod, error, POD_PREFIX "job", NULL, "a name of letters, digits and -_.");
    }
    if (!is_name(value)) {
        return refuse(pod, error, POD_PREFIX "job", value, "a name of letters, digits and -_.");
    }
    int length = snprintf(pod->rank.job, sizeof pod->rank.job, "%.*s/%s", space, pod->name, value);
    if (length >= (int)sizeof pod->rank.job) {
        return error_set(error, -EINVAL,
                         "pod %.60s: " POD_PREFIX "job: with the namespace longer than %zu "
                         "characters",
                         pod->name, sizeof pod->rank.job - 1);
    }
    return 0;
}

static int read_rank(const char *value, struct pod *pod, struct error *error) {
    if (value == NULL) {
        return refuse(pod, error, POD_PREFIX "rank", NULL,
                      "it, or the index of an Indexed Job or StatefulSet,");
    }
    return parse_number(value, 0, JOB_RANKS_MAX - 1, &pod->rank.rank)
               ? 0
               : refuse(pod, error, POD_PREFIX "rank", value, "a number of 0 to 65535");
}

static int read_ranks(const char *value, struct pod *pod, struct error *error) {
    if (value == NULL) {
        return 0;
    }
    if (!parse_number(value, 1, JOB_RANKS_MAX, &pod->rank.rank_count)) {
        return refuse(pod, error, POD_PREFIX "ranks", value, "a number of 1 to 65536");
    }
    return pod->rank.rank < pod->rank.rank_count
               ? 0
               : error_set(error, -EINVAL,
                           "pod %.60s: " POD_PREFIX "ranks: its rank is %u, and the job has %u",
                           pod->name, pod->rank.rank, pod->rank.rank_count);
}

static int read_collective(const char *value, struct pod *pod, struct error *error) {
    static const char expected[] = "one of alltoall, ring, tree";
    enum collective_type type;
    if (value == NULL) {
        return refuse(pod, error, POD_PREFIX "collective", NULL, expected);
    }
    if (!collective_type_parse(value, &type) ||
        (type != COLLECTIVE_ALLTOALL && type != COLLECTIVE_RING && type != COLLECTIVE_TREE)) {
        return refuse(pod, error, POD_PREFIX "collective", value, expected);
    }
    pod->rank.collective = type;
    return 0;
}

static int read_bytes(const char *value, struct pod *pod, struct error *error) {
    if (value == NULL) {
        return refuse(pod, error, POD_PREFIX "bytes", NULL, "a size such as 64MiB");
    }
    return bytes_text_parse(value, &pod->rank.bytes) && pod->rank.bytes > 0 &&
                   pod->rank.bytes <= JOB_BYTES_MAX
               ? 0
               : refuse(pod, error, POD_PREFIX "bytes", value, "a size such as 64MiB");
}

static int read_algorithm(const char *value, struct pod *pod, struct error *error) {
    if (value == NULL) {
        return 0;
    }
    if (strlen(value) >= sizeof pod->rank.algorithm || value[0] == '\0' ||
        algorithm_find(value) == NULL) {
        return refuse(pod, error, POD_PREFIX "algorithm", value, "one that this agent knows");
    }
    memcpy(pod->rank.algorithm, value, strlen(value) + 1);
    return 0;
}

static int read_ports(const char *value, struct pod *pod, struct error *error) {
    pod->ports_given = value != NULL;
    return value == NULL || parse_ports(value, &pod->ports)
               ? 0
               : refuse(pod, error, POD_PREFIX "ports", value,
                        "all, or places such as 0,2 in rising order");
}

static int read_run(const char *value, struct pod *pod, struct error *error) {
    if (value == NULL) {
        return 0;
    }
    if (!is_name(value) || strlen(value) >= sizeof pod->rank.run) {
        return refuse(pod, error, POD_PREFIX "run", value,
                      "a name of up to 63 letters, digits and -_.");
    }
    memcpy(pod->rank.run, value, strlen(value) + 1);
    return 0;
}

// In this order: ranks needs the rank.
static const struct {
    const char *key;
    read_fn *read;
} readers[] = {
    {"job", read_job},     {"rank", read_rank},
    {"ranks", read_ranks}, {"collective", read_collective},
    {"bytes", read_bytes}, {"algorithm", read_algorithm},
    {"ports", read_ports}, {"run", read_run},
};
#define READERS (sizeof readers / sizeof readers[0])

static bool is_ours(const char *key) {
    return strncmp(key, POD_PREFIX, sizeof POD_PREFIX - 1) == 0;
}

// A misspelt annotation must not be taken for none. True: some are ours.
static bool find_ours(const json_t *annotations, const char **unknown, const json_t **no_text) {
    const char *key;
    json_t *value;
    bool any = false;
    json_object_foreach((json_t *)annotations, key, value) {
        if (!is_ours(key)) {
            continue;
        }
        bool known = false;
        any = true;
        for (size_t i = 0; i < READERS; i++) {
            known = known || strcmp(key + sizeof POD_PREFIX - 1, readers[i].key) == 0;
        }
        *unknown = known ? *unknown : key;
        *no_text = json_is_string(value) ? *no_text : value;
    }
    return any;
}

static int read_annotations(const json_t *metadata, struct pod *pod, struct error *error) {
    const json_t *annotations = json_object_get(metadata, "annotations");
    const json_t *labels = json_object_get(metadata, "labels");
    for (size_t i = 0; i < READERS; i++) {
        char key[64];
        snprintf(key, sizeof key, POD_PREFIX "%s", readers[i].key);
        const char *value = text_at(annotations, key);
        if (value == NULL && readers[i].read == read_rank) {
            value = text_at(annotations, INDEX_ANNOTATION);
            value = value != NULL ? value : text_at(labels, INDEX_LABEL);
        }
        int rc = readers[i].read(value, pod, error);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

// ---- the object

// Whose pods belong together, unless an annotation has said.
static void read_owner(const json_t *metadata, struct pod *pod) {
    const json_t *owners = json_object_get(metadata, "ownerReferences");
    const char *uid = text_at(json_object_get(metadata, "labels"), JOBSET_LABEL);
    for (size_t i = 0; uid == NULL && i < json_array_size(owners); i++) {
        const json_t *owner = json_array_get(owners, i);
        if (json_is_true(json_object_get(owner, "controller"))) {
            uid = text_at(owner, "uid");
        }
    }
    if (pod->rank.run[0] == '\0' && uid != NULL && strlen(uid) < sizeof pod->rank.run &&
        is_name(uid)) {
        memcpy(pod->rank.run, uid, strlen(uid) + 1);
    }
}

static bool has_ended(const json_t *object) {
    const char *phase = text_at(json_object_get(object, "status"), "phase");
    return phase != NULL && (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0);
}

static int read_identity(const json_t *metadata, struct pod *pod, struct error *error) {
    const char *space = text_at(metadata, "namespace"), *name = text_at(metadata, "name");
    const char *uid = text_at(metadata, "uid");
    if (space == NULL || name == NULL || uid == NULL || !is_name(space) || !is_name(name) ||
        !is_name(uid) || strlen(uid) >= sizeof pod->uid ||
        snprintf(pod->name, sizeof pod->name, "%s/%s", space, name) >= (int)sizeof pod->name) {
        return error_set(error, -EINVAL, "a pod without namespace, name or uid");
    }
    memcpy(pod->uid, uid, strlen(uid) + 1);
    return 0;
}

static int read_rank_of(const json_t *object, struct pod *pod, struct error *error) {
    const json_t *metadata = json_object_get(object, "metadata");
    const json_t *spec = json_object_get(object, "spec");
    int rc = read_annotations(metadata, pod, error);
    if (rc != 0) {
        return rc;
    }
    if (!parse_time(text_at(metadata, "creationTimestamp"), &pod->rank.created_s)) {
        return error_set(error, -EINVAL, "pod %.60s: no time of creation", pod->name);
    }
    if (!pod->ports_given && !json_is_true(json_object_get(spec, "hostNetwork"))) {
        return error_set(error, -EINVAL,
                         "pod %.60s: no hostNetwork: where it has a device with a port's address, "
                         "say which by " POD_PREFIX "ports",
                         pod->name);
    }
    read_owner(metadata, pod);
    return 0;
}

int pod_read(const json_t *object, struct pod *out, struct error *error) {
    const json_t *metadata = json_object_get(object, "metadata");
    const char *unknown = NULL;
    const json_t *no_text = NULL;
    struct pod pod = {.ports = 0};
    int rc = read_identity(metadata, &pod, error);
    if (rc != 0) {
        return rc;
    }
    bool ours = find_ours(json_object_get(metadata, "annotations"), &unknown, &no_text);
    if (!ours || has_ended(object)) {
        rc = -ENOENT;
    } else if (unknown != NULL || no_text != NULL) {
        char text[40];
        rc = error_set(error, -EINVAL, "pod %.60s: %s: no such annotation", pod.name,
                       shown(unknown != NULL ? unknown : POD_PREFIX, text));
    } else {
        rc = read_rank_of(object, &pod, error);
    }
    *out = pod;
    return rc;
}
