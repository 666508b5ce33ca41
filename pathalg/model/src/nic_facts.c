// SPDX-License-Identifier: Apache-2.0
#include "model/nic_facts.h"

bool nic_capabilities_equal(const struct nic_capabilities *a, const struct nic_capabilities *b) {
    return a->spray == b->spray && a->per_qp == b->per_qp && a->srh == b->srh &&
           a->counters == b->counters && a->spares == b->spares && a->rules_max == b->rules_max &&
           a->encap_bytes_max == b->encap_bytes_max;
}
