/** Codes of fork engines and of the sandbox server: rows of the catalogue in error-codes.ts. */
export const engineErrorCodes: Readonly<Record<string, { readonly means: string; readonly remedy: string }>> =
  {
    'answer-cut-off': {
      means: 'a program ran in a sandbox, and how it ended was not told',
      remedy: 'see the log of the sandbox server',
    },
    'bad-folder': {
      means:
        'the folder that a fork engine was to keep its state in is another user’s, a link, or cannot be made',
      remedy: 'name a folder that belongs to the user of the process, or one that it can make',
    },
    'bad-husk-request': {
      means:
        'a husk was asked for what is no request; the message names the field, and never what stands in it',
      remedy: 'mend what the message names; see node reference/main/husk.ts --help',
    },
    'bad-request': {
      means: 'a request to the sandbox server is none',
      remedy: 'see /openapi.json',
    },
    'bad-rootfs': {
      means: 'a folder of files cannot be put over a guest’s first root',
      remedy: 'give a folder of regular files, folders and links, not larger than the bound',
    },
    'bad-secret': {
      means: 'a secret of a sandbox is too long, or is neither a variable nor a file',
      remedy: 'mend what the message names',
    },
    'control-socket-taken': {
      means: 'a husk cannot listen for who controls it: somebody does there, or it is no place to listen',
      remedy: 'end who listens there, or name a path in a folder that is there',
    },
    'engine-closed': {
      means: 'a fork engine was asked for something while it ends',
      remedy: 'start another one',
    },
    'fork-not-reaped': {
      means: 'a fork was refused or ended, and something of it is left',
      remedy: 'see what the log names; restart the engine: it takes away what is left',
    },
    'fork-refused': {
      means: 'a fork did not pass the reseed gate; it was reaped',
      remedy: 'fork again; if it is refused again, build the template anew',
    },
    'forkd-taken': {
      means: 'another fork engine works in a folder',
      remedy: 'end it, or give this one a folder of its own',
    },
    'guest-busy': {
      means: 'as many requests are in flight in a guest as may be',
      remedy: 'wait until one of them has ended',
    },
    'guest-channel-ended': {
      means: 'a channel of a guest was closed, failed, or was broken off because the guest broke its rules',
      remedy: 'terminate the sandbox',
    },
    'guest-refused': {
      means: 'a guest refused what was asked of it',
      remedy: 'see what it says',
    },
    'guest-request-too-long': {
      means: 'a request to a guest is longer than a line may be',
      remedy: 'shorten its arguments, environment or path',
    },
    'guest-silent': {
      means: 'a guest did not answer in time',
      remedy: 'terminate the sandbox when it does so again',
    },
    'journal-failed': {
      means: 'the crash journal of a fork engine cannot be read or written, or is damaged',
      remedy:
        'free space and start the engine again; when it is damaged, see that none of its VMs is left, and remove it',
    },
    'left-behind': {
      means: 'something that a killed fork engine had made does not go',
      remedy: 'see what holds it (ps, dmesg), end it, and start again',
    },
    'no-cgroups': {
      means: 'each VM was to have a cgroup, and the process may not divide its own, or it lacks a controller',
      remedy: 'give the process a cgroup to divide (systemd: Delegate=yes), or --cgroups auto',
    },
    'no-network': {
      means: 'a sandbox was to have a network, and the engine has none to give',
      remedy: 'run it as root, with /dev/net/tun; or fork without a network',
    },
    'no-such-image': {
      means: 'the sandbox server was not started with an image of that name',
      remedy: 'choose one that the message names',
    },
    'no-such-sandbox': {
      means: 'there is no sandbox of that id',
      remedy: 'fork one; it may have ended',
    },
    'no-such-template': {
      means: 'there is no template of that id',
      remedy: 'build it first',
    },
    'no-server': {
      means: 'no sandbox server runs on a folder',
      remedy: 'start one with pnpm sandbox serve, or name its folder with --folder',
    },
    'node-socket-taken': {
      means: 'forkd cannot listen for the husks of its node: somebody does there, or the path is no socket’s',
      remedy: 'end who listens there, or name a path in a folder that is there',
    },
    'node-unreachable': {
      means: 'a husk cannot ask forkd of its node, or is answered by somebody else: its forks are refused',
      remedy: 'see that forkd runs, with --node-socket and the uid and gid of this husk',
    },
    'not-released': {
      means: 'something was to be delivered to a fork that has not passed the gate',
      remedy: 'wait until it is ready; a fork that was refused never is',
    },
    'sandbox-busy': {
      means: 'a sandbox is being forked, or cannot be while requests are in flight',
      remedy: 'try again when that has ended',
    },
    'secret-not-delivered': {
      means: 'a secret could not be written in a guest; the sandbox was ended',
      remedy: 'name a path that is a file’s, in a folder that can be made',
    },
    'secrets-not-inherited': {
      means: 'a sandbox that holds secrets was to be forked',
      remedy: 'fork one without secrets, or allow their inheritance',
    },
    'server-refused': {
      means: 'the sandbox server refused a request of its client',
      remedy: 'do what the message says',
    },
    'snapshot-refused': {
      means: 'a sandbox could not be frozen, and goes on',
      remedy: 'end what cannot be frozen',
    },
    'state-full': {
      means:
        'templates and private volumes take as much of the disk as they may; nothing of the new one is left',
      remedy: 'remove templates that nobody forks any more, terminate sandboxes with volumes, or allow more',
    },
    'template-refused': {
      means:
        'a guest did not become a template: it died, an init command failed, or a process would live on in it',
      remedy: 'mend the image or its init commands, and build it again',
    },
    'too-many-requests': {
      means: 'as many requests are under way at the sandbox server as may be',
      remedy: 'try again when one of them has ended',
    },
    'too-many-templates': {
      means: 'a fork engine has as many templates as it may',
      remedy: 'remove one that nobody forks any more',
    },
    'too-many-vms': {
      means: 'a fork engine has as many VMs as it may, or memory is short',
      remedy: 'terminate sandboxes, and try again later',
    },
    unauthorized: {
      means: 'the bearer token of a request to the sandbox server is missing or wrong',
      remedy: 'send the one in the token file of the server',
    },
    'volume-not-inherited': {
      means: 'a sandbox with a private volume was to be forked: what it has written there would be lost',
      remedy: 'fork one whose volumes are read-only, or fork the template and give each fork its volume',
    },
    'volume-not-mounted': {
      means: 'a guest could not mount a volume; the fork was reaped',
      remedy:
        'give an image of a file system that docs/guests.md names, and a path that is a folder’s or nobody’s',
    },
    'witness-store-failed': {
      means:
        'the store behind the reseed gate cannot be read or written, or is damaged: its forks are refused',
      remedy: 'free space, or remove the template together with its witnesses and build it anew',
    },
    'witness-store-full': {
      means: 'the store behind the reseed gate holds as many snapshots as it may',
      remedy: 'remove templates that nobody forks any more',
    },
    'witness-store-taken': {
      means: 'another process writes the store behind the reseed gate',
      remedy: 'end it, or give this one a folder of its own',
    },
  };
