// SPDX-License-Identifier: Apache-2.0
#include "kube.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "kube_loop.h"
#include "kube_stream.h"
#include "model/rng.h"

#define API_SIZE 320 // https://, a name of 253 characters, a port
#define FOLDER_SIZE 256
#define URL_SIZE (API_SIZE + 2 * KUBE_PATH_SIZE + 256)
#define TOKEN_MAX 16384
#define VERSION_SIZE 64
#define ANSWER_MAX 4096 // of a refusal, to find its reason
#define HTTP_OK 200
#define HTTP_NOT_FOUND 404
#define HTTP_GONE 410

#define CONNECT_TIMEOUT_MS 10000L
#define LIST_TIMEOUT_S 60L
#define STALLED_S 20L // a list that does not go on for that long is given up
// The server ends a watch after a time that is asked for; spread, so that a fleet does not come
// back together. One that does not do so in time hangs.
#define WATCH_LEAST_S 300
#define WATCH_SPREAD_S 300
#define WATCH_GRACE_S 30
#define KEEPALIVE_IDLE_S 15L
#define KEEPALIVE_INTERVAL_S 5L
#define WATCH_SHORT_MS 5000 // a watch that ends sooner is taken for a failure
#define WATCH_TRIES 3       // then the list is fetched anew

enum state { WAITING, LISTING, WATCHING };

struct kube {
    struct kube_loop *transfers;
    const struct curl_calls *curl;
    uv_loop_t *loop;
    char api[API_SIZE], credentials[FOLDER_SIZE];
    struct rng rng;
};

struct kube_watch {
    struct kube *kube;
    struct kube_handler handler;
    char paths[KUBE_ALTERNATIVES_MAX][KUBE_PATH_SIZE],
        queries[KUBE_ALTERNATIVES_MAX][KUBE_PATH_SIZE];
    unsigned count, index;
    enum state state;
    char version[VERSION_SIZE]; // to watch from; "": to be listed first
    CURL *easy;
    struct curl_slist *headers;
    struct kube_stream stream;
    struct kube_text answer; // of a refusal
    struct error failure;    // of this request; code 0: none
    struct error told;
    char curl_text[CURL_ERROR_SIZE];
    uint64_t began_ms;
    uint64_t asked_ms; // by the server: not to be asked sooner
    unsigned failures, watch_failures;
    unsigned unknown; // resources in a row that the server does not know
    struct kube_stats stats;
    uv_timer_t due;
};

// ---- requests

// The first line of a file of the service account.
static int read_credential(const struct kube *kube, const char *name, char *text, size_t most,
                           struct error *error) {
    char path[FOLDER_SIZE + sizeof("/namespace")];
    snprintf(path, sizeof(path), "%s/%s", kube->credentials, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, most - 1);
    int code = -errno;
    if (file >= 0) {
        close(file);
    }
    if (size < 0) {
        return error_set(error, code, "%s: %s", path, strerror(-code));
    }
    text[size] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    return text[0] != '\0' ? 0 : error_set(error, -EINVAL, "%s: is empty", path);
}

static int make_headers(struct kube_watch *watch) {
    char *line = malloc(TOKEN_MAX + sizeof("Authorization: Bearer "));
    char *token = malloc(TOKEN_MAX);
    int rc = line != NULL && token != NULL
                 ? read_credential(watch->kube, "token", token, TOKEN_MAX, &watch->failure)
                 : error_set(&watch->failure, -ENOMEM, "no memory for a token");
    watch->kube->curl->slist_free_all(watch->headers);
    watch->headers = NULL;
    if (rc == 0) {
        sprintf(line, "Authorization: Bearer %s", token);
        watch->headers = watch->kube->curl->slist_append(NULL, line);
        rc = watch->headers != NULL &&
                     watch->kube->curl->slist_append(watch->headers, "Accept: application/json") !=
                         NULL
                 ? 0
                 : error_set(&watch->failure, -ENOMEM, "no memory for a request");
        explicit_bzero(line, strlen(line));
        explicit_bzero(token, strlen(token));
    }
    free(line);
    free(token);
    return rc;
}

static void make_url(struct kube_watch *watch, long watch_s, char url[URL_SIZE]) {
    const char *query = watch->queries[watch->index];
    int length = snprintf(url, URL_SIZE, "%s%s?%s%s", watch->kube->api, watch->paths[watch->index],
                          query, query[0] != '\0' ? "&" : "");
    if (watch->state == LISTING) { // from the server's cache, as a kubelet does
        snprintf(url + length, URL_SIZE - (size_t)length, "resourceVersion=0");
    } else {
        snprintf(url + length, URL_SIZE - (size_t)length,
                 "watch=1&allowWatchBookmarks=true&timeoutSeconds=%ld&resourceVersion=%s", watch_s,
                 watch->version);
    }
}

