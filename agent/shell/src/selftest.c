// SPDX-License-Identifier: Apache-2.0
#include "selftest.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "nicdrv_mlx5/preflight.h"
#include "nicdrv_mlx5/selftest.h"
#include "tool/table.h"
#include "tool/tool.h"

#define TOOL "srv6-agent"

// What has been told so far, in the form that will be printed.
struct report {
    json_t *rows;             // with --json
    struct tool_table *table; // without
    json_t *capabilities;     // name: bool
    json_t *findings;         // of the pre-flight checks
    unsigned count, unexpected, must_unexpected;
};

static const char *result_text(enum selftest_result result) {
    static const char *const texts[] = {
        [SELFTEST_ACCEPTED] = "accepted",
        [SELFTEST_REFUSED] = "refused",
        [SELFTEST_UNTRIED] = "untried",
        [SELFTEST_ABSENT] = "absent",
    };
    return texts[result];
}

static const char *expected_text(enum selftest_expectation expected) {
    static const char *const texts[] = {
        [SELFTEST_ACCEPT] = "accepted",
        [SELFTEST_REFUSE] = "refused",
        [SELFTEST_EITHER] = "either",
    };
    return texts[expected];
}

static const char *need_text(enum selftest_need need) {
    static const char *const texts[] = {
        [SELFTEST_MUST] = "must",
        [SELFTEST_MAY] = "may",
        [SELFTEST_UNUSED] = "unused",
    };
    return texts[need];
}

static const char *errno_text(int code) {
    const char *name = code != 0 ? strerrorname_np(code) : NULL;
    return name != NULL ? name : code != 0 ? "unknown" : "";
}

static void add_json(struct report *report, const struct selftest_row *row) {
    json_array_append_new(report->rows,
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:s, s:s}", "name",
                                    row->name, "what", row->what, "result",
                                    result_text(row->result), "expected",
                                    expected_text(row->expected), "driver", need_text(row->need),
                                    "unexpected", row->unexpected, "errno", row->code, "errno_name",
                                    errno_text(row->code), "reason", row->reason));
}

static void add_line(struct report *report, const struct selftest_row *row) {
    tool_table_cell(report->table, "%s", row->name);
    tool_table_cell(report->table, "%s%s", result_text(row->result), row->unexpected ? " !" : "");
    tool_table_cell(report->table, "%s", expected_text(row->expected));
    tool_table_cell(report->table, "%s", row->need == SELFTEST_UNUSED ? "-" : need_text(row->need));
    tool_table_cell(report->table, "%s", row->code != 0 ? errno_text(row->code) : "-");
    tool_table_cell(report->table, "%s%s%s", row->what, row->reason[0] != '\0' ? ": " : "",
                    row->reason);
}

static void each_row(void *context, const struct selftest_row *row) {
    struct report *report = context;
    report->count++;
    report->unexpected += row->unexpected;
    report->must_unexpected += row->unexpected && row->need == SELFTEST_MUST;
    if (row->capability != NULL) {
        json_object_set_new(report->capabilities, row->capability,
                            json_boolean(row->result == SELFTEST_ACCEPTED));
    }
    if (report->rows != NULL) {
        add_json(report, row);
    } else {
        add_line(report, row);
    }
}

static void each_finding(void *context, const struct preflight_finding *finding) {
    static const char *const grades[] = {
        [PREFLIGHT_OK] = "ok",
        [PREFLIGHT_UNKNOWN] = "unknown",
        [PREFLIGHT_WARN] = "warn",
        [PREFLIGHT_FAIL] = "fail",
    };
    json_array_append_new(context, json_pack("{s:s, s:s, s:s, s:s}", "check", finding->check,
                                             "grade", grades[finding->grade], "found",
                                             finding->found, "advice", finding->advice));
}

static void check_settings(struct report *report, const struct selftest_device *about) {
    struct nic_options options = {.device = about->netdev};
    if (about->netdev[0] != '\0') {
        (void)mlx5_preflight(&options, each_finding, report->findings, NULL);
    }
}

static int print_json(const struct report *report, const struct selftest_device *about) {
    return tool_print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:i, s:i, s:i, s:O, s:O}",
                                     "device", about->name, "netdev", about->netdev, "firmware",
                                     about->firmware, "format", about->format, "rdma_core",
                                     about->library, "preflight", report->findings, "probes",
                                     report->count, "unexpected", report->unexpected,
                                     "unexpected_must", report->must_unexpected, "capabilities",
                                     report->capabilities, "rows", report->rows));
}

static void print_findings(const struct report *report) {
    json_t *finding;
    size_t index;
    json_array_foreach(report->findings, index, finding) {
        const char *check, *grade, *found, *advice;
        if (json_unpack(finding, "{s:s, s:s, s:s, s:s}", "check", &check, "grade", &grade, "found",
                        &found, "advice", &advice) == 0) {
            printf("%-8s %s: %s%s%s\n", grade, check, found, advice[0] != '\0' ? ": " : "", advice);
        }
    }
    if (json_array_size(report->findings) > 0) {
        putchar('\n');
    }
}

static void print_capabilities(const struct report *report) {
    const char *name;
    json_t *value;
    const char *before = "capabilities: ";
    json_object_foreach(report->capabilities, name, value) {
        printf("%s%s %s", before, name, json_is_true(value) ? "yes" : "no");
        before = ", ";
    }
    putchar('\n');
}

static int print_table(const struct report *report, const struct selftest_device *about) {
    printf("%s (%s): steering format %s, firmware %s, rdma-core %s\n\n", about->name,
           about->netdev[0] != '\0' ? about->netdev : "no netdev", about->format, about->firmware,
           about->library[0] != '\0' ? about->library : "of unknown version");
    int rc = tool_table_print(report->table, stdout);
    putchar('\n');
    print_findings(report);
    print_capabilities(report);
    printf("%u probes, %u unexpected", report->count, report->unexpected);
    if (report->unexpected > 0) {
        printf(" (marked !); the driver cannot work without %u of them", report->must_unexpected);
    }
    putchar('\n');
    return rc == 0 && fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
}

static int run(const char *device, struct report *report) {
    struct selftest_device about = {0};
    struct error error = {0};
    int code = TOOL_OK;
    int rc = nic_selftest(device, &about, each_row, report, &error);
    check_settings(report, &about);
    if (report->count > 0) {
        code = report->rows != NULL ? print_json(report, &about) : print_table(report, &about);
    }
    if (code != TOOL_OK) {
        return tool_error(TOOL, code, NULL, "cannot write to standard output");
    }
    if (rc < 0) {
        bool permission = rc == -EACCES || rc == -EPERM;
        return tool_error(TOOL, permission ? TOOL_PERMISSION : TOOL_FAILED, NULL, "%s", error.text);
    }
    return report->unexpected > 0 ? TOOL_UNHEALTHY : TOOL_OK;
}

int selftest_run(const char *device, bool json) {
    static const struct tool_column columns[] = {{"probe", false},    {"result", false},
                                                 {"expected", false}, {"driver", false},
                                                 {"errno", false},    {"what", false}};
    struct report report = {.capabilities = json_object(),
                            .findings = json_array(),
                            .rows = json ? json_array() : NULL,
                            .table = json ? NULL : tool_table_open(columns, 6)};
    int code = report.capabilities != NULL && report.findings != NULL &&
                       (report.rows != NULL || report.table != NULL)
                   ? run(device, &report)
                   : tool_error(TOOL, TOOL_FAILED, NULL, "out of memory");
    json_decref(report.capabilities);
    json_decref(report.findings);
    json_decref(report.rows);
    tool_table_close(report.table);
    return code;
}
