// SPDX-License-Identifier: Apache-2.0
// Stands in for the self test where the mlx5 driver was left out of the build, and says so.
#include "selftest.h"

#include "tool/tool.h"

int selftest_run(const char *device, bool json) {
    (void)json;
    return tool_error("srv6-agent", TOOL_FAILED, device,
                      "built without the mlx5 driver; configure with -DRDMA=ON (needs rdma-core)");
}
