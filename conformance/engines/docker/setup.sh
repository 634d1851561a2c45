# Docker: dockerd with a containerd of its own, the runtimes in daemon.json.
fast=''

# run [OPTION…] IMAGE COMMAND…: as docker run, with the runtime and no network
run() { docker run --runtime "$RUNTIME" --network none "$@"; }

# daemon [OPTION…]: starts dockerd and waits until it answers
daemon() {
  dockerd "$@" >>/tmp/dockerd.log 2>&1 </dev/null &
  disown
  ! eventually docker version || return 0
  tail -n 5 /tmp/dockerd.log
  return 1
}

stop_daemon() {
  local pid
  pid=$(cat /run/docker.pid 2>/dev/null) || return 0
  kill "$pid"
  eventually no kill -0 "$pid"
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

# logged NAME TEXT [TIMES]: waits until the container has logged lines that hold it, one or so many
logged() { eventually has_logged "$@"; }
has_logged() { [ "$(docker logs "$1" 2>&1 | grep -c -e "$2")" -ge "${3:-1}" ]; }

# executes NAME TEXT: waits until a process of the container has TEXT in its arguments: the start of runc ends before
# its init has become the program
executes() { eventually prints "$2" docker top "$1"; }

# docker now and then loses what is written to a terminal right before the end, with any runtime: a command for sh that
# waits until shown has seen it all
seen='echo seen; until [ -e /tmp/seen ]; do sleep 0.1; done; rm /tmp/seen'
# shown NAME COMMAND…: what COMMAND prints, whose last command in that container is $seen
shown() {
  local name=$1 status=0
  shift
  rm -f /tmp/shown
  "$@" >/tmp/shown 2>&1 &
  eventually grep ^seen /tmp/shown
  docker exec "$name" touch /tmp/seen
  wait $! || status=$?
  grep -v ^seen /tmp/shown
  return "$status"
}

# parent: a cgroup for containers, as the manager of cgroups names it
parent() { if [ "$DRIVER" = systemd ]; then echo tests.slice; else echo /tests; fi; }

# missing WHAT: ends the scenario as one that cannot run here
missing() {
  echo "$*"
  exit 77
}
