// SPDX-License-Identifier: Apache-2.0
// Why the library, the kernel or the firmware said no, in words. The library leaves its reason in
// errno, and where it writes steering memory without success it leaves none: so errno is preset.
#ifndef MLX5_REASON_H
#define MLX5_REASON_H

// Call before a function of the library whose failure is told by errno.
void mlx5_reason_preset(void);
// -errno of the failure; -EIO when the library left none: its send queue failed.
int mlx5_reason_code(void);
// "no steering memory (ICM) is left"
const char *mlx5_reason_text(int code);

#endif