static long status_of(const struct kube_watch *watch) {
    long status = 0;
    (void)watch->kube->curl->easy_getinfo(watch->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *context);
static size_t on_header(char *bytes, size_t one, size_t count, void *context);

static void set_options(struct kube_watch *watch, const char *url, long timeout_s) {
    char ca[FOLDER_SIZE + sizeof("/ca.crt")];
    CURL *easy = watch->easy;
    const struct curl_calls *curl = watch->kube->curl;
    bool list = watch->state == LISTING;
    snprintf(ca, sizeof(ca), "%s/ca.crt", watch->kube->credentials);
    (void)curl->easy_setopt(easy, CURLOPT_URL, url);
    (void)curl->easy_setopt(easy, CURLOPT_HTTPHEADER, watch->headers);
    (void)curl->easy_setopt(easy, CURLOPT_CAINFO, ca);
    (void)curl->easy_setopt(easy, CURLOPT_TIMEOUT, timeout_s);
    (void)curl->easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, list ? 1L : 0L);
    (void)curl->easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, list ? STALLED_S : 0L);
}

static void set_fixed_options(struct kube_watch *watch) {
    const struct curl_calls *curl = watch->kube->curl;
    CURL *easy = watch->easy;
    (void)curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    (void)curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl->easy_setopt(easy, CURLOPT_NOPROXY, "*");
    (void)curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl->easy_setopt(easy, CURLOPT_USERAGENT, "srv6-agent/" SRV6_VERSION);
    (void)curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    (void)curl->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl->easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    (void)curl->easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    (void)curl->easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    (void)curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, watch->curl_text);
    (void)curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl->easy_setopt(easy, CURLOPT_WRITEDATA, watch);
    (void)curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl->easy_setopt(easy, CURLOPT_HEADERDATA, watch);
}

static void on_done(void *context, CURL *easy, CURLcode code);
static void on_due(uv_timer_t *timer);

// The one place that changes a watch's state.
static void set_state(struct kube_watch *watch, enum state state) {
    watch->state = state;
    watch->began_ms = uv_now(watch->kube->loop);
}

static void wait_for(struct kube_watch *watch, uint64_t wait_ms) {
    set_state(watch, WAITING);
    (void)uv_timer_start(&watch->due, on_due, wait_ms, 0);
}

static uint64_t jitter(struct kube_watch *watch, uint64_t wait_ms) {
    return wait_ms / 2 + rng_below(&watch->kube->rng, wait_ms + 1);
}

static void say(struct kube_watch *watch, const struct error *error) {
    bool same = error == NULL
                    ? watch->told.code == 0
                    : watch->told.code == error->code && strcmp(watch->told.text, error->text) == 0;
    watch->told = error != NULL ? *error : (struct error){0};
    if (!same) {
        watch->handler.trouble(watch->handler.context, error);
    }
}

// A watch that is cut is resumed without a word if that succeeds.
static void fail(struct kube_watch *watch) {
    bool watching = watch->state == WATCHING;
    watch->stats.failures++;
    watch->failures++;
    bool answered = status_of(watch) != 0; // not one that is away
    watch->watch_failures = watching ? watch->watch_failures + answered : 0;
    if (watch->failures > 1 || !watching) {
        watch->stats.synced = false;
        say(watch, &watch->failure);
    }
    if (watch->watch_failures >= WATCH_TRIES) {
        watch->version[0] = '\0';
    }
    uint64_t wait_ms = KUBE_RETRY_FIRST_MS;
    for (unsigned i = 1; i < watch->failures && wait_ms < KUBE_RETRY_MAX_MS; i++) {
        wait_ms *= 2;
    }
    wait_ms = jitter(watch, wait_ms < KUBE_RETRY_MAX_MS ? wait_ms : KUBE_RETRY_MAX_MS);
    wait_for(watch, wait_ms > watch->asked_ms ? wait_ms : watch->asked_ms);
}

