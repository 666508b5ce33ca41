// SPDX-License-Identifier: Apache-2.0
// An emulated ConnectX for the unmodified libibverbs and libmlx5: libfakecx.so, preloaded, answers
// where the library meets the kernel and the device: open, ioctl and write on the uverbs node, mmap
// of its pages, DEVX commands, steering memory (ICM), and the send queue through which the library
// writes its tables. Every mlx5dv_dr call is the library's own; what it refuses, it refuses here.
//
// Not emulated: what firmware checks beyond what is named here, caches, timing, traffic (that is
// softcx, which executes the rules that the library accepted).
//
// Environment:
//   FAKECX_DIR      writable directory; the device tree is made in it (sys/, and SYSFS_PATH set to
//                   it) and faults are read from it; required
//   FAKECX_FORMAT   cx5 | cx6dx | cx7: steering format and capabilities; default cx6dx
//   FAKECX_NETDEV   netdev whose device this is: sys/class/net/NAME/device/infiniband/mlx5_0
//   FAKECX_CARD     socket of softcx; absent: nothing carries packets
//
// $FAKECX_DIR/faults, read again whenever it changes; one fault a line, '#' comments:
//   reformat after=N [times=M] [status=0xNN]   firmware refuses reformats after the first N
//   icm after=BYTES                            steering memory is exhausted
//   cqe after=N [times=M]                      a send completion with an error
//   fatal                                      the device fails: async event, then every command
// A line that cannot be read ends the process with a sentence. $FAKECX_DIR/objects (written at each
// change of a fault file and at exit) lists the firmware objects that are alive, for leak checks.
#ifndef FAKECX_H
#define FAKECX_H

#include <stdint.h>

// ---- between the files of libfakecx.so; see the .c files

#endif
