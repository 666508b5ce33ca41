// SPDX-License-Identifier: Apache-2.0
// Stands in for the ebpf driver where it was left out of the build, and says so.
#include "nicdrv/nic.h"

#include <errno.h>

static int none_open(const struct nic_options *options, struct nic **out, struct error *error) {
    (void)out;
    return error_set(error, -ENOTSUP,
                     "%s: built without BPF; configure with -DBPF=ON (needs clang and bpftool)",
                     options->device);
}

// nic_open never returns a NIC of this driver, so nothing else can be called.
const struct nic_driver nic_driver_ebpf = {.name = "ebpf", .open = none_open};
