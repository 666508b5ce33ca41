# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by roce_steering.sh. The guest's packets go through the host's kernel, whose uplink has the driver's programs.
GUEST_TAP=$TAP

driver_check() { :; }

driver_host() { # NUMBER
    in_node "h$1" ip tuntap add $TAP mode tap &&
        in_node "h$1" ip link set $TAP address "02:00:00:00:0e:0$1" &&
        forward_for_guest "$1" &&
        write_agent_config "$1" "  driver: ebpf
  pin_dir: $PINS/h$1
  ports: [{port: h$1, device: eth0}]"
}

driver_end() { :; }
