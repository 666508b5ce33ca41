// SPDX-License-Identifier: Apache-2.0
// The mirror's connection to the card, and what it must remember: counters and open devices.
//
// mirror_lock is held around a library call and its message, so that the address of an object, by
// which the card knows it, is not given to the next one before the card has heard of its end. It
// may be taken again by its holder (the library calls its own functions). Without a card it does
// nothing.
#ifndef SOFTCX_MIRROR_LINK_H
#define SOFTCX_MIRROR_LINK_H

#include <stddef.h>

#include "mirror.h"
#include "softcx_wire.h"

void mirror_lock(void);
void mirror_unlock(void);

bool mirror_wanted(void); // is there a card at all
// Connects; also notes that this device has a domain. Does not return without a card.
void mirror_connect(const void *device);
void mirror_device_closed(const void *device);
// -errno as the card says; 0 when no card is connected. Fills the size of the message in.
int mirror_send(struct softcx_request *request);
_Noreturn void mirror_fail(const char *sentence, int code);

// `object` is the library's name of a bulk of counters.
void mirror_add_counters(const void *object, uint32_t first, uint32_t count);
int mirror_remove_counters(const void *object);                     // 0 also when it is none
bool mirror_first_counter(const void *object, uint32_t *out_first); // false: not a counter

#endif
