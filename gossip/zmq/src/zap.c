// SPDX-License-Identifier: Apache-2.0
#include "zap.h"

#include <stdio.h>
#include <string.h>

#include <zmq.h>

#define CURVE_KEY_BYTES 32
#define FIELD_SIZE 256 // longer fields are not ours and are cut; the answer is "denied"

// The frames of a question, in order.
enum {
    ZAP_VERSION,
    ZAP_REQUEST,
    ZAP_DOMAIN,
    ZAP_ADDRESS,
    ZAP_ID,
    ZAP_MECHANISM,
    ZAP_KEY,
    ZAP_FIELDS
};

struct field {
    size_t size;
    char bytes[FIELD_SIZE + 1]; // a zero follows
};

void zap_fini(struct zap *zap) {
    if (zap->socket != NULL) {
        zmq_close(zap->socket);
    }
    *zap = (struct zap){0};
}

// Reads one question; returns its number of frames (those beyond ZAP_FIELDS are counted only), 0
// when none is waiting.
static size_t read_question(void *socket, struct field fields[ZAP_FIELDS]) {
    size_t count = 0;
    int more = 1;
    while (more != 0) {
        struct field spill;
        struct field *field = count < ZAP_FIELDS ? &fields[count] : &spill;
        int size = zmq_recv(socket, field->bytes, FIELD_SIZE, ZMQ_DONTWAIT);
        if (size < 0) {
            return 0;
        }
        field->size = size < FIELD_SIZE ? (size_t)size : FIELD_SIZE;
        field->bytes[field->size] = '\0';
        count++;
        size_t option_size = sizeof more;
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &option_size) != 0) {
            return 0;
        }
    }
    return count;
}

static bool field_is(const struct field *field, const char *text) {
    return field->size == strlen(text) && memcmp(field->bytes, text, field->size) == 0;
}

static bool judge(const struct zap *zap, const struct field fields[ZAP_FIELDS], size_t count,
                  char key[CURVE_KEY_TEXT_SIZE]) {
    if (count != ZAP_FIELDS || !field_is(&fields[ZAP_VERSION], "1.0") ||
        !field_is(&fields[ZAP_MECHANISM], "CURVE") || fields[ZAP_KEY].size != CURVE_KEY_BYTES) {
        return false;
    }
    unsigned char bytes[CURVE_KEY_BYTES];
    memcpy(bytes, fields[ZAP_KEY].bytes, sizeof bytes);
    return zmq_z85_encode(key, bytes, sizeof bytes) != NULL &&
           keyring_find(zap->keyring, key) != NULL;
}

static void answer(void *socket, const struct field *request, const char *status, const char *text,
                   const char *user) {
    // The asking session may have gone meanwhile; then libzmq drops the answer.
    (void)zmq_send(socket, "1.0", 3, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    (void)zmq_send(socket, request->bytes, request->size, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    (void)zmq_send(socket, status, strlen(status), ZMQ_SNDMORE | ZMQ_DONTWAIT);
    (void)zmq_send(socket, text, strlen(text), ZMQ_SNDMORE | ZMQ_DONTWAIT);
    (void)zmq_send(socket, user, strlen(user), ZMQ_SNDMORE | ZMQ_DONTWAIT);
    (void)zmq_send(socket, "", 0, ZMQ_DONTWAIT);
}

void zap_deny(struct zap *zap, const char *address) {
    zap->denied++;
    (void)snprintf(zap->denied_address, sizeof(zap->denied_address), "%.*s", ZAP_ADDRESS_SIZE - 1,
                   address);
}

void zap_work(struct zap *zap) {
    struct field fields[ZAP_FIELDS];
    size_t count;
    while (zap->socket != NULL && (count = read_question(zap->socket, fields)) > 0) {
        char key[CURVE_KEY_TEXT_SIZE] = "";
        if (judge(zap, fields, count, key)) {
            answer(zap->socket, &fields[ZAP_REQUEST], "200", "OK", key);
        } else {
            zap_deny(zap, count > ZAP_ADDRESS ? fields[ZAP_ADDRESS].bytes : "");
            // A question shorter than two frames has no request id to answer with.
            fields[ZAP_REQUEST].size = count > ZAP_REQUEST ? fields[ZAP_REQUEST].size : 0;
            answer(zap->socket, &fields[ZAP_REQUEST], "400", "key is not in the fleet's list", "");
        }
    }
}
