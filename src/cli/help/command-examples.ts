/** Examples in the help and the man page of each command. */
import type { CommandName } from '../command-syntax.js';

export interface Example {
  /** What the line does: begins with a verb in the imperative; upper case, without a full stop. */
  readonly purpose: string;
  /** A line for a shell. */
  readonly line: string;
}

const example = (purpose: string, line: string): Example => ({ purpose, line });

/** A first session, for the overview. */
export const overviewExamples: readonly Example[] = [
  example('Write a config.json for the root file system in ./rootfs', 'runt spec'),
  example('Run a container from it', 'runt run web'),
  example('Open another shell in it', 'runt exec --tty web /bin/sh'),
  example('Kill and delete it', 'runt delete --force web'),
];

export const commandExamples: { readonly [N in CommandName]: readonly [Example, ...Example[]] } = {
  create: [
    example('Create a container from the bundle in the current directory', 'runt create web'),
    example('Record its exit status for "runt wait"', 'runt create --bundle /srv/web --supervise web'),
    example('Create its cgroup as a systemd scope', 'runt --systemd-cgroup create --bundle /srv/web web'),
  ],
  start: [example('Start a created container', 'runt start web')],
  run: [
    example('Run a container in the foreground', 'runt run --bundle /srv/web web'),
    example('Run it in the background', 'runt run --detach --pid-file /run/web.pid --bundle /srv/web web'),
    example('Run it for at most 10 minutes', 'runt run --timeout 10m --summary --bundle /srv/web web'),
  ],
  state: [example('Print the state of a container', 'runt state web')],
  wait: [
    example('Print the exit status of a container', 'runt wait web'),
    example('Wait for at most a minute', 'runt wait --timeout 1m web'),
    example('Print how a process of exec --detach ended', 'runt wait --pid 4242 --format json web'),
  ],
  exec: [
    example('Open a shell in a container', 'runt exec --tty web /bin/sh'),
    example('Run a command as another user', 'runt exec --user 1000:1000 --env LANG=C.UTF-8 web id'),
    example('Run a process that a JSON file describes', 'runt exec --detach --process process.json web'),
  ],
  ps: [
    example('List the processes of a container', 'runt ps web'),
    example('Choose the columns', 'runt ps web -eo pid,user,args'),
    example('Print the process IDs', 'runt ps --format json web'),
  ],
  checkpoint: [
    example('Save a container and delete it', 'runt checkpoint --image-path /srv/images/web web'),
    example('Save its memory while it runs', 'runt checkpoint --pre-dump --image-path /srv/images/1 web'),
    example('Save the rest', 'runt checkpoint --parent-path ../1 --image-path /srv/images/2 web'),
  ],
  restore: [
    example(
      'Restore a container in the background',
      'runt restore --detach --bundle /srv/web --image-path /srv/images/web web',
    ),
  ],
  pause: [example('Freeze a container', 'runt pause web')],
  resume: [example('Thaw a container', 'runt resume web')],
  update: [
    example('Limit memory, and memory and swap together', 'runt update --memory 512m --memory-swap 1g web'),
    example('Limit CPU time to half a CPU', 'runt update --cpu-period 100000 --cpu-quota 50000 web'),
    example('Read the limits from standard input', `echo '{"pids":{"limit":100}}' | runt update --resources - web`),
  ],
  events: [
    example('Print statistics every minute', 'runt events --interval 1m web'),
    example('Print the statistics once', 'runt events --stats web'),
  ],
  kill: [
    example('Ask a container to end', 'runt kill web'),
    example('Kill all of its processes', 'runt kill --all web KILL'),
    example('Signal every container whose ID begins with job-', "runt kill --regex '^job-' HUP"),
  ],
  stop: [
    example('End a container, by force after 10 seconds', 'runt stop web'),
    example('Give it a minute', 'runt stop --timeout 1m web'),
  ],
  delete: [
    example('Delete a stopped container', 'runt delete web'),
    example('Kill a container and delete it', 'runt delete --force web'),
    example('Delete a container when it has ended', 'runt delete --wait web'),
  ],
  list: [
    example('List all containers', 'runt list'),
    example('Print only their IDs', 'runt list --quiet'),
    example('List the containers of Docker', 'runt --root /run/docker/runtime-runc/moby list'),
  ],
  spec: [
    example('Write a config.json to edit', 'runt spec'),
    example(
      'Write one that runs nginx with a volume and limits',
      "runt spec --bundle /srv/web --volume /srv/data:/data:ro --memory 256m --pids 100 nginx -g 'daemon off;'",
    ),
    example('Write one for a user other than root', 'runt spec --rootless --bundle bundle /bin/sh'),
  ],
  bundle: [
    example('Make a bundle of an image that skopeo has copied', 'runt bundle alpine web'),
    example(
      'Choose an image of an archive, and a command',
      'runt bundle --ref app:1.2 images.tar app /bin/app --verbose',
    ),
    example(
      "Give it Docker's capabilities, and a volume",
      'runt bundle --profile docker --volume /srv/data:/var/lib/data postgres db',
    ),
  ],
  version: [example('Print the version', 'runt version')],
  validate: [
    example('Check the config of a bundle', 'runt validate /srv/web'),
    example('Refuse unknown properties, and print JSON', 'runt validate --strict --format json config.json'),
  ],
  explain: [
    example('Print what create would do', 'runt explain /srv/web'),
    example('Print the plan as JSON', 'runt --systemd-cgroup explain --format json /srv/web'),
    example('Compare two bundles', 'runt explain --diff /srv/web /srv/web.new'),
  ],
  features: [example('Print the features', 'runt features')],
  serve: [
    example('Serve on a socket', 'runt serve --listen unix:///run/runt.sock'),
    example(
      'Serve the pods of containerd',
      'runt serve --listen unix:///run/runt/serve.sock --containerd /run/containerd/containerd.sock',
    ),
    example('Do the same with the npm package', 'npx runt-oci serve --listen unix:///run/runt.sock'),
  ],
  debug: [
    example('Print the report', 'runt debug web'),
    example('Save it to a file', 'runt debug --format json web > web.json'),
  ],
  doctor: [
    example('Print what does not work', 'runt doctor'),
    example('List the failed classes in a script', "runt doctor --format json | jq -r '.failed[]'"),
  ],
  install: [
    example('See what would be written for Docker, and write nothing', 'runt install --docker --dry-run'),
    example('Configure a node of Kubernetes, and restart its engine', 'runt install --kubernetes --restart'),
    example('Put everything back', 'runt install --undo'),
  ],
  network: [
    example('Connect the container of a process', `runt network add bridge <<<'{"id": "web", "pid": 4242}'`),
    example('Disconnect a container', `runt network del <<<'{"id": "web"}'`),
  ],
  completion: [
    example('Enable completion in a running bash', 'source <(runt completion bash)'),
    example('Install the script for fish', 'runt completion fish > ~/.config/fish/completions/runt.fish'),
  ],
  help: [example('Print all commands', 'runt help'), example('Print the help of create', 'runt help create')],
};
