# shellcheck shell=bash
# Sourced: several hosts on one machine. Each is a network namespace with a host name of its own
# (host1, host2, ...; address 10.77.0.I) on one switch, and sees the same files.
export C3D_HOSTS=${C3D_HOSTS:-c3d$$}

# hosts_up N: 1 and a sentence where it cannot be done.
hosts_up() {
    local i
    command -v ip nsenter unshare >/dev/null || { echo "no ip, nsenter or unshare here"; return 1; }
    ip netns add "$C3D_HOSTS-sw" 2>/dev/null || { echo "no network namespace can be made here"; return 1; }
    ip -n "$C3D_HOSTS-sw" link add br0 type bridge && ip -n "$C3D_HOSTS-sw" link set br0 up ||
        { echo "no bridge can be made here"; return 1; }
    for i in $(seq "$1"); do
        ip netns add "$C3D_HOSTS-$i" &&
            ip link add "v$i" netns "$C3D_HOSTS-sw" type veth peer name eth0 netns "$C3D_HOSTS-$i" &&
            ip -n "$C3D_HOSTS-sw" link set "v$i" master br0 up &&
            ip -n "$C3D_HOSTS-$i" addr add "10.77.0.$i/24" dev eth0 &&
            ip -n "$C3D_HOSTS-$i" link set lo up && ip -n "$C3D_HOSTS-$i" link set eth0 up ||
            { echo "no virtual network can be made here"; return 1; }
    done
}
# on_host I COMMAND... (not "ip netns exec", which mounts another /sys)
on_host() {
    nsenter --net="/run/netns/$C3D_HOSTS-$1" unshare --uts \
        bash -c 'hostname "host$0"; exec "$@"' "$@"
}
cut_link() { ip -n "$C3D_HOSTS-sw" link set "v$1" down; } # HOST
mend_link() { ip -n "$C3D_HOSTS-sw" link set "v$1" up; }  # HOST
hosts_down() { # with what still runs there
    local name pid
    for name in $(ip netns list 2>/dev/null | grep -o "^$C3D_HOSTS-[^ ]*"); do
        for pid in $(ip netns pids "$name"); do kill -9 "$pid" 2>/dev/null; done
        ip netns del "$name"
    done
}
