// SPDX-License-Identifier: Apache-2.0
// Work beside the loop: a file that does not answer (a FIFO without a writer) stops neither the
// loop nor its end.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "side.h"

#define TICK_MS 5
#define TICKS 40

static char folder[32], fifo[64];
static int released, done, ticks;
static struct side *side;

struct reading {
    bool blocks;
    char text[16];
};

static void work(void *data) {
    struct reading *reading = data;
    int fd = reading->blocks ? open(fifo, O_RDONLY) : -1;
    ssize_t size = fd >= 0 ? read(fd, reading->text, sizeof reading->text - 1) : 0;
    reading->text[size > 0 ? size : 0] = '\0';
    if (fd >= 0) {
        close(fd);
    }
}

static void on_done(void *context) {
    *(int *)context += 1;
}

static void release(void *data) {
    free(data);
    __atomic_add_fetch(&released, 1, __ATOMIC_SEQ_CST);
}

static uv_loop_t loop;
static struct reading *reading;

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/srv6-test-side-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    released = done = ticks = 0;
    reading = calloc(1, sizeof *reading);
    struct side_job job = {work, on_done, release, reading, &done};
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(side_open(&loop, &job, &side), 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unlink(fifo);
    return rmdir(folder);
}

static void on_tick(uv_timer_t *timer) {
    if (++ticks == TICKS) {
        uv_close((uv_handle_t *)timer, NULL);
        uv_stop(&loop);
    }
}

static void turn(void) {
    uv_timer_t timer;
    ticks = 0;
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_tick, TICK_MS, TICK_MS);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_run(&loop, UV_RUN_NOWAIT); // the timer is closed
}

static void end_loop(void) {
    side_close(side);
    uv_run(&loop, UV_RUN_DEFAULT); // returns, whatever the work does
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void let_go(const char *text) {
    int fd = open(fifo, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void what_returns_is_told_in_the_loop(void **state) {
    (void)state;
    assert_true(side_start(side));
    turn();
    assert_int_equal(done, 1);
    assert_false(side_is_busy(side));
    assert_true(side_start(side)); // and again
    turn();
    assert_int_equal(done, 2);
    end_loop();
    assert_int_equal(released, 1);
}

static void what_blocks_stops_neither_the_loop_nor_its_end(void **state) {
    (void)state;
    reading->blocks = true;
    assert_true(side_start(side));
    turn();
    assert_int_equal(ticks, TICKS);
    assert_int_equal(done, 0);
    assert_true(side_is_busy(side));
    assert_false(side_start(side)); // one at a time
    end_loop();
    assert_int_equal(released, 0); // the thread still has it
    let_go("late");
    for (int i = 0; i < 1000 && __atomic_load_n(&released, __ATOMIC_SEQ_CST) == 0; i++) {
        usleep(10000);
    }
    assert_int_equal(__atomic_load_n(&released, __ATOMIC_SEQ_CST), 1);
    assert_int_equal(done, 0); // nobody is there to hear it
}

static void what_blocked_and_returns_is_told(void **state) {
    (void)state;
    reading->blocks = true;
    assert_true(side_start(side));
    turn();
    let_go("42");
    for (int i = 0; i < 50 && done == 0; i++) {
        turn();
    }
    assert_int_equal(done, 1);
    assert_string_equal(reading->text, "42");
    end_loop();
    assert_int_equal(released, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_returns_is_told_in_the_loop),
        TEST(what_blocks_stops_neither_the_loop_nor_its_end),
        TEST(what_blocked_and_returns_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