static void start(struct kube_watch *watch) {
    char url[URL_SIZE];
    bool list = watch->version[0] == '\0';
    long watch_s = WATCH_LEAST_S + (long)rng_below(&watch->kube->rng, WATCH_SPREAD_S);
    set_state(watch, list ? LISTING : WATCHING);
    watch->failure = (struct error){0};
    watch->answer.size = 0;
    watch->asked_ms = 0;
    watch->curl_text[0] = '\0';
    watch->stats.requests++;
    kube_stream_fini(&watch->stream);
    kube_stream_init(&watch->stream, list ? KUBE_STREAM_LIST : KUBE_STREAM_LINES);
    if (make_headers(watch) != 0) {
        fail(watch);
        return;
    }
    make_url(watch, watch_s, url);
    set_options(watch, url, list ? LIST_TIMEOUT_S : watch_s + WATCH_GRACE_S);
    if (list) {
        watch->handler.listing(watch->handler.context, watch->index);
    }
    if (kube_loop_add(watch->kube->transfers, watch->easy, on_done, watch) != 0) {
        (void)error_set(&watch->failure, -ENOMEM, "no memory for a request");
        fail(watch);
    }
}

static void on_due(uv_timer_t *timer) {
    start(timer->data);
}

// ---- answers

static const char *text_in(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

// -EBADMSG without one that can be asked for.
static int keep_version(struct kube_watch *watch, const json_t *object, struct error *error) {
    const char *version = text_in(json_object_get(object, "metadata"), "resourceVersion");
    size_t length = strlen(version);
    if (length == 0 || length >= VERSION_SIZE ||
        strspn(version, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._") !=
            length) {
        return error_set(error, -EBADMSG, "an answer without a resourceVersion");
    }
    memcpy(watch->version, version, length + 1);
    return 0;
}

static int take_object(struct kube_watch *watch, const json_t *object, bool deleted) {
    watch->stats.objects++;
    watch->handler.object(watch->handler.context, object, deleted);
    return 0;
}

static int take_status(struct kube_watch *watch, const json_t *status, struct error *error) {
    json_int_t code = json_integer_value(json_object_get(status, "code"));
    if (code == HTTP_GONE) {
        watch->stats.gone++;
        watch->version[0] = '\0';
        return error_set(error, -ESTALE, "what was known is too old: listing anew");
    }
    return error_set(error, -EREMOTEIO, "the server ends the watch: %.100s",
                     text_in(status, "message"));
}

static int take_event(struct kube_watch *watch, const json_t *event, struct error *error) {
    const char *type = text_in(event, "type");
    const json_t *object = json_object_get(event, "object");
    if (!json_is_object(object)) {
        return error_set(error, -EBADMSG, "an event without an object");
    }
    if (strcmp(type, "ERROR") == 0) {
        return take_status(watch, object, error);
    }
    bool bookmark = strcmp(type, "BOOKMARK") == 0, deleted = strcmp(type, "DELETED") == 0;
    if (!bookmark && !deleted && strcmp(type, "ADDED") != 0 && strcmp(type, "MODIFIED") != 0) {
        return error_set(error, -EBADMSG, "an event of the unknown type %.20s", type);
    }
    int rc = keep_version(watch, object, error);
    return rc != 0 || bookmark ? rc : take_object(watch, object, deleted);
}

static int on_text(void *context, const char *text, size_t size, struct error *error) {
    struct kube_watch *watch = context;
    json_error_t why;
    json_t *json = json_loadb(text, size, 0, &why);
    if (!json_is_object(json)) {
        json_decref(json);
        return error_set(error, -EBADMSG, "an answer that is not JSON: %.80s", why.text);
    }
    int rc =
        watch->state == LISTING ? take_object(watch, json, false) : take_event(watch, json, error);
    json_decref(json);
    return rc;
}

static void works_again(struct kube_watch *watch) {
    watch->failures = 0;
    watch->stats.synced = true;
    say(watch, NULL);
}

static size_t on_header(char *bytes, size_t one, size_t count, void *context) {
    struct kube_watch *watch = context;
    bool last = count == 2 && bytes[0] == '\r';
    if (last && watch->state == WATCHING && status_of(watch) == HTTP_OK) {
        works_again(watch);
    }
    return one * count;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *context) {
    struct kube_watch *watch = context;
    size_t size = one * count;
    if (status_of(watch) == HTTP_OK) {
        return kube_stream_feed(&watch->stream, bytes, size, on_text, watch, &watch->failure) == 0
                   ? size
                   : 0;
    }
    size_t room = ANSWER_MAX - watch->answer.size;
    memcpy(watch->answer.bytes + watch->answer.size, bytes, size < room ? size : room);
    watch->answer.size += size < room ? size : room;
    return size;
}

// ---- ends

static void refuse(struct kube_watch *watch, long status) {
    curl_off_t retry_s = 0;
    json_t *json = json_loadb(watch->answer.bytes, watch->answer.size, 0, NULL);
    const char *message = text_in(json, "message");
    (void)error_set(&watch->failure, -EREMOTEIO, "%s: HTTP status %ld%s%.90s",
                    watch->paths[watch->index], status, message[0] != '\0' ? ": " : "", message);
    json_decref(json);
    (void)watch->kube->curl->easy_getinfo(watch->easy, CURLINFO_RETRY_AFTER, &retry_s);
    retry_s = retry_s < KUBE_RETRY_MAX_MS / 1000 ? retry_s : KUBE_RETRY_MAX_MS / 1000;
    watch->asked_ms = (uint64_t)retry_s * 1000;
    if (status == HTTP_GONE) {
        watch->stats.gone++;
        watch->version[0] = '\0';
    }
    bool unknown = status == HTTP_NOT_FOUND && watch->state == LISTING;
    watch->unknown = unknown ? watch->unknown + 1 : 0;
    if (unknown) {
        watch->index = (watch->index + 1) % watch->count;
    }
    if (unknown && watch->unknown < watch->count) {
        wait_for(watch, 0);
    } else {
        fail(watch);
    }
}

static int end_list(struct kube_watch *watch) {
    struct error *error = &watch->failure;
    int rc = kube_stream_end(&watch->stream, error);
    json_t *json =
        rc == 0 ? json_loadb(watch->stream.rest.bytes, watch->stream.rest.size, 0, NULL) : NULL;
    if (rc == 0) {
        rc = keep_version(watch, json, error);
    }
    json_decref(json);
    return rc;
}

static void listed(struct kube_watch *watch) {
    watch->stats.lists++;
    watch->watch_failures = watch->unknown = 0;
    works_again(watch);
    watch->handler.listed(watch->handler.context);
    start(watch);
}

static void watched(struct kube_watch *watch) {
    struct error *error = &watch->failure;
    if (kube_stream_end(&watch->stream, error) != 0) {
        fail(watch);
    } else if (uv_now(watch->kube->loop) - watch->began_ms < WATCH_SHORT_MS) {
        (void)error_set(error, -ECONNRESET, "the server ends the watch at once");
        fail(watch);
    } else {
        watch->watch_failures = 0;
        wait_for(watch, rng_below(&watch->kube->rng, KUBE_RETRY_FIRST_MS));
    }
}

// libcurl's own sentences, but where they have times in them and so would always be news.
static void tell_failure(struct kube_watch *watch, CURLcode code) {
    long reason = 0;
    (void)watch->kube->curl->easy_getinfo(watch->easy, CURLINFO_OS_ERRNO, &reason);
    if (code == CURLE_COULDNT_CONNECT && reason != 0) {
        (void)error_set(&watch->failure, -(int)reason, "%.100s: %s", watch->kube->api,
                        strerror((int)reason));
        return;
    }
    bool timed = code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT;
    bool detailed = !timed && watch->curl_text[0] != '\0';
    (void)error_set(&watch->failure, -ECONNABORTED, "%.60s: %.90s", watch->kube->api,
                    detailed ? watch->curl_text : watch->kube->curl->easy_strerror(code));
}

static void on_done(void *context, CURL *easy, CURLcode code) {
    struct kube_watch *watch = context;
    long status = status_of(watch);
    (void)easy;
    if (watch->failure.code != 0) { // why we ended it ourselves
        fail(watch);
    } else if (code != CURLE_OK) {
        tell_failure(watch, code);
        fail(watch);
    } else if (status != HTTP_OK) {
        refuse(watch, status);
    } else if (watch->state == WATCHING) {
        watched(watch);
    } else if (end_list(watch) != 0) {
        fail(watch);
    } else {
        listed(watch);
    }
}

// ---- opening and closing

static int find_api(const char *api, char out[API_SIZE], struct error *error) {
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    bool given = api != NULL && api[0] != '\0';
    if (!given && (host == NULL || port == NULL)) {
        return error_set(error, -EINVAL,
                         "kubernetes.api is not set, and this is no pod: there is no "
                         "KUBERNETES_SERVICE_HOST in the environment");
    }
    bool ipv6 = !given && strchr(host, ':') != NULL;
    int length = given ? snprintf(out, API_SIZE, "%s", api)
                       : snprintf(out, API_SIZE, "https://%s%s%s:%s", ipv6 ? "[" : "", host,
                                  ipv6 ? "]" : "", port);
    if (length >= API_SIZE || strncmp(out, "https://", strlen("https://")) != 0) {
        return error_set(error, -EINVAL, "kubernetes.api: not a URL such as https://10.96.0.1:443");
    }
    if (out[length - 1] == '/') {
        out[length - 1] = '\0';
    }
    return 0;
}

int kube_open(uv_loop_t *loop, const char *api, const char *credentials, struct kube **out,
              struct error *error) {
    uint64_t seed;
    struct kube *kube = calloc(1, sizeof(*kube));
    if (kube == NULL) {
        return error_set(error, -ENOMEM, "kubernetes: no memory for a client");
    }
    int rc = find_api(api, kube->api, error);
    if (rc == 0 && getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
        rc = error_set(error, -EIO, "the kernel gives no random numbers");
    }
    bool given = credentials != NULL && credentials[0] != '\0';
    if (rc == 0 && snprintf(kube->credentials, FOLDER_SIZE, "%s",
                            given ? credentials : KUBE_CREDENTIALS) >= FOLDER_SIZE) {
        rc = error_set(error, -EINVAL, "kubernetes.credentials: the path is too long");
    }
    rc = rc != 0 ? rc : kube_loop_open(loop, &kube->transfers, error);
    if (rc != 0) {
        free(kube);
        return rc;
    }
    kube->curl = kube_loop_calls(kube->transfers);
    kube->loop = loop;
    rng_init(&kube->rng, seed);
    *out = kube;
    return 0;
}

void kube_close(struct kube *kube) {
    if (kube != NULL) {
        kube_loop_close(kube->transfers);
        free(kube);
    }
}

int kube_namespace(const struct kube *kube, char out[KUBE_NAMESPACE_SIZE], struct error *error) {
    return read_credential(kube, "namespace", out, KUBE_NAMESPACE_SIZE, error);
}

static int copy_resources(struct kube_watch *watch, const struct kube_resource *resources,
                          unsigned count, struct error *error) {
    if (count == 0 || count > KUBE_ALTERNATIVES_MAX) {
        return error_set(error, -EINVAL, "kubernetes: %u resources; at most %d", count,
                         KUBE_ALTERNATIVES_MAX);
    }
    for (unsigned i = 0; i < count; i++) {
        if (snprintf(watch->paths[i], KUBE_PATH_SIZE, "%s", resources[i].path) >= KUBE_PATH_SIZE ||
            snprintf(watch->queries[i], KUBE_PATH_SIZE, "%s", resources[i].query) >=
                KUBE_PATH_SIZE) {
            return error_set(error, -EINVAL, "kubernetes: %.60s...: the path is too long",
                             resources[i].path);
        }
    }
    watch->count = count;
    return 0;
}

static void free_watch(uv_handle_t *handle) {
    free(handle->data);
}

int kube_watch_open(struct kube *kube, const struct kube_resource *resources, unsigned count,
                    const struct kube_handler *handler, struct kube_watch **out,
                    struct error *error) {
    struct kube_watch *watch = calloc(1, sizeof(*watch));
    int rc = watch == NULL ? error_set(error, -ENOMEM, "kubernetes: no memory for a watch")
                           : copy_resources(watch, resources, count, error);
    if (rc != 0) {
        free(watch);
        return rc;
    }
    watch->kube = kube;
    watch->handler = *handler;
    watch->easy = kube->curl->easy_init();
    watch->answer.bytes = malloc(ANSWER_MAX);
    if (watch->easy == NULL || watch->answer.bytes == NULL ||
        uv_timer_init(kube->loop, &watch->due) != 0) {
        kube->curl->easy_cleanup(watch->easy);
        free(watch->answer.bytes);
        free(watch);
        return error_set(error, -ENOMEM, "kubernetes: no memory for a watch");
    }
    watch->due.data = watch;
    set_fixed_options(watch);
    wait_for(watch, 0);
    *out = watch;
    return 0;
}

void kube_watch_close(struct kube_watch *watch) {
    if (watch == NULL) {
        return;
    }
    kube_loop_remove(watch->kube->transfers, watch->easy);
    watch->kube->curl->easy_cleanup(watch->easy);
    watch->kube->curl->slist_free_all(watch->headers);
    kube_stream_fini(&watch->stream);
    free(watch->answer.bytes);
    uv_close((uv_handle_t *)&watch->due, free_watch);
}

void kube_watch_stats(const struct kube_watch *watch, struct kube_stats *out) {
    *out = watch->stats;
}
