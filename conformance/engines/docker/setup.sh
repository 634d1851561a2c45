# Docker: dockerd with a containerd of its own, the runtimes in daemon.json.
fast=''

# run [OPTION…] IMAGE COMMAND…: as docker run, with the runtime and no network
run() { docker run --runtime "$RUNTIME" --network none "$@"; }

# daemon [OPTION…]: starts dockerd and waits until it answers
daemon() {
  dockerd "$@" >>/tmp/dockerd.log 2>&1 </dev/null &
  disown
  for _ in $(seq 200); do
    ! docker version >/dev/null 2>&1 || return 0
    sleep 0.1
  done
  tail -n 5 /tmp/dockerd.log
  return 1
}

stop_daemon() {
  local pid
  pid=$(cat /run/docker.pid 2>/dev/null) || return 0
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

setup() {
  mkdir -p /etc/docker
  # Where systemd runs, Debian's unit waits on the socket.
  [ ! -e /run/systemd/private ] || systemctl stop docker.socket
  cat >/etc/docker/daemon.json <<END
{"runtimes": {"runt": {"path": "/usr/local/bin/runt"}, "crun": {"path": "/usr/bin/crun"}},
 "exec-opts": ["native.cgroupdriver=$DRIVER"], "bridge": "none", "iptables": false, "ip6tables": false, "storage-driver": "overlay2"}
END
  daemon
  tar -C "$ROOTFS" -c . | docker import -c 'CMD ["sh"]' -c 'ENV PATH=/bin:/sbin' - bb
}

versions() { echo "$(docker version -f 'docker {{.Server.Version}}'), $(containerd --version | cut -d ' ' -f 1,3), $("$REFERENCE" --version | sed -n 1p)"; }

tidy() {
  local ids
  ids=$(docker ps -aq)
  # shellcheck disable=SC2086 # a list of words
  [ -z "$ids" ] || docker rm -f $ids
  docker volume prune -f
}

end() { stop_daemon; }

# fails COMMAND…: prints the status that it fails with, and nothing that it writes
fails() {
  local status=0
  "$@" >/dev/null 2>&1 || status=$?
  echo "status $status"
}

# parent: a cgroup for containers, as the manager of cgroups names it
parent() { if [ "$DRIVER" = systemd ]; then echo tests.slice; else echo /tests; fi; }

# missing WHAT: ends the scenario as one that cannot run here
missing() {
  echo "$*"
  exit 77
}
