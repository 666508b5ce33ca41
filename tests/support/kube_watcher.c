// SPDX-License-Identifier: Apache-2.0
// kube_watcher API CREDENTIALS PATH?QUERY...: watches, and prints a line for each call of its
// handler, until standard input ends:
//
//   listing 0 | object NAME VERSION | deleted NAME VERSION | listed | trouble TEXT | works
//
// and at the end: stats REQUESTS FAILURES LISTS OBJECTS GONE SYNCED.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kube.h"

static void on_listing(void *context, unsigned index) {
    (void)context;
    printf("listing %u\n", index);
}

static void on_object(void *context, const json_t *object, bool deleted) {
    const json_t *about = json_object_get(object, "metadata");
    (void)context;
    printf("%s %s %s\n", deleted ? "deleted" : "object",
           json_string_value(json_object_get(about, "name")),
           json_string_value(json_object_get(about, "resourceVersion")));
}

static void on_listed(void *context) {
    (void)context;
    printf("listed\n");
}

static void on_trouble(void *context, const struct error *error) {
    (void)context;
    if (error == NULL) {
        printf("works\n");
    } else {
        printf("trouble %s\n", error->text);
    }
}

static void on_input(uv_poll_t *poll, int status, int events) {
    char byte;
    (void)status;
    (void)events;
    if (read(STDIN_FILENO, &byte, 1) <= 0) {
        uv_close((uv_handle_t *)poll, NULL);
        uv_stop(poll->loop);
    }
}

static int complain(const struct error *error) {
    fprintf(stderr, "kube_watcher: %s\n", error->text);
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    const struct kube_handler handler = {NULL, on_listing, on_object, on_listed, on_trouble};
    struct kube_resource resources[KUBE_ALTERNATIVES_MAX + 1];
    struct kube_stats stats;
    struct kube *kube;
    struct kube_watch *watch;
    struct error error;
    unsigned count = 0;
    uv_loop_t loop;
    uv_poll_t input;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 3; i < argc && count <= KUBE_ALTERNATIVES_MAX; i++) {
        char *query = strchr(argv[i], '?');
        resources[count++] = (struct kube_resource){argv[i], query != NULL ? query + 1 : ""};
        if (query != NULL) {
            *query = '\0';
        }
    }
    uv_loop_init(&loop);
    if (argc < 4 || kube_open(&loop, argv[1], argv[2], &kube, &error) != 0 ||
        kube_watch_open(kube, resources, count, &handler, &watch, &error) != 0) {
        return complain(&error);
    }
    uv_poll_init(&loop, &input, STDIN_FILENO);
    uv_poll_start(&input, UV_READABLE, on_input);
    uv_run(&loop, UV_RUN_DEFAULT);
    kube_watch_stats(watch, &stats);
    printf("stats %llu %llu %llu %llu %llu %d\n", (unsigned long long)stats.requests,
           (unsigned long long)stats.failures, (unsigned long long)stats.lists,
           (unsigned long long)stats.objects, (unsigned long long)stats.gone, stats.synced);
    kube_watch_close(watch);
    kube_close(kube);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
