// SPDX-License-Identifier: Apache-2.0
// fleet.keys.
#include "gossip_zmq/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <zmq.h>

#include "address.h"
#include "key_file.h"

#define KEY_TEXT_LENGTH (CURVE_KEY_TEXT_SIZE - 1)
#define UNSIGNED "no signing key: make the line anew (srv6-ctl keys line)"

bool curve_key_valid(const char *key) {
    unsigned char bytes[32];
    return strlen(key) == KEY_TEXT_LENGTH && zmq_z85_decode(bytes, key) != NULL;
}

static const char *entry_problem(const struct curve_key *key) {
    struct tcp_address parsed;
    if (!curve_key_valid(key->public_key)) {
        return "not a CURVE key (40 characters of Z85)";
    }
    if (key->sign_key[0] != '\0' && !curve_key_valid(key->sign_key)) {
        return "not a signing key (40 characters of Z85)";
    }
    if (key->address[0] != '\0' && !address_parse(key->address, &parsed)) {
        return "address is not tcp://<numeric IP>:<port>";
    }
    return NULL;
}

static int append(struct curve_keys *keys, const struct curve_key *entry) {
    if (keys->count == CURVE_KEYS_MAX) {
        return -E2BIG;
    }
    if ((keys->count & (keys->count - 1)) == 0) { // room doubles at each power of two
        size_t room = keys->count == 0 ? 1 : (size_t)keys->count * 2;
        struct curve_key *grown = realloc(keys->keys, room * sizeof *grown);
        if (grown == NULL) {
            return -ENOMEM;
        }
        keys->keys = grown;
    }
    keys->keys[keys->count++] = *entry;
    return 0;
}

static bool copy_word(char *to, size_t size, const char *word) {
    if (strlen(word) >= size) {
        return false;
    }
    memcpy(to, word, strlen(word) + 1);
    return true;
}

// Words of a line after the host's name -> entry; NULL or what is wrong with them.
static const char *read_entry(char *line, struct curve_key *entry) {
    char *key = key_file_word(&line);
    char *sign_key = key == NULL ? NULL : key_file_word(&line);
    if (key == NULL) {
        return "needs a host, a public key and a signing key";
    }
    if (!copy_word(entry->public_key, sizeof entry->public_key, key)) {
        return "not a CURVE key (40 characters of Z85)";
    }
    if (sign_key == NULL || strncmp(sign_key, "tcp://", strlen("tcp://")) == 0) {
        return UNSIGNED;
    }
    if (!copy_word(entry->sign_key, sizeof entry->sign_key, sign_key)) {
        return "not a signing key (40 characters of Z85)";
    }
    char *address = key_file_word(&line);
    if (address != NULL && !copy_word(entry->address, sizeof entry->address, address)) {
        return "address is not tcp://<numeric IP>:<port>";
    }
    if (address != NULL && key_file_word(&line) != NULL) {
        return "something follows the address";
    }
    return entry_problem(entry);
}

static int parse_line(char *line, struct curve_keys *keys, const char *path, unsigned number,
                      struct error *error) {
    struct curve_key entry = {0};
    char *host = key_file_word(&line);
    if (host == NULL) {
        return 0;
    }
    const char *problem = copy_word(entry.host, sizeof entry.host, host) ? read_entry(line, &entry)
                                                                         : "host name too long";
    if (problem != NULL) {
        return error_set(error, -EINVAL, "%s:%u: %.32s: %s", path, number, host, problem);
    }
    int rc = append(keys, &entry);
    if (rc == -E2BIG) {
        return error_set(error, rc, "%s:%u: more than %u keys", path, number,
                         (unsigned)CURVE_KEYS_MAX);
    }
    return rc == 0 ? 0 : error_set(error, rc, "%s: out of memory", path);
}

static int parse_file(FILE *file, struct curve_keys *keys, const char *path, struct error *error) {
    char line[KEY_LINE_SIZE];
    for (unsigned number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        if (strlen(line) == sizeof line - 1 && line[sizeof line - 2] != '\n') {
            return error_set(error, -EINVAL, "%s:%u: line longer than %u characters", path, number,
                             (unsigned)sizeof line - 2);
        }
        int rc = parse_line(line, keys, path, number, error);
        if (rc != 0) {
            return rc;
        }
    }
    return ferror(file) ? error_set(error, -EIO, "%s: cannot be read", path) : 0;
}

