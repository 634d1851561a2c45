# Podman: what a container's process sees and may do.

# view OPTION…: what a container with these options sees. Differences that are left out: runc leaves the tmpfs with the
# v1 hierarchies writable if the config says ro; one runtime sets the mode that tmpcopyup finds as a mount option, the
# other by chmod; newer ones limit the size of the tmpfs over a masked directory.
view() {
  podman run --rm --network none --hostname h "$@" bb sh -c '
    exec 2>&1
    id
    pwd
    umask
    hostname
    env | sort | grep -v container_uuid
    grep -E "^(Cap|NoNewPrivs|Seccomp:|Groups)" /proc/self/status
    ulimit -a | grep -v pending
    cat /proc/self/oom_score_adj
    cut -d " " -f 5,6,7,8,9,10 /proc/self/mountinfo | sort
    find /dev | xargs stat -c "%A %u:%g %n %t,%T" | grep -v "^d" | sort
    for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/acpi /proc/scsi /sys/firmware; do
      ls -d $f 2>/dev/null && { head -c 1 $f 2>/dev/null | wc -c; ls $f 2>/dev/null | wc -l; }
    done
    stat -c "%n %a %u:%g" / /run /tmp /var/tmp /etc
    touch /proc/sys/kernel/domainname || echo no
    (echo 1 >/proc/sys/kernel/panic)
    mkdir /sys/x
    for n in /proc/self/ns/*; do readlink $n; done | sed "s/:.*//"' |
    sed -e 's#/var/lib/containers/[^ ]*#LAYERS#' -e 's#^\(/sys/fs/cgroup\) r[ow],\(.* tmpfs \)#\1 \2#' -e '/^\/run /s/,mode=755$//' -e 's/,size=4k,nr_inodes=1$//'
}

scenario_view() { view; }
scenario_view_privileged() { view --privileged; }
scenario_view_user() { view --user 1000:5 --group-add 2000 --workdir /home/user --umask 027; }
scenario_view_user_by_name() { view --user user --env A=1 --env B='x y' --hostname abc; }
scenario_view_capabilities() { view --cap-drop all --cap-add net_admin --cap-add sys_time; }
scenario_view_user_and_capabilities() { view --user 1000 --cap-add net_raw --security-opt no-new-privileges; }
scenario_view_unconfined() { view --security-opt seccomp=unconfined --security-opt unmask=ALL; }
scenario_view_mask() { view --security-opt mask=/proc/version:/etc/group --security-opt unmask=/proc/kcore; }
scenario_view_limits() { view --ulimit nofile=512:1024 --ulimit core=0:0 --ulimit nproc=400:400; }
scenario_view_read_only() { view --read-only; }
scenario_view_read_only_without_tmpfs() { view --read-only --read-only-tmpfs=false --tmpfs /x:size=1m,mode=1770,noexec; }
scenario_view_shm() { view --shm-size 4m; }
scenario_view_for_systemd() { view --systemd=always; }
scenario_view_oom_score() { view --oom-score-adj 500; }

scenario_entrypoint() {
  podman run --rm --network none --entrypoint '["echo", "a"]' bb b
  podman run --rm --network none --entrypoint echo bb b
}

scenario_devices() {
  podman run --rm --network none --device /dev/full:/dev/fuller:rw --device /dev/fuse bb sh -c 'exec 2>&1; ls -l /dev/fuller /dev/fuse | tr -s " " | cut -d " " -f 1-6,10-; echo x >/dev/fuller' 2>&1 || true
  podman run --rm --network none bb sh -c 'exec 2>&1; mknod /tmp/full c 1 7; mknod /tmp/sda b 8 0; mknod /tmp/x c 1 8 && head -c 1 /tmp/x | wc -c; head -c 1 /tmp/sda' 2>&1 || true
  podman run --rm --network none --device-cgroup-rule 'b 8:* r' bb sh -c 'mknod /tmp/sda b 8 0; head -c 1 /tmp/sda' 2>&1 | grep -c 'not permitted' || true
}

scenario_sysctl() {
  podman run --rm --network none --sysctl net.ipv4.ip_unprivileged_port_start=80 --sysctl kernel.shmmax=100000000 bb cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmax
}

scenario_seccomp_profile() {
  echo '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_AARCH64"],"syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}' >/tmp/profile.json
  podman run --rm --network none --security-opt seccomp=/tmp/profile.json bb mkdir /tmp/a || echo "status $?"
  podman run --rm --network none bb unshare -U true || echo "status $?"
}

scenario_hosts_and_names() {
  podman run --rm --network none --add-host a.example:10.9.8.7 --hostname h bb sh -c 'grep example /etc/hosts; hostname; cat /etc/hostname'
}

scenario_notify() {
  podman run -d --name c --sdnotify container --network none bb sh -c 'echo "socket ${NOTIFY_SOCKET-none}"; sleep 100'
  logged c socket
  podman logs c
}

scenario_annotations_and_labels() {
  podman run -d --name c --annotation a.b=c --label l=1 --network none bb sleep 100
  podman inspect -f '{{index .Config.Annotations "a.b"}} {{.Config.Labels.l}} {{.OCIRuntime}}' c
}
