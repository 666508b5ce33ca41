// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <infiniband/verbs.h>
#include <rdma/ib_user_verbs.h>

#include "card.h"

bool fault_strikes(struct fault *fault) {
    if (!fault->set) {
        return false;
    }
    if (fault->after > 0) {
        fault->after--;
        return false;
    }
    if (fault->times == 0) {
        return false;
    }
    fault->times--;
    return true;
}

__attribute__((noreturn)) static void refuse(const struct card *card, int line, const char *word) {
    fprintf(stderr, "fakecx: %s/faults:%d: cannot read '%s'\n", card->dir, line, word);
    _exit(2);
}

// "name=number"
static bool number(const char *word, const char *name, uint64_t *out) {
    size_t length = strlen(name);
    if (strncmp(word, name, length) != 0 || word[length] != '=' || word[length + 1] == '\0') {
        return false;
    }
    char *end;
    errno = 0;
    *out = strtoull(word + length + 1, &end, 0);
    return *end == '\0' && errno == 0;
}

static bool counted(struct fault *fault, const char *word) {
    return number(word, "after", &fault->after) || number(word, "times", &fault->times);
}

static bool fatal_word(struct faults *faults, const char *word) {
    faults->fatal_destroys |= strcmp(word, "destroys=ok") == 0;
    faults->fatal_silent |= strcmp(word, "queue=silent") == 0;
    return strcmp(word, "destroys=ok") == 0 || strcmp(word, "queue=silent") == 0;
}

static bool detail(struct faults *faults, const char *kind, const char *word) {
    uint64_t status;
    if (strcmp(kind, "reformat") == 0 && number(word, "status", &status)) {
        faults->reformat_status = (uint32_t)status;
        return status > 0 && status <= UINT8_MAX;
    }
    return strcmp(kind, "reformat") == 0 ? counted(&faults->reformat, word)
           : strcmp(kind, "cqe") == 0    ? counted(&faults->cqe, word)
           : strcmp(kind, "icm") == 0    ? number(word, "after", &faults->icm_limit)
                                         : fatal_word(faults, word);
}

static bool begin(struct faults *faults, const char *kind) {
    if (strcmp(kind, "reformat") == 0) {
        faults->reformat = (struct fault){true, 0, UINT64_MAX};
    } else if (strcmp(kind, "cqe") == 0) {
        faults->cqe = (struct fault){true, 0, UINT64_MAX};
    } else if (strcmp(kind, "icm") == 0) {
        faults->icm_set = true;
    } else if (strcmp(kind, "fatal") == 0) {
        faults->fatal = true;
    } else {
        return false;
    }
    return true;
}

static void read_line(const struct card *card, struct faults *faults, char *text, int line) {
    text[strcspn(text, "#\n")] = '\0';
    char *rest, *kind = strtok_r(text, " \t", &rest);
    if (kind == NULL) {
        return;
    }
    if (!begin(faults, kind)) {
        refuse(card, line, kind);
    }
    for (char *word = strtok_r(NULL, " \t", &rest); word != NULL;
         word = strtok_r(NULL, " \t", &rest)) {
        if (!detail(faults, kind, word)) {
            refuse(card, line, word);
        }
    }
}

// The device is gone for those who have it open, whatever the file says later.
static void fail(struct card *card) {
    struct ib_uverbs_async_event_desc event = {.element = 1, .event_type = IBV_EVENT_DEVICE_FATAL};
    for (int i = 0; i < CARD_CONTEXT_MAX; i++) {
        struct context *context = &card->contexts[i];
        if (context->open && !context->dead) {
            context->dead = card->died = true;
            send(context->async_send_fd, &event, sizeof(event), MSG_DONTWAIT | MSG_NOSIGNAL);
        }
    }
}

static bool same(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void faults_refresh(struct card *card) {
    char path[CARD_PATH_SIZE + 16], text[256];
    snprintf(path, sizeof(path), "%s/faults", card->dir);
    struct stat now = {0};
    if (lstat(path, &now) < 0) {
        now = (struct stat){0};
    }
    if (same(&now, &card->faults.seen)) {
        return;
    }
    struct faults faults = {.seen = now, .reformat_status = 0x8};
    FILE *file = now.st_ino == 0 ? NULL : fopen(path, "re");
    for (int line = 1; file != NULL && fgets(text, sizeof(text), file) != NULL; line++) {
        read_line(card, &faults, text, line);
    }
    if (file != NULL) {
        fclose(file);
    }
    bool silent = card->faults.fatal_silent, destroys = card->faults.fatal_destroys;
    card->faults = faults;
    if (faults.fatal) {
        fail(card);
    } else { // those that are dead stay so in the way they died
        card->faults.fatal_silent = silent;
        card->faults.fatal_destroys = destroys;
    }
    objects_write(card);
}
