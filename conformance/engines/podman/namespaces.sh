# Podman: new namespaces, shared ones and those of the machine; pods.

scenario_user_namespace() {
  podman run --rm --network none --uidmap 0:100000:5000 --gidmap 0:200000:5000 bb sh -c 'id -u; cat /proc/self/uid_map /proc/self/gid_map; stat -c %u:%g / /etc/passwd /home/user /dev/null; grep Cap /proc/self/status; touch /x; ls -l /proc/self/fd >/dev/null'
}

scenario_user_namespace_exec() {
  podman run -d --name c --network none --uidmap 0:100000:5000 bb sleep 100
  podman exec c sh -c 'id -u; cat /proc/self/uid_map'
  podman exec -t -u 1000 c sh -c 'id -u; tty; stat -c %u $(tty)'
  podman exec c sh -c 'hostname x' 2>&1 || true
  podman stop -t 0 c
}

scenario_user_namespace_and_more() {
  mkdir -p /tmp/owned
  chown 100000:100000 /tmp/owned
  podman run --rm --network none --uidmap 0:100000:5000 -v /tmp/owned:/v --tmpfs /t --shm-size 2m --memory 64m --read-only --cap-add sys_admin --sysctl kernel.shmmax=9999999 bb sh -c 'stat -c %u:%g /v /t /dev/shm; touch /v/x; cat /proc/sys/kernel/shmmax; mount -t tmpfs x /t && echo mounted'
  stat -c %u:%g /tmp/owned/x
  rm /tmp/owned/x
}

scenario_user_namespace_auto() {
  # Newer versions of libsubid only know the ranges of existing users.
  id containers >/dev/null 2>&1 || useradd -r containers
  grep -q ^containers: /etc/subuid || echo containers:1000000:100000 | tee -a /etc/subuid >>/etc/subgid
  podman run --rm --network none --userns auto:size=2000 bb sh -c 'id -u; tr -s " " </proc/self/uid_map | cut -d " " -f 2,4'
}

scenario_user_namespace_of_another() {
  podman run -d --name c --network none --uidmap 0:100000:5000 bb sleep 100
  executes c 'sleep 100'
  podman run --rm --network none --userns container:c bb sh -c 'cat /proc/self/uid_map; readlink /proc/self/ns/user' | sed 's/user:.*/user/'
  podman run --rm --userns container:c --network container:c --pid container:c bb sh -c 'ps -o args | grep -c "sleep 10[0]"'
}

scenario_crun_user_namespace_idmap() {
  mkdir -p /tmp/mapped
  chown 0:0 /tmp/mapped
  podman run --rm --network none --uidmap 0:100000:5000 --gidmap 0:100000:5000 -v /tmp/mapped:/v:idmap bb sh -c 'stat -c %u:%g /v; touch /v/x'
  stat -c %u:%g /tmp/mapped/x
}

scenario_pid_namespace() {
  podman run --rm --network none --pid host bb sh -c 'cat /proc/1/comm; [ $$ != 1 ]'
  podman run -d --name c --network none bb sleep 100
  executes c 'sleep 100'
  podman run --rm --network none --pid container:c bb sh -c 'cat /proc/1/comm; [ $$ != 1 ]'
  podman run -d --name d --network none --pid host bb sh -c 'sleep 99 & sleep 100'
  eventually pgrep -fx 'sleep 99'
  podman stop -t 0 d
  eventually no pgrep -fx 'sleep 99' || pgrep -fx 'sleep 99'
}

scenario_ipc_namespace() {
  podman run -d --name c --ipc shareable --network none bb sh -c 'echo shared >/dev/shm/x; sleep 100'
  eventually podman exec c test -s /dev/shm/x
  podman run --rm --network none --ipc container:c bb cat /dev/shm/x
  podman run --rm --network none --ipc host bb sh -c 'readlink /proc/self/ns/ipc' >/tmp/ns
  [ "$(cat /tmp/ns)" = "$(readlink /proc/self/ns/ipc)" ]
  podman run --rm --network none --ipc none bb sh -c 'exec 2>&1; ls /dev/shm; grep -c shm /proc/mounts' || true
}

