# Docker: building images, with the classic builder and with buildkit.

# with_default: a daemon whose builders use the runtime, as the program runc in PATH, which buildkit of 20.10 runs. The
# usual daemon is restored at the end of the scenario.
with_default() {
  stop_daemon
  rm -rf /tmp/path
  mkdir /tmp/path
  ln -s "$(command -v "$RUNTIME")" /tmp/path/runc
  trap "stop_daemon; daemon" EXIT
  PATH=/tmp/path:$PATH daemon --default-runtime "$RUNTIME"
  mkdir -p /tmp/context
  echo copied >/tmp/context/file
}

scenario_docker_build_classic() {
  with_default
  printf 'FROM bb\nARG WHAT=nothing\nENV A=1\nRUN echo "run $WHAT $A $(id -u)" >/made\nCOPY file /copied\nWORKDIR /owned\nRUN chown 1000 /owned\nUSER 1000\nRUN id -u >who\nENTRYPOINT ["sh", "-c", "cat /made /copied who"]\n' >/tmp/context/Dockerfile
  DOCKER_BUILDKIT=0 docker build -q --no-cache --network none --memory 64m --build-arg WHAT=this -t built /tmp/context >/dev/null 2>/tmp/err || { cat /tmp/err; exit 1; }
  run --rm built
  printf 'FROM bb\nRUN exit 7\n' >/tmp/context/Dockerfile
  fails env DOCKER_BUILDKIT=0 docker build -q --no-cache --network none /tmp/context
  docker rmi -f built >/dev/null
}

scenario_docker_build_buildkit() {
  with_default
  printf 'FROM bb AS first\nRUN echo "run $(id -u)" >/made; hostname >/dev/null\nUSER 1000\nRUN id -u; grep -E "^(CapEff|Seccomp:)" /proc/self/status >/tmp/may\nFROM bb\nCOPY --from=first /made /tmp/may /all/\nRUN cat /all/*\n' >/tmp/context/Dockerfile
  DOCKER_BUILDKIT=1 docker build --progress plain --no-cache --network none -t built /tmp/context >/tmp/out 2>&1 || { tail -n 3 /tmp/out; exit 1; }
  run --rm built sh -c 'cat /all/*'
  printf 'FROM bb\nRUN exit 7\n' >/tmp/context/Dockerfile
  fails env DOCKER_BUILDKIT=1 docker build --no-cache --network none /tmp/context
  docker rmi -f built >/dev/null
}
