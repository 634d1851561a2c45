# conmon as CRI-O calls it: with its flags, with the pipes of _OCI_SYNCPIPE and _OCI_STARTPIPE, and the calls to the
# runtime that CRI-O makes itself.
fast='conmon_run conmon_failures conmon_exec conmon_tty'

setup() { cp -a "$ROOTFS" /tmp/rootfs; }
versions() { echo "$(conmon --version | sed -n 1p), $("$REFERENCE" --version | sed -n 1p)"; }

tidy() {
  local id
  for id in $(ls "/tmp/state-$RUNTIME" 2>/dev/null); do runtime delete --force "$id"; done
}

end() { :; }

# runtime ARGUMENT…: as CRI-O calls it
runtime() { "$RUNTIME" --root "/tmp/state-$RUNTIME" "$@"; }

# bundle NAME [OPTION…] COMMAND…: /tmp/NAME with a config.json that runt writes
bundle() {
  local name=$1
  shift
  rm -rf "/tmp/$name" "/tmp/exits/$name" "/tmp/$name".*
  mkdir -p "/tmp/$name" /tmp/exits /tmp/sockets
  runt spec --bundle "/tmp/$name" --rootfs /tmp/rootfs "$@"
}

# monitor NAME [FLAG…]: starts conmon and prints what it writes to the sync pipe, without pids
monitor() {
  local name=$1
  shift
  (
    exec 3>"/tmp/$name.sync"
    _OCI_SYNCPIPE=3 conmon --api-version 1 -c "$name" -n "$name" -u "$name" -r "$(command -v "$RUNTIME")" --runtime-arg "--root=/tmp/state-$RUNTIME" \
      -b "/tmp/$name" --exit-dir /tmp/exits --socket-dir-path /tmp/sockets -l "k8s-file:/tmp/$name.log" -P "/tmp/$name.conmon" \
      -p "/tmp/$name.pid" "$@" </dev/null >/dev/null 2>&1
  ) || echo "conmon: status $?"
  eventually [ -s "/tmp/$name.sync" ] || true
  sed -E -e 's/"(pid|data)": ?[1-9][0-9]*/"\1": PID/g' "/tmp/$name.sync"
}

# exit_of NAME: what conmon wrote after the container had ended
exit_of() {
  eventually [ -s "/tmp/exits/$1" ]
  echo "exit $(cat "/tmp/exits/$1")"
}

# log_of NAME: the lines of the log, without times
log_of() { cut -d ' ' -f 2- "/tmp/$1.log" | sort; }
