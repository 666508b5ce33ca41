// SPDX-License-Identifier: Apache-2.0
// An emulated ConnectX for the unmodified libibverbs and libmlx5: libfakecx.so, preloaded, answers
// where the library meets the kernel and the device: open and ioctl on the uverbs node, mmap of its
// pages, DEVX commands, steering memory (ICM), and the send queue through which the library writes
// its tables. Every mlx5dv_dr call is the library's own; what it refuses, it refuses here.
//
//     LD_PRELOAD=$BUILD/tests/libfakecx.so FAKECX_DIR=$(mktemp -d) FAKECX_FORMAT=cx7 program
//
// Not emulated: what firmware checks beyond what is named here, caches, timing, traffic (that is
// softcx, which executes the rules that the library accepted). A posted send is executed before the
// library lets go of the queue's lock, on the thread that posted it.
//
// Environment:
//   FAKECX_DIR      writable directory; the device tree is made in it (sys/, and SYSFS_PATH set to
//                   it) and faults are read from it; required
//   FAKECX_FORMAT   cx5 | cx6dx | cx7: steering format and capabilities; default cx6dx
//   FAKECX_NETDEV   netdev whose device this is: sys/class/net/NAME/device/infiniband/mlx5_0
//   FAKECX_CARD     socket of softcx; absent: nothing carries packets
//
// The firmware: FDB with the uplink and vports 0 to 16, encapsulations up to 128 bytes, 128 MiB of
// steering memory and 1 MiB of header rewrites, flow counters in bulks of 128.
//
// $FAKECX_DIR/faults, read again whenever it changes (write it beside and rename it): before the
// next command, and by itself within milliseconds of the change while a device is open, which is
// what sends that no command precedes may wait for. One fault a line, '#' comments. Counting begins
// when the file is read:
//   reformat after=N [times=M] [status=0xNN]   firmware refuses reformats after the first N, all or
//                                              M of them; status: of the PRM, default 0x8 (ENOMEM)
//   icm after=BYTES                            steering memory beyond BYTES in all is exhausted
//   cqe after=N [times=M]                      after N sends a completion with an error; its queue
//                                              is broken from then on, and libmlx5 44 soon waits
//                                              for ever in whatever writes to that domain, even the
//                                              removal of a rule
//   fatal [destroys=ok] [queue=silent]         the device fails: async event, then every command
//                                              ends in EIO (destroys=ok: all but those that remove
//                                              something, as before the kernel lets go of the
//                                              device), new opens too. Sends complete with errors;
//                                              queue=silent: they do not complete, and the library
//                                              waits until another thread reads the async event.
//                                              What was opened stays dead when the line is gone
// A line that cannot be read ends the process with a sentence.
//
// $FAKECX_DIR/objects (written when a device is closed, at each change of the fault file and at
// exit) lists the firmware objects that are alive, "KIND ID [SIZE]" a line; those that a closed
// device had not removed stay listed with "left" before them.
#ifndef FAKECX_H
#define FAKECX_H

#include <stdint.h>

// For tests that run under the library: weak, so that a program links without it and finds NULL
// when it is not preloaded. How many objects of a kind ("reformat", "counter", "table", "flow",
// "matcher", "queue", "icm", "region"; NULL: of all kinds) are alive.
__attribute__((weak)) unsigned fakecx_count(const char *kind);
// Reads the fault file now, for a test that changes it in front of sends.
__attribute__((weak)) void fakecx_refresh(void);
// Steering memory in use, in bytes.
__attribute__((weak)) uint64_t fakecx_icm_bytes(void);

#endif
