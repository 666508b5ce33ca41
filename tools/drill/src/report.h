// SPDX-License-Identifier: Apache-2.0
// Plans and reports as text, or as one JSON document with --json.
#ifndef DRILL_REPORT_H
#define DRILL_REPORT_H

#include <stdio.h>

#include "drill.h"

int report_plan(const struct drill_request *request, json_t *plan, json_t *reasons);
// Takes the report.
int report_print(const struct drill_request *request, json_t *report);
// Pure: what the two print without --json.
void report_write_plan(const json_t *plan, const json_t *reasons, FILE *out);
void report_write(const json_t *report, FILE *out);

#endif
