// SPDX-License-Identifier: Apache-2.0
// What the two files about rule sets share.
#ifndef MODEL_RULE_INTERNAL_H
#define MODEL_RULE_INTERNAL_H

#include "model/rule.h"

// The encap with every unused byte, padding included, zero.
struct encap encap_normal(const struct encap *encap);
// Forgets the hash index; rule_set_intern builds it anew.
void rule_set_index_drop(struct rule_set *set);

#endif
