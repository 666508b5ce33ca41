// SPDX-License-Identifier: Apache-2.0
#include "problems.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inputs.h"
#include "tool/tool.h"

static void on_problem(void *context, const struct error *error) {
    struct problems *problems = context;
    tool_error(SIM_NAME, TOOL_OK, NULL, "%s", error->text);
    if (problems->count == problems->capacity) {
        uint32_t capacity = problems->capacity == 0 ? 16 : 2 * problems->capacity;
        void *grown = realloc(problems->texts, capacity * sizeof problems->texts[0]);
        if (grown == NULL) {
            problems->out_of_memory = true;
            return;
        }
        problems->texts = grown;
        problems->capacity = capacity;
    }
    memcpy(problems->texts[problems->count++], error->text, ERROR_TEXT_SIZE);
}

int problems_find(struct problems *problems, const struct plan_input *input, node_id host) {
    *problems = (struct problems){0};
    int rc = plan_problems(input, host, on_problem, problems);
    return rc == 0 && problems->out_of_memory ? -ENOMEM : rc;
}

void problems_fini(struct problems *problems) {
    free(problems->texts);
    *problems = (struct problems){0};
}
