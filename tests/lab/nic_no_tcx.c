// SPDX-License-Identifier: Apache-2.0
// A kernel before 6.6, to a program linked with -Wl,--wrap=bpf_link_create: it knows no tcx.
#include <errno.h>

#include <bpf/bpf.h>

int __wrap_bpf_link_create(int program, int target, enum bpf_attach_type type,
                           const struct bpf_link_create_opts *options);

int __wrap_bpf_link_create(int program, int target, enum bpf_attach_type type,
                           const struct bpf_link_create_opts *options) {
    (void)program;
    (void)target;
    (void)type;
    (void)options;
    return -EINVAL;
}
