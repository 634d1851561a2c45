# Podman: building images.

# By default, buildah requests limits that only CAP_SYS_RESOURCE may set.
ulimits='--ulimit nofile=1024:1024 --ulimit nproc=4096:4096'
# shellcheck disable=SC2086 # lists of words
build() { podman build --runtime "$RUNTIME" --isolation oci --no-cache $ulimits "$@"; }

scenario_build() {
  mkdir -p /tmp/context
  echo copied >/tmp/context/file
  cat >/tmp/context/Containerfile <<'END'
FROM bb AS first
ARG WHAT=nothing
ENV A=1
RUN echo "run $WHAT $A $(id -u)" >/made && mkdir -p /owned && chown 1000:1000 /owned
COPY file /copied
WORKDIR /owned
USER 1000:1000
RUN pwd >/owned/where && id >/owned/who && grep -E '^(Cap|Seccomp:|NoNew)' /proc/self/status >/owned/may
FROM bb
COPY --from=first /made /copied /owned/ /all/
RUN --mount=type=tmpfs,target=/t touch /t/x && cat /all/*
RUN --mount=type=cache,target=/cache echo c >/cache/c
RUN --mount=type=bind,source=file,target=/bound cat /bound
ENTRYPOINT ["sh", "-c", "cat /all/*; echo $0"]
CMD ["end"]
END
  build -q --network none --build-arg WHAT=this -t built /tmp/context >/dev/null
  podman run --rm --network none built
  podman rmi -f built >/dev/null
}

scenario_build_shows_what_runs() {
  printf 'FROM bb\nRUN echo out\nRUN ls -l /proc/self/fd | wc -l; cat /proc/self/cgroup >/dev/null; hostname | wc -c\n' >/tmp/Containerfile
  build --network none -f /tmp/Containerfile /tmp/context 2>&1 | grep -E '^(STEP|out|[0-9]+$)'
}

scenario_build_that_fails() {
  printf 'FROM bb\nRUN exit 7\n' >/tmp/Containerfile
  fails build -q --network none -f /tmp/Containerfile /tmp/context
  printf 'FROM bb\nRUN ["/nonexistent"]\n' >/tmp/Containerfile
  fails build -q --network none -f /tmp/Containerfile /tmp/context
}

scenario_build_with_limits_and_volumes() {
  printf 'FROM bb\nRUN cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; cat /v/file; grep /v /proc/mounts | cut -d " " -f 2,4 | cut -d , -f 1; grep CapEff /proc/self/status\n' >/tmp/Containerfile
  build --network none --memory 64m -v /tmp/context:/v:ro --cap-add sys_time -f /tmp/Containerfile /tmp/context 2>&1 | grep -vE '^(COMMIT|-->|ID|[0-9a-f]{64})'
}

buildah() {
  case $1 in
    run) shift && command buildah run --runtime "$RUNTIME" --isolation oci "$@" ;;
    *) command buildah "$@" ;;
  esac
}

scenario_buildah() {
  # shellcheck disable=SC2086
  container=$(buildah from $ulimits bb)
  buildah run "$container" -- sh -c 'echo out; id; touch /made'
  echo in | buildah run "$container" -- cat
  fails buildah run "$container" -- sh -c 'exit 7'
  fails buildah run "$container" -- nonexistent
  buildah run --user 1000:5 --workingdir /etc --env A=1 --hostname h "$container" -- sh -c 'id; pwd; echo $A; hostname'
  buildah run --cap-drop all --cap-add sys_time "$container" -- grep Cap /proc/self/status
  buildah run --network none -v /tmp/context:/v:ro "$container" -- sh -c 'cat /v/file; ip -o link | wc -l; cat /proc/self/mountinfo | wc -l'
  buildah run --terminal "$container" -- sh -c 'tty; test -t 1 && echo terminal'
  buildah commit -q "$container" committed >/dev/null
  podman run --rm --network none committed ls /made
  buildah rm "$container" >/dev/null
  podman rmi -f committed >/dev/null
}

scenario_buildah_stops_what_runs() {
  # shellcheck disable=SC2086
  container=$(buildah from $ulimits bb)
  command buildah run --runtime "$RUNTIME" --isolation oci "$container" -- sh -c 'echo up >/up; sleep 100' &
  root=$(command buildah mount "$container")
  eventually [ -e "$root/up" ]
  eventually no pgrep -f "$RUNTIME.* start buildah"
  # Before the start has ended, buildah's child dies of the signal itself; afterwards it ends the container. Nothing
  # shows when that changes, so the test sleeps after the last visible step.
  sleep 2
  kill "$!"
  wait "$!" || echo "status $?"
  eventually no pgrep -fx 'sleep 100' || pgrep -fx 'sleep 100'
  command buildah umount "$container" >/dev/null
  command buildah rm "$container" >/dev/null
}