scenario_uts_namespace() {
  podman run --rm --network none --uts host bb hostname
  podman run --rm --network none --hostname abc bb hostname
}

scenario_network_namespace() {
  podman run --rm --network host bb sh -c 'readlink /proc/self/ns/net' >/tmp/ns
  [ "$(cat /tmp/ns)" = "$(readlink /proc/self/ns/net)" ]
  podman run --rm --network none bb sh -c 'ip link | grep -c LOOPBACK,UP; cat /proc/net/dev | tail -n +3 | wc -l'
  ip netns add named
  podman run --rm --network ns:/run/netns/named bb sh -c 'ip link | grep -c LOOPBACK'
  ip netns delete named
  podman run --rm --network host --cap-add net_admin bb sh -c 'ls /sys/class/net'
}

scenario_network_bridge() {
  podman run -d --name c bb sh -c 'echo hello >/tmp/index.html; httpd -f -h /tmp' || missing 'no bridges here'
  podman exec c ip -4 -o addr show eth0 | grep -o 'inet 10\.88' | head -n 1
  address=$(podman inspect -f '{{.NetworkSettings.IPAddress}}' c)
  podman run --rm bb sh -c "until wget -qO- http://$address/ 2>/dev/null; do sleep 0.1; done"
}

scenario_pod() {
  podman pod create --name p --hostname pod --share net,uts,ipc,pid --network none
  podman run -d --pod p --name a bb sh -c 'echo x >/dev/shm/x; nc -l -p 99 -e echo talked & sleep 100'
  eventually podman exec a test -s /dev/shm/x
  eventually podman exec a sh -c 'ps -o args | grep -x "sleep 100"'
  podman run --rm --pod p bb sh -c 'hostname; cat /dev/shm/x; until nc 127.0.0.1 99 </dev/null 2>/dev/null; do sleep 0.1; done; cat /proc/1/comm; ps -o args | grep -c "sleep 10[0]"'
  podman pod ps --format '{{.Name}} {{.Status}} {{.NumberOfContainers}}'
  podman pod pause p
  podman pod unpause p
  # The process of nc may not have been reaped yet.
  podman pod top p comm | grep -vE '^(nc|exe|echo)' | sort
  podman pod stats --no-stream --format '{{.Name}}' p | sed 's/.*-infra/infra/' | sort
  podman pod kill p 2>/dev/null
}

scenario_pod_limits() {
  podman pod create --name p --cpus 0.5 --memory 64m --network none
  podman run --rm --pod p bb sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; sed "s/libpod.*//" /proc/self/cgroup'
}

scenario_pod_user_namespace() {
  podman pod create --name p --uidmap 0:100000:5000 --network none
  podman run --rm --pod p bb sh -c 'cat /proc/self/uid_map; hostname'
  podman run -d --pod p --name a bb sleep 100
  podman exec a sh -c 'id -u; cat /proc/self/uid_map'
  podman pod stop -t 0 p
}

scenario_pod_from_yaml() {
  cat >/tmp/pod.yaml <<'END'
apiVersion: v1
kind: Pod
metadata:
  name: y
spec:
  hostNetwork: true
  restartPolicy: Never
  initContainers:
  - {name: first, image: localhost/bb:latest, imagePullPolicy: Never, command: [sh, -c, 'echo prepared >/data/x'], volumeMounts: [{name: data, mountPath: /data}]}
  containers:
  - name: main
    image: localhost/bb:latest
    imagePullPolicy: Never
    command: [sh, -c, 'cat /data/x; id; grep CapEff /proc/self/status; sleep 100']
    resources: {limits: {memory: 32Mi}}
    securityContext: {runAsUser: 1000, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}
    volumeMounts: [{name: data, mountPath: /data}]
  volumes:
  - {name: data, emptyDir: {}}
END
  podman kube play /tmp/pod.yaml >/dev/null 2>&1
  logged y-main CapEff
  podman logs y-main
  podman kube down /tmp/pod.yaml >/dev/null 2>&1
}
