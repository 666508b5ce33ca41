// SPDX-License-Identifier: Apache-2.0
// Safety limits of every drill, pure: sentences about why it must not run now. An empty list lets
// it run.
#ifndef DRILL_SAFETY_H
#define DRILL_SAFETY_H

#include <jansson.h>

// No agent; an agent that does not answer or is unhealthy; a member that is not alive; a link down
// or drained already.
void safety_check(const json_t *fleet, json_t *reasons);

#endif
