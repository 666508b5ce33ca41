// SPDX-License-Identifier: Apache-2.0
// host.secret, and what is derived from it.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>
#include <zmq.h>

#include "gossip_zmq/keys.h"
#include "key_file.h"

#define KEY_BYTES 32
#define SIGNING_CONTEXT "srv6-steer signing key 1"

// In one allocation, so that closing it knows all there is to wipe.
struct signing {
    struct gossip_signing signing; // the first member
    struct gossip_public_key keys[];
};

int curve_secret_load(const char *path, char secret_key[CURVE_KEY_TEXT_SIZE],
                      char public_key[CURVE_KEY_TEXT_SIZE], struct error *error) {
    FILE *file = NULL;
    // Group read is allowed: Kubernetes adds it to mounted secrets when a pod has an fsGroup.
    int rc = key_file_open(path, S_IWGRP | S_IRWXO, "shows the secret key to others: chmod 600",
                           &file, error);
    if (rc != 0) {
        return rc;
    }
    char line[KEY_LINE_SIZE] = {0}, public_text[CURVE_KEY_TEXT_SIZE];
    char *rest = line;
    char *word = fgets(line, sizeof line, file) == NULL ? NULL : key_file_word(&rest);
    fclose(file);
    if (word == NULL || !curve_key_valid(word) || key_file_word(&rest) != NULL) {
        rc = error_set(error, -EINVAL, "%s:1: not a CURVE secret key (40 characters of Z85)", path);
    } else if (zmq_curve_public(public_text, word) != 0) {
        rc = error_set(error, -ENOTSUP, "%s: this libzmq has no CURVE", path);
    } else {
        memcpy(secret_key, word, CURVE_KEY_TEXT_SIZE);
        memcpy(public_key, public_text, sizeof public_text);
    }
    explicit_bzero(line, sizeof line);
    return rc;
}

int curve_secret_write(const char *path, const char *secret_key, struct error *error) {
    if (!curve_key_valid(secret_key)) {
        return error_set(error, -EINVAL, "%s: not a CURVE secret key", path);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return error_set(error, -errno, "%s: %s", path, strerror(errno));
    }
    errno = EIO; // what a short write leaves
    bool written = dprintf(fd, "%s\n", secret_key) == CURVE_KEY_TEXT_SIZE && fsync(fd) == 0;
    int code = written ? 0 : -errno;
    if (close(fd) != 0 && code == 0) {
        code = -errno;
    }
    if (code != 0) {
        unlink(path);
        return error_set(error, code, "%s: cannot be written: %s", path, strerror(-code));
    }
    return 0;
}

static int derive(const char *secret_key, uint8_t public_bytes[GOSSIP_PUBLIC_KEY_SIZE],
                  uint8_t secret_bytes[GOSSIP_SECRET_KEY_SIZE]) {
    uint8_t curve[KEY_BYTES], seed[crypto_sign_SEEDBYTES];
    static const char context[] = SIGNING_CONTEXT;
    if (!curve_key_valid(secret_key) || sodium_init() < 0) {
        return -EINVAL;
    }
    (void)zmq_z85_decode(curve, secret_key);
    int rc = crypto_generichash(seed, sizeof seed, (const unsigned char *)context,
                                sizeof context - 1, curve, sizeof curve);
    rc = rc != 0 ? rc : crypto_sign_seed_keypair(public_bytes, secret_bytes, seed);
    sodium_memzero(curve, sizeof curve);
    sodium_memzero(seed, sizeof seed);
    return rc == 0 ? 0 : -EINVAL;
}

int curve_sign_key(const char *secret_key, char sign_key[CURVE_KEY_TEXT_SIZE]) {
    uint8_t public_bytes[GOSSIP_PUBLIC_KEY_SIZE], secret_bytes[GOSSIP_SECRET_KEY_SIZE];
    int rc = derive(secret_key, public_bytes, secret_bytes);
    sodium_memzero(secret_bytes, sizeof secret_bytes);
    if (rc == 0) {
        (void)zmq_z85_encode(sign_key, public_bytes, sizeof public_bytes);
    }
    return rc;
}

int curve_keypair(char public_key[CURVE_KEY_TEXT_SIZE], char secret_key[CURVE_KEY_TEXT_SIZE]) {
    char public_text[CURVE_KEY_TEXT_SIZE], secret_text[CURVE_KEY_TEXT_SIZE];
    char sign_key[CURVE_KEY_TEXT_SIZE];
    do { // in fleet.keys an address follows the keys, and is known by its first letters
        if (zmq_curve_keypair(public_text, secret_text) != 0 ||
            curve_sign_key(secret_text, sign_key) != 0) {
            return -ENOTSUP;
        }
    } while (strncmp(sign_key, "tcp://", strlen("tcp://")) == 0);
    memcpy(public_key, public_text, sizeof public_text);
    memcpy(secret_key, secret_text, sizeof secret_text);
    sodium_memzero(secret_text, sizeof secret_text);
    return 0;
}

static int compare_hosts(const void *a, const void *b) {
    const struct gossip_public_key *one = a, *other = b;
    return strcmp(one->host, other->host);
}

int curve_signing_open(const struct curve_keys *keys, const char *secret_key,
                       struct gossip_signing **out, struct error *error) {
    uint8_t public_bytes[GOSSIP_PUBLIC_KEY_SIZE];
    struct signing *signing = calloc(1, sizeof *signing + keys->count * sizeof signing->keys[0]);
    if (signing == NULL) {
        return error_set(error, -ENOMEM, "out of memory for the fleet's keys");
    }
    int rc = derive(secret_key, public_bytes, signing->signing.secret_key);
    if (rc != 0) {
        (void)error_set(error, rc, "this host's secret key gives no signing key");
    }
    for (uint32_t i = 0; rc == 0 && i < keys->count; i++) {
        const struct curve_key *key = &keys->keys[i];
        memcpy(signing->keys[i].host, key->host, sizeof key->host);
        if (!curve_key_valid(key->sign_key)) {
            rc = error_set(error, -EINVAL, "%.32s has no signing key in the fleet's list",
                           key->host);
        } else {
            (void)zmq_z85_decode(signing->keys[i].bytes, key->sign_key);
        }
    }
    signing->signing.keys = signing->keys;
    signing->signing.key_count = keys->count;
    if (rc != 0) {
        curve_signing_close(&signing->signing);
        return rc;
    }
    qsort(signing->keys, keys->count, sizeof signing->keys[0], compare_hosts);
    *out = &signing->signing;
    return 0;
}

void curve_signing_close(struct gossip_signing *signing) {
    if (signing != NULL) {
        sodium_memzero(signing->secret_key, sizeof signing->secret_key);
        free(signing);
    }
}
