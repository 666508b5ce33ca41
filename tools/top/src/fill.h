// SPDX-License-Identifier: Apache-2.0
// One function for each view: an agent's document to rows. Keys that are missing show as "-".
#ifndef TOP_FILL_H
#define TOP_FILL_H

#include "rows.h"

void fill_links(const json_t *document, struct top_rows *rows);
void fill_flows(const json_t *document, struct top_rows *rows);
void fill_jobs(const json_t *document, struct top_rows *rows);
void fill_members(const json_t *document, struct top_rows *rows);
void fill_status(const json_t *document, struct top_rows *rows);
void fill_events(const json_t *document, struct top_rows *rows);

#endif
