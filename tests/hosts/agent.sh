#!/usr/bin/env bash
# agent.sh [OPTIONS] 10.77.0.I COMMAND: what mpirun takes for ssh (plm_rsh_agent), to host I of
# whoever brought the hosts up and exported C3D_HOSTS.
. "$(dirname "$0")/../support/hosts.sh"
while [[ $1 = -* ]]; do shift; done
on_host "${1##*.}" bash -c "${*:2}"
