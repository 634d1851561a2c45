# Docker: dockerd with its own containerd, and the runtimes in daemon.json.
fast=''

# run [OPTION…] IMAGE COMMAND…: like docker run, with the runtime and no network
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
  # Under systemd, Debian's unit waits on the socket.
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

# fails COMMAND…: prints the exit status of a failing command, without its output
fails() {
  local status=0
  "$@" >/dev/null 2>&1 || status=$?
  echo "status $status"
}

# logged NAME TEXT [TIMES]: waits until the container has logged one line, or this many lines, that contain TEXT
logged() { eventually has_logged "$@"; }
has_logged() { [ "$(docker logs "$1" 2>&1 | grep -c -e "$2")" -ge "${3:-1}" ]; }

# executes NAME TEXT: waits until the arguments of a process of the container contain TEXT, because the start of runc
# ends before its init has become the program
executes() { eventually prints "$2" docker top "$1"; }

# A command for sh that waits until shown has read everything: docker sometimes loses terminal output right before the
# end, with any runtime.
seen='echo seen; until [ -e /tmp/seen ]; do sleep 0.1; done; rm /tmp/seen'
# shown NAME COMMAND…: the output of COMMAND, whose last command in that container is $seen
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

# parent: a cgroup for containers, as the cgroup manager names it
parent() { if [ "$DRIVER" = systemd ]; then echo tests.slice; else echo /tests; fi; }

# missing WHAT: ends a scenario that cannot run here
missing() {
  echo "$*"
  exit 77
}
