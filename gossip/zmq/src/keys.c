// SPDX-License-Identifier: Apache-2.0
#include "gossip_zmq/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zmq.h>

#include "address.h"

#define KEY_TEXT_LENGTH (CURVE_KEY_TEXT_SIZE - 1)
#define LINE_MAX_SIZE 512 // host, key, address and a comment

bool curve_key_valid(const char *key) {
    unsigned char bytes[32];
    return strlen(key) == KEY_TEXT_LENGTH && zmq_z85_decode(bytes, key) != NULL;
}

int curve_keypair(char public_key[CURVE_KEY_TEXT_SIZE], char secret_key[CURVE_KEY_TEXT_SIZE]) {
    char public_text[CURVE_KEY_TEXT_SIZE], secret_text[CURVE_KEY_TEXT_SIZE];
    if (zmq_curve_keypair(public_text, secret_text) != 0) {
        return -ENOTSUP;
    }
    memcpy(public_key, public_text, sizeof public_text);
    memcpy(secret_key, secret_text, sizeof secret_text);
    return 0;
}

// Opens a key file and refuses one whose mode has a bit of `forbidden`.
static int open_guarded(const char *path, mode_t forbidden, const char *why, FILE **out,
                        struct error *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return error_set(error, -errno, "%s: %s", path, strerror(errno));
    }
    struct stat stat;
    if (fstat(fileno(file), &stat) != 0 || !S_ISREG(stat.st_mode)) {
        fclose(file);
        return error_set(error, -EINVAL, "%s: not a regular file", path);
    }
    if ((stat.st_mode & forbidden) != 0) {
        fclose(file);
        return error_set(error, -EPERM, "%s: mode %04o %s", path, (unsigned)(stat.st_mode & 07777),
                         why);
    }
    *out = file;
    return 0;
}

// The next word of the line, or NULL at its end or at a comment. A key may contain '#' but not
// begin with it: the first of five Z85 letters for 32 bits never gets that far in the alphabet.
static char *next_word(char **line) {
    char *word = *line + strspn(*line, " \t\r\n");
    if (*word == '\0' || *word == '#') {
        return NULL;
    }
    char *end = word + strcspn(word, " \t\r\n");
    *line = *end == '\0' ? end : end + 1;
    *end = '\0';
    return word;
}

static const char *entry_problem(const char *host, const char *key, const char *address) {
    struct tcp_address parsed;
    if (key == NULL) {
        return "needs a host and a public key";
    }
    if (strlen(host) >= NAME_SIZE) {
        return "host name too long";
    }
    if (!curve_key_valid(key)) {
        return "not a CURVE key (40 characters of Z85)";
    }
    if (address != NULL &&
        (strlen(address) >= GOSSIP_ADDRESS_SIZE || !address_parse(address, &parsed))) {
        return "address is not tcp://<numeric IP>:<port>";
    }
    return NULL;
}

static int append(struct curve_keys *keys, const char *host, const char *key, const char *address) {
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
    struct curve_key *entry = &keys->keys[keys->count++];
    *entry = (struct curve_key){0};
    snprintf(entry->host, sizeof entry->host, "%s", host);
    snprintf(entry->public_key, sizeof entry->public_key, "%s", key);
    snprintf(entry->address, sizeof entry->address, "%s", address == NULL ? "" : address);
    return 0;
}

static int parse_line(char *line, struct curve_keys *keys, const char *path, unsigned number,
                      struct error *error) {
    char *host = next_word(&line);
    if (host == NULL) {
        return 0;
    }
    char *key = next_word(&line);
    char *address = key == NULL ? NULL : next_word(&line);
    const char *problem = entry_problem(host, key, address);
    if (problem == NULL && address != NULL && next_word(&line) != NULL) {
        problem = "something follows the address";
    }
    if (problem != NULL) {
        return error_set(error, -EINVAL, "%s:%u: %.32s: %s", path, number, host, problem);
    }
    int rc = append(keys, host, key, address);
    if (rc == -E2BIG) {
        return error_set(error, rc, "%s:%u: more than %u keys", path, number,
                         (unsigned)CURVE_KEYS_MAX);
    }
    return rc == 0 ? 0 : error_set(error, rc, "%s: out of memory", path);
}

static int parse_file(FILE *file, struct curve_keys *keys, const char *path, struct error *error) {
    char line[LINE_MAX_SIZE];
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
    if (ferror(file)) {
        return error_set(error, -EIO, "%s: cannot be read", path);
    }
    return keys->count > 0 ? 0 : error_set(error, -EINVAL, "%s: holds no key", path);
}

int curve_keys_load(const char *path, struct curve_keys *out, struct error *error) {
    FILE *file = NULL;
    int rc =
        open_guarded(path, S_IWGRP | S_IWOTH, "lets others add keys: chmod go-w", &file, error);
    if (rc != 0) {
        return rc;
    }
    struct curve_keys keys = {0};
    rc = parse_file(file, &keys, path, error);
    fclose(file);
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
        const struct curve_key *key = &keys->keys[i];
        const char *address = key->address[0] == '\0' ? NULL : key->address;
        const char *problem = entry_problem(key->host, key->public_key, address);
        if (problem != NULL) {
            return error_set(error, -EINVAL, "key %u of %u (%.32s): %s", i + 1, keys->count,
                             key->host, problem);
        }
    }
    return keys->count > 0 ? 0 : error_set(error, -EINVAL, "the list of allowed keys is empty");
}

int curve_secret_load(const char *path, char secret_key[CURVE_KEY_TEXT_SIZE],
                      char public_key[CURVE_KEY_TEXT_SIZE], struct error *error) {
    FILE *file = NULL;
    // Group read is allowed: Kubernetes adds it to mounted secrets when a pod has an fsGroup.
    int rc = open_guarded(path, S_IWGRP | S_IRWXO, "shows the secret key to others: chmod 600",
                          &file, error);
    if (rc != 0) {
        return rc;
    }
    char line[LINE_MAX_SIZE] = {0}, public_text[CURVE_KEY_TEXT_SIZE];
    char *rest = line;
    char *word = fgets(line, sizeof line, file) == NULL ? NULL : next_word(&rest);
    fclose(file);
    if (word == NULL || !curve_key_valid(word) || next_word(&rest) != NULL) {
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
    bool written = dprintf(fd, "%s\n", secret_key) == KEY_TEXT_LENGTH + 1 && fsync(fd) == 0;
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
