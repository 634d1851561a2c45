# containerd with ctr: the runc shim, which gets the runtime from --runc-binary (BinaryName in its options).
fast='ctr_output_and_status ctr_program_missing ctr_exec ctr_kill ctr_pause ctr_ps_and_metrics ctr_limits ctr_view ctr_tty ctr_restart_of_containerd
  ctr_namespaces ctr_failed_create ctr_install_page'

# containerd 2.2 and newer warn at every call that cgroup v1 is deprecated; a wait for an empty list expects no output
# at all.
export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1
# Where ctr connects, and where the runtime keeps the state of its containers.
address=/run/containerd.sock states=/run/containerd/runc/default
ctr() { command ctr --address "$address" "$@"; }
# The flags that select the runtime, for calls of ctr run without the function run.
flags="--runc-binary ${RUNTIME:-}"
# unit [OPTION…] IMAGE ID COMMAND…: the name of the cgroup, which ctr needs if systemd makes it
unit() {
  local last='' id=c word
  for word in "$@"; do
    [ "$last" != "$bb" ] || id=$word
    last=$word
  done
  echo "system.slice:runc:$id"
}
# run [OPTION…] IMAGE ID COMMAND…: like ctr run, with the runtime
run() {
  local managed=()
  [ "$DRIVER" != systemd ] || managed=(--runc-systemd-cgroup --cgroup "$(unit "$@")")
  ctr run --runc-binary "$RUNTIME" "${managed[@]}" "$@"
}

# daemon: starts containerd and waits until it answers
daemon() {
  containerd --config /etc/containerd.toml >>/tmp/containerd.log 2>&1 </dev/null &
  disown
  ! eventually ctr version || return 0
  tail -n 5 /tmp/containerd.log
  return 1
}

# podman makes the image, because it needs no daemon.
setup() {
  local version=2
  ! containerd --version | grep -q ' v\?2\.' || version=3
  cat >/etc/containerd.toml <<END
version = $version
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]
[grpc]
  address = "/run/containerd.sock"
END
  mkdir -p /etc/containers
  echo '{"default": [{"type": "insecureAcceptAnything"}]}' >/etc/containers/policy.json
  tar -C "$ROOTFS" -c . | podman import --quiet -c 'CMD ["sh"]' -c 'ENV PATH=/bin:/sbin' - docker.io/library/bb
  podman save --quiet --format oci-archive -o /tmp/bb.tar docker.io/library/bb
  daemon
  ctr image import --local --index-name docker.io/library/bb:latest /tmp/bb.tar ||
    ctr image import --base-name docker.io/library/bb --index-name docker.io/library/bb:latest /tmp/bb.tar
  ctr image ls -q | tee /tmp/images
  grep -q . /tmp/images
}

versions() { echo "$(containerd --version | cut -d ' ' -f 1,3), $("$REFERENCE" --version | sed -n 1p)"; }

tidy() {
  local id
  for id in $(ctr task ls -q); do
    ctr task resume "$id"
    ctr task kill -a -s KILL "$id"
  done
  eventually no prints RUNNING ctr task ls
  for id in $(ctr task ls -q); do ctr task rm -f "$id"; done
  for id in $(ctr container ls -q); do ctr container rm "$id"; done
}

end() { pkill -x containerd; }

bb=docker.io/library/bb:latest

# watched: writes containerd's events to /tmp/events from now on; the event of an image label shows that it has begun
watched() {
  command ctr --address "$address" events >/tmp/events 2>&1 &
  events=$!
  heard() { ctr image label "$bb" "probe=$RANDOM" && grep -a /images/update /tmp/events; }
  eventually heard
}

# fails COMMAND…: prints the exit status of a failing command, without its output
fails() {
  local status=0
  "$@" >/dev/null 2>&1 || status=$?
  echo "status $status"
}
