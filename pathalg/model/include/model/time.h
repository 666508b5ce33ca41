// SPDX-License-Identifier: Apache-2.0
// The one unit of time: uint64_t nanoseconds of a monotonic clock. Instants are named `_at_ns`,
// spans `_ns`.
#ifndef MODEL_TIME_H
#define MODEL_TIME_H

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define NEVER_NS UINT64_MAX

#endif
