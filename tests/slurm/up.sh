#!/usr/bin/env bash
# up.sh DIR [CPUS]: a SLURM of one node, this machine, with all its files in DIR: munged, slurmctld
# and slurmd, on 127.0.0.1 only, without systemd or cgroups. DIR's name is short (it holds a socket).
# up.sh DIR CPUS HOSTS: one of HOSTS nodes, the hosts of tests/support/hosts.sh, which are there; then
# sbatch and the others work on these hosts only.
# Prints nothing; SLURM_CONF=DIR/slurm.conf makes sbatch and the others use it. Ends with 77 and a
# sentence where it cannot start.
set -eu
dir=$1
cpus=${2:-2}
hosts=${3:-1}
port=${SLURM_TEST_PORT:-26817}
unable() { echo "skipped: $*"; exit 77; }

for program in munged slurmctld slurmd sbatch scontrol; do
    PATH=$PATH:/usr/sbin command -v $program >/dev/null || unable "no $program here"
done
[ "$(id -u)" = 0 ] || unable "slurmctld and slurmd for all users need root"
PATH=$PATH:/usr/sbin
mkdir -p "$dir"/{state,log,run,munge}
chmod 755 "$dir" "$dir/run"
chmod 700 "$dir/munge"
(umask 077 && head -c 1024 /dev/urandom >"$dir/munge/key")

on() { shift; "$@"; } # NODE'S NUMBER COMMAND...
names=("$(hostname -s)")
addresses=(127.0.0.1)
communication="CommunicationParameters=NoInAddrAny,NoCtldInAddrAny"
if [ "$hosts" -gt 1 ]; then
    on() { "$(dirname "$0")/on_host.sh" "$@"; }
    names=() addresses=() communication=
    for i in $(seq "$hosts"); do
        names+=("host$i")
        addresses+=("10.77.0.$i")
    done
fi
for name in "${names[@]}"; do mkdir -p "$dir"/{spool,tmp}/"$name"; done

# A requeued job starts once cred_expire (120 s if not set) is over.
cat >"$dir/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=${names[0]}(${addresses[0]})
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.sock,cred_expire=5
CredType=cred/munge
$communication
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
TmpFS=$dir/tmp/%n
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd-%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
PlugStackConfig=$dir/plugstack.conf
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=100000
ReturnToService=2
KillWait=3
InactiveLimit=0
MessageTimeout=20
BatchStartTimeout=20
CompleteWait=0
JobRequeue=1
$(for i in "${!names[@]}"; do
    echo "NodeName=${names[i]} NodeAddr=${addresses[i]} Port=$((port + 1)) CPUs=$cpus RealMemory=2000 State=UNKNOWN"
done)
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
: >"$dir/plugstack.conf"
# without it slurmd refuses to start where cgroups are not mounted
printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >"$dir/cgroup.conf"
export SLURM_CONF=$dir/slurm.conf

munged --force --key-file="$dir/munge/key" --socket="$dir/run/munge.sock" --num-threads=2 \
    --pid-file="$dir/run/munged.pid" --log-file="$dir/log/munged.log" \
    --seed-file="$dir/munge/seed" >/dev/null 2>&1 || unable "munged does not start"
on 1 slurmctld -c -f "$SLURM_CONF" >/dev/null 2>&1 || unable "slurmctld does not start"
for i in $(seq "$hosts"); do
    on "$i" slurmd -c -N "${names[i - 1]}" -f "$SLURM_CONF" >/dev/null 2>&1 || unable "slurmd does not start"
done
for _ in $(seq 200); do
    [ "$(on 1 timeout 5 sinfo -h -o '%T %D' 2>/dev/null)" = "idle $hosts" ] && exit 0
    sleep 0.1
done
unable "not all nodes are idle after 20 s: $(grep -h error "$dir"/log/*.log | tail -1)"
