// SPDX-License-Identifier: Apache-2.0
// A YAML text checked against a libcyaml schema, with every error in one pass and its line.
//
// libcyaml stops at its first error and hands no lines on. So a text is parsed by libyaml first,
// whose nodes carry their lines, and walked along the schema; only a text that is found clean goes
// to libcyaml. Refused: more than YAML_SIZE_MAX bytes, more than one document, anchors and aliases,
// unknown, missing and doubled keys, wrong types, unknown enum values, numbers out of range, lists
// too short or too long.
//
// Schemas may use INT, UINT, BOOL, ENUM, FLAGS, FLOAT, STRING, MAPPING, SEQUENCE, SEQUENCE_FIXED
// and IGNORE; a BITFIELD is asserted against. Errors read "name:line: path: what".
//
// Ownership: yaml_text_open returns owned and borrows `name` and `text` until yaml_text_close.
#ifndef MODEL_YAML_YAML_CHECK_H
#define MODEL_YAML_YAML_CHECK_H

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/complaints.h"
#include "model/fabric.h"

#define YAML_SIZE_MAX (16U << 20)

struct yaml_text;

// NULL when it was complained about: no YAML, too large, several documents, anchors, no memory.
struct yaml_text *yaml_text_open(const char *name, const char *text, size_t size,
                                 struct complaints *complaints);
void yaml_text_close(struct yaml_text *yaml); // NULL is a no-op
// Walks the schema and adds what is wrong.
void yaml_text_check(const struct yaml_text *yaml, const cyaml_schema_value_t *schema,
                     struct complaints *complaints);
// Loads what yaml_text_check found clean; *out is freed with cyaml_free and yaml_cyaml_config().
// -EINVAL (with a complaint) should libcyaml still disagree, -ENOMEM.
int yaml_text_load(const struct yaml_text *yaml, const cyaml_schema_value_t *schema,
                   struct complaints *complaints, void **out);
const cyaml_config_t *yaml_cyaml_config(void);
// The line of the value at a path such as "overrides[2]" or "clos.kind" (for a list or mapping:
// where it begins); 0 when there is none.
uint32_t yaml_text_line(const struct yaml_text *yaml, const char *path);
// True when the value at the path is a list.
bool yaml_text_is_sequence(const struct yaml_text *yaml, const char *path);

// Open, check and close in one: 0, or -EINVAL after complaints in order of lines.
int yaml_check(const char *name, const char *text, size_t size, const cyaml_schema_value_t *schema,
               fabric_complain_fn *complain, void *context);

// The whole file in memory, owned by the caller (free). -errno with a complaint; -EFBIG beyond
// YAML_SIZE_MAX.
int yaml_file_read(const char *path, fabric_complain_fn *complain, void *context, char **text,
                   size_t *size);

#endif
