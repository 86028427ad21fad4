#!/usr/bin/env bash
# on_host.sh I COMMAND...: on host I of whoever brought the hosts up and exported C3D_HOSTS.
. "$(dirname "$0")/../support/hosts.sh"
on_host "$@"
