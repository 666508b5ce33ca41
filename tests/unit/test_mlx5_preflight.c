// SPDX-License-Identifier: Apache-2.0
// The pre-flight checks against trees of files as sysfs has them. What devlink says needs a device
// that devlink knows: tests/roce/devlink.sh asks netdevsim.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "nicdrv_mlx5/preflight.h"

#define FINDINGS_MAX 16

struct findings {
    struct preflight_finding list[FINDINGS_MAX];
    unsigned count;
};

static char root[] = "/tmp/srv6-test-preflight-XXXXXX";

static void run(const char *command) {
    char line[512];
    snprintf(line, sizeof line, "cd %s && %s", root, command);
    assert_int_equal(system(line), 0);
}

static int make_tree(void **state) {
    (void)state;
    assert_non_null(mkdtemp(root));
    run("mkdir -p class/net/up devices/pci/0000:03:00.0 bus/pci/drivers/mlx5_core "
        "bus/pci/drivers/e1000 bus/pci/devices && ln -s ../../../devices/pci/0000:03:00.0 "
        "class/net/up/device && ln -s ../../../bus/pci devices/pci/0000:03:00.0/subsystem");
    return setenv("SYSFS_PATH", root, 1);
}

static int remove_tree(void **state) {
    char command[64];
    (void)state;
    unsetenv("SYSFS_PATH");
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static void keep(void *context, const struct preflight_finding *finding) {
    struct findings *findings = context;
    assert_true(findings->count < FINDINGS_MAX);
    findings->list[findings->count++] = *finding;
}

static const struct preflight_finding *find(const struct findings *findings, const char *check) {
    for (unsigned i = 0; i < findings->count; i++) {
        if (strcmp(findings->list[i].check, check) == 0) {
            return &findings->list[i];
        }
    }
    fail_msg("no finding %s", check);
    return NULL;
}

static int fly(const char *mtu, const char *driver, struct findings *findings,
               struct error *error) {
    struct nic_options options = {.device = "up"};
    char command[256];
    snprintf(command, sizeof command,
             "echo %s > class/net/up/mtu; rm -f devices/pci/0000:03:00.0/driver; ln -s "
             "../../../bus/pci/drivers/%s devices/pci/0000:03:00.0/driver",
             mtu, driver);
    run(command);
    *findings = (struct findings){.count = 0};
    return mlx5_preflight(&options, keep, findings, error);
}

static void a_netdev_of_another_driver_is_refused_with_what_to_use_instead(void **state) {
    struct findings findings;
    struct error error = {0};
    (void)state;
    assert_int_equal(fly("9000", "e1000", &findings, &error), -EOPNOTSUPP);
    assert_int_equal(find(&findings, "driver")->grade, PREFLIGHT_FAIL);
    assert_non_null(strstr(error.text, "up: driver is e1000"));
    assert_non_null(strstr(error.text, "nic.driver: ebpf"));
}

static void what_devlink_does_not_tell_is_unknown_and_not_passed(void **state) {
    struct findings findings;
    struct error error = {0};
    (void)state;
    assert_int_equal(fly("9000", "mlx5_core", &findings, &error), 0);
    assert_int_equal(find(&findings, "driver")->grade, PREFLIGHT_OK);
    assert_int_equal(find(&findings, "eswitch-mode")->grade, PREFLIGHT_UNKNOWN);
    assert_int_equal(find(&findings, "flow-steering-mode")->grade, PREFLIGHT_UNKNOWN);
    assert_int_equal(find(&findings, "parser-profile")->grade, PREFLIGHT_UNKNOWN);
    assert_non_null(strstr(find(&findings, "parser-profile")->advice, "0000:03:00.0"));
}

static void room_for_the_outer_header_is_wanted_for_the_largest_path_mtu(void **state) {
    static const struct {
        const char *mtu;
        enum preflight_grade grade;
    } cases[] = {{"4220", PREFLIGHT_OK},   {"4219", PREFLIGHT_WARN}, {"1500", PREFLIGHT_WARN},
                 {"1320", PREFLIGHT_WARN}, {"1319", PREFLIGHT_FAIL}, {"9000", PREFLIGHT_OK}};
    struct findings findings;
    struct error error = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int rc = fly(cases[i].mtu, "mlx5_core", &findings, &error);
        assert_int_equal(find(&findings, "mtu")->grade, cases[i].grade);
        assert_int_equal(rc, cases[i].grade == PREFLIGHT_FAIL ? -EOPNOTSUPP : 0);
        assert_string_equal(find(&findings, "mtu")->found, cases[i].mtu);
    }
}

static void a_netdev_that_is_not_there_fails(void **state) {
    struct nic_options options = {.device = "nowhere"};
    struct error error = {0};
    (void)state;
    assert_int_equal(mlx5_preflight(&options, NULL, NULL, &error), -ENODEV);
    assert_non_null(strstr(error.text, "nowhere"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_netdev_of_another_driver_is_refused_with_what_to_use_instead),
        cmocka_unit_test(what_devlink_does_not_tell_is_unknown_and_not_passed),
        cmocka_unit_test(room_for_the_outer_header_is_wanted_for_the_largest_path_mtu),
        cmocka_unit_test(a_netdev_that_is_not_there_fails),
    };
    return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