static int compare_keys(const void *a, const void *b) {
    const struct curve_key *const *one = a, *const *other = b;
    return strcmp((*one)->public_key, (*other)->public_key);
}

// A key of two hosts would leave open in whose name its holder speaks.
static int check_unique(const struct curve_keys *keys, const char *where, struct error *error) {
    const struct curve_key **sorted = malloc(keys->count * sizeof(*sorted));
    if (sorted == NULL) {
        return error_set(error, -ENOMEM, "%sout of memory for the fleet's keys", where);
    }
    for (uint32_t i = 0; i < keys->count; i++) {
        sorted[i] = &keys->keys[i];
    }
    qsort(sorted, keys->count, sizeof(*sorted), compare_keys);
    int rc = 0;
    for (uint32_t i = 1; rc == 0 && i < keys->count; i++) {
        if (compare_keys(&sorted[i - 1], &sorted[i]) == 0 &&
            strcmp(sorted[i - 1]->host, sorted[i]->host) != 0) {
            rc = error_set(error, -EINVAL, "%s%.32s and %.32s have the same key", where,
                           sorted[i - 1]->host, sorted[i]->host);
        }
    }
    free(sorted);
    return rc;
}

int curve_keys_load(const char *path, struct curve_keys *out, struct error *error) {
    FILE *file = NULL;
    char where[ERROR_TEXT_SIZE];
    int rc =
        key_file_open(path, S_IWGRP | S_IWOTH, "lets others add keys: chmod go-w", &file, error);
    if (rc != 0) {
        return rc;
    }
    struct curve_keys keys = {0};
    rc = parse_file(file, &keys, path, error);
    fclose(file);
    if (rc == 0 && keys.count == 0) {
        rc = error_set(error, -EINVAL, "%s: holds no key", path);
    }
    snprintf(where, sizeof where, "%s: ", path);
    rc = rc != 0 ? rc : check_unique(&keys, where, error);
    if (rc != 0) {
        curve_keys_fini(&keys);
        return rc;
    }
    *out = keys;
    return 0;
}

void curve_keys_fini(struct curve_keys *keys) {
    free(keys->keys);
    *keys = (struct curve_keys){0};
}

int curve_keys_check(const struct curve_keys *keys, struct error *error) {
    for (uint32_t i = 0; i < keys->count; i++) {
        const char *problem = entry_problem(&keys->keys[i]);
        if (problem != NULL) {
            return error_set(error, -EINVAL, "key %u of %u (%.32s): %s", i + 1, keys->count,
                             keys->keys[i].host, problem);
        }
    }
    return keys->count > 0 ? check_unique(keys, "", error)
                           : error_set(error, -EINVAL, "the list of allowed keys is empty");
}

int curve_keys_check_own(const struct curve_keys *keys, const char *host, const char *secret_key,
                         struct error *error) {
    char public_key[CURVE_KEY_TEXT_SIZE], sign_key[CURVE_KEY_TEXT_SIZE];
    if (curve_sign_key(secret_key, sign_key) != 0 ||
        zmq_curve_public(public_key, secret_key) != 0) {
        return error_set(error, -EINVAL, "this host's secret key is not a CURVE key");
    }
    const struct curve_key *found = NULL;
    for (uint32_t i = 0; i < keys->count; i++) {
        const struct curve_key *key = &keys->keys[i];
        found = strcmp(key->public_key, public_key) == 0 ? key : found;
    }
    if (found == NULL) {
        return error_set(error, -EINVAL,
                         "this host's key %s is not in the fleet's list: others would refuse it",
                         public_key);
    }
    if (strcmp(found->host, "*") != 0 && strcmp(found->host, host) != 0) {
        return error_set(error, -EINVAL, "this host is %.32s, its key is that of %.32s", host,
                         found->host);
    }
    return strcmp(found->sign_key, sign_key) == 0
               ? 0
               : error_set(error, -EINVAL,
                           "the list has another signing key for %.32s than its secret gives: make "
                           "the line anew (srv6-ctl keys line)",
                           found->host);
}
