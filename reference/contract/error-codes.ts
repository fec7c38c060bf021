/** Every code that a CodedError carries, what it means and what to do: the source of docs/errors.md. */
import { engineErrorCodes } from './engine-error-codes.ts';

export const errorCodes: Readonly<Record<string, { readonly means: string; readonly remedy: string }>> = {
  ...engineErrorCodes,
  'address-refused': {
    means: 'the kernel refused to bind a resolver address',
    remedy:
      'a port below 1024 needs CAP_NET_BIND_SERVICE, or net.ipv4.ip_unprivileged_port_start at most as high',
  },
  'address-taken': {
    means: 'another process listens on an address of a resolver or of the sandbox server',
    remedy: 'see who with ss -lnup and ss -lntp; end it, or name another address',
  },
  'artifact-mismatch': {
    means: 'what a guest is to boot from has another SHA-256 than the one that is pinned',
    remedy: 'if its version was meant to change: pnpm lab artifacts --update; else do not use it',
  },
  'artifact-missing': {
    means: 'a package that a guest boots from cannot be fetched or unpacked',
    remedy:
      'apt-get update, as root, and again; if the archive no longer has it: pnpm lab artifacts --update',
  },
  'bad-address': {
    means: 'what should be an address is none',
    remedy: 'write it as 10.0.0.1 or fd00::1',
  },
  'bad-allow-entry': {
    means: 'an allow entry of a template is neither host:port, *.host:port nor CIDR:port',
    remedy: 'write [tcp|udp://]host:port, for example *.example.com:443',
  },
  'bad-corpus': {
    means: 'a file of vectors is not there, not JSON, outside its schema, or names an id twice',
    remedy: 'mend the file, or make it anew with pnpm generate',
  },
  'bad-dns-flag': {
    means: 'a flag of pnpm check dns is missing, or is no endpoint, name, prefix, entry, set or part',
    remedy: 'write it as the message shows',
  },
  'bad-endpoint': {
    means: 'what should be ADDRESS:PORT is no such thing',
    remedy: 'write it as 192.0.2.53:53 or [2001:db8::53]:53',
  },
  'bad-flag': {
    means: 'a flag of a process of the reference is missing or is no such value',
    remedy: 'see its --help',
  },
  'bad-guest-flag': {
    means:
      'a flag of pnpm check guest is missing, or is no endpoint, command or part, or contradicts another',
    remedy: 'write it as the message shows',
  },
  'bad-header': {
    means: 'the first line on stdin is no header of the subject protocol, or names another decision',
    remedy: 'begin with {"v":1,"decision":…,"config":…} as docs/decisions.md shows',
  },
  'bad-machine': {
    means: 'a machine is asked for that the VMM cannot make',
    remedy: 'correct the machine of the template, as the message says',
  },
  'bad-nat64-prefix': {
    means: 'a NAT64 prefix has a length that RFC 6052 does not know, or bits 64 to 71 set',
    remedy: 'name the prefix that the translator uses, of /32 /40 /48 /56 /64 or /96',
  },
  'bad-network': {
    means: 'the network of a pod or sandbox names no interface, MAC or range of ports that can be used',
    remedy: 'mend the field that the message names',
  },
  'bad-nft-flag': {
    means: 'a flag of pnpm check nft is missing, or is no address, MAC, interface or entry of a policy',
    remedy: 'write it as the message shows',
  },
  'bad-path': {
    means: '--path is no path of a counterexample, or stands without its claim and subject',
    remedy: 'copy the whole replay line',
  },
  'bad-prefix': {
    means: 'an entry of the address policy is no prefix, or has host bits set',
    remedy: 'write it as 10.96.0.0/12 or fd00::/8',
  },
  'bad-ruleset': {
    means: 'a ruleset cannot be read, is not JSON, or lacks what only the kernel or the caller can say',
    remedy: 'give the output of nft -j list ruleset, or read the ruleset with --netns',
  },
  'bad-shard': { means: '--shard is not i/n', remedy: 'write i/n with 1 ≤ i ≤ n ≤ 1000' },
  'bad-storage-key': {
    means: 'the key that snapshots on a disk are encrypted with cannot be read, or is none',
    remedy: 'give 32 octets, or 64 hexadecimal digits, in a file of mode 0600: openssl rand -hex 32',
  },
  'bad-topology': {
    means: 'an interface is not where the ruleset is, or has no address where a guest is behind it',
    remedy: 'name one that is there; give its address with --local',
  },
  'bad-value': {
    means: 'an option is not a number within its bounds',
    remedy: 'give an integer within the bounds that the message names',
  },
  'bad-volume': {
    means: 'a volume has no slot in a machine, does not fit it, is no file, or is given twice',
    remedy: 'give each volume as a file of the length that its slot in the template says, once',
  },
  'bad-workflow': {
    means: 'a workflow file is no YAML, or has no jobs',
    remedy: 'mend what the message names',
  },
  'datapath-taken': {
    means: 'another process is the datapath of this network namespace',
    remedy: 'end it, or give this one a network namespace of its own',
  },
  'disk-full': {
    means: 'a snapshot cannot be written whole; nothing of it was left',
    remedy: 'make room, or keep fewer snapshots',
  },
  'file-too-large': {
    means: 'what should be a kernel, an initrd or a part of a snapshot is longer than it may be',
    remedy: 'see that it is the right file',
  },
  'filter-taken': {
    means: 'another process filters what leaves a network namespace',
    remedy: 'end it first; see ss -xap for who holds @mitos/dns',
  },
  'guest-line-too-long': {
    means: 'an answer of the guest agent is longer than a line of the protocol',
    remedy: 'answer in chunks',
  },
  'husk-not-dormant': {
    means: 'a husk was prepared or activated that was before, or has ended',
    remedy: 'take another husk; one that was activated is never released again',
  },
  'image-not-built': {
    means: 'the image of a husk’s container could not be built; nothing half-built was left',
    remedy: 'install mmdebstrap; see what it said',
  },
  'ipv6-unsupported': {
    means: 'IPv6 is asked for in a pod that forwards none: net.ipv6.conf.all.forwarding is 0',
    remedy: 'allow this unsafe sysctl and set it to 1 in the pod’s securityContext, or leave IPv6 off',
  },
  'kernel-refused': {
    means: 'a kernel or an initrd is not the one whose digest is set, or no regular file',
    remedy: 'stage the right file, or set the digest of the one that is meant',
  },
  'lab-failed': {
    means: 'the lab of microVMs did not come up, or a request to it broke',
    remedy: 'see lab.log in the cache folder',
  },
  'line-too-long': {
    means: 'a line on stdin exceeds the bound of the subject protocol',
    remedy: 'send one case a line',
  },
  'mutation-failed': {
    means: 'Stryker ended before it had judged the mutants of a part',
    remedy: 'run the tests that judge it: npx vitest run -c vitest.mutation.config.ts',
  },
  'netlink-silent': {
    means: 'the kernel did not answer a netlink request in time',
    remedy: 'see dmesg; try again',
  },
  'netlink-unsettled': {
    means: 'a table of the kernel changed during each of many dumps',
    remedy: 'let nobody else change it all the time',
  },
  'no-guest-interface': {
    means: 'the guest has no eth0, and was given a network',
    remedy: 'give the VM a network device, or no network to configure',
  },
  'no-guest-port': {
    means: 'the guest has no virtio-serial port of a channel',
    remedy: 'give the VM a virtserialport of that name, and load the module virtio_console',
  },
  'no-firecracker': {
    means: 'Firecracker is not there, or does not tell its version',
    remedy: 'set FIRECRACKER_BIN to the program',
  },
  'no-interface': {
    means: 'there is no interface of that name in the network namespace',
    remedy: 'name one that ip link shows',
  },
  'no-landlock': {
    means: 'the kernel has no Landlock, without which no VMM is started',
    remedy: 'take a kernel with CONFIG_SECURITY_LANDLOCK, and landlock among the lsm= of its command line',
  },
  'no-net-admin': {
    means: 'nf_tables may not be changed in a network namespace',
    remedy: 'run it with CAP_NET_ADMIN in the user namespace that owns the network namespace',
  },
  'no-qemu': {
    means: 'QEMU is not there, or does not tell its version',
    remedy: 'install qemu-system-x86',
  },
  'no-sandbox': {
    means: 'no sandbox stands at that tap',
    remedy: 'open one, or name the tap of one',
  },
  'no-lab': {
    means: 'no lab of microVMs is up',
    remedy: 'pnpm lab up',
  },
  'no-namespace': {
    means: 'a network namespace is not there, or may not be entered',
    remedy: 'see ip netns list; run as root, or in the user namespace that owns it',
  },
  'no-separator': {
    means: 'a program to check was named without -- before it, so that its options could be taken for ours',
    remedy: 'pnpm check decision <decision> -- <program> <its arguments>',
  },
  'no-set': {
    means: 'a set of nf_tables that holds a server’s pins cannot be read',
    remedy: 'name it as nft list sets shows it, with --netns where it is elsewhere; run as root',
  },
  'no-such-address': {
    means: 'no interface has the address that a resolver is to listen on',
    remedy: 'name one that ip address shows, in the same network namespace',
  },
  'no-overlay': {
    means: 'there is nowhere to put what a guest writes to a private volume',
    remedy: 'give the VMM a folder on a file system that has O_TMPFILE (ext4, xfs, btrfs, tmpfs), and room',
  },
  'no-tun': {
    means: '/dev/net/tun cannot be opened',
    remedy: 'give the pod the device /dev/net/tun, or load the module tun',
  },
  'no-upstream-listener': {
    means: 'the hostile upstream of pnpm check dns cannot listen where it was told to',
    remedy: 'name a free address and port with --upstream-listen, and tell the server',
  },
  'no-upstream': {
    means: 'there is no upstream server to ask',
    remedy: 'name one, or give a resolv.conf that has a nameserver line',
  },
  'no-volume': {
    means: 'no block device of the guest has the serial of a volume',
    remedy: 'give the VM a virtio-blk device of that serial',
  },
  'not-pid-1': {
    means: 'the guest agent was not started as PID 1',
    remedy: 'boot it as init, or run it under unshare --pid --fork as --help shows',
  },
  'not-sent': {
    means: 'a frame could not be put on the link that --send-on names',
    remedy: 'name an interface that is there; run with the right to send on it',
  },
  'not-your-target': {
    means: 'packets were to be sent to a target that is no namespace of the lab and not on loopback',
    remedy: 'see what would be sent with --dry-run; if the target is yours, say --i-own-this-target',
  },
  'nothing-selected': {
    means: 'no cell of the matrix is selected',
    remedy: 'name a claim and a subject that has input for it',
  },
  'own-namespace': {
    means: 'an egress filter was asked for the network namespace that the command itself runs in',
    remedy: 'name another one: the network of the host is never filtered',
  },
  'pins-refused': {
    means: 'the kernel refused to empty or to take back pins of a sandbox',
    remedy:
      'see that the datapath stands and that NET_ADMIN is there; nothing is pinned there until it succeeds',
  },
  'proof-too-large': {
    means: 'a proof needs more BDD nodes, or more runs of a decision, than it may',
    remedy: 'prove it in a smaller scope; a decision that reads octets by itself lets a trie answer instead',
  },
  'report-not-written': {
    means: 'a report could not be written whole; nothing half-written was left',
    remedy: 'name a file in a folder that exists, is writable and has space',
  },
  'ruleset-refused': {
    means: 'nf_tables refused a transaction; nothing of it stands',
    remedy: 'look for a name that is taken, and for NET_ADMIN and the module nf_tables',
  },
  'snapshot-mismatch': {
    means: 'a snapshot is not what its manifest says, or was made by another VMM or on another machine',
    remedy: 'build the template anew on this node',
  },
  'snapshot-taken': {
    means: 'there is something already where a snapshot was to be stored',
    remedy: 'load the one that is there, or remove it',
  },
  'stale-mutant': {
    means: 'a mutant’s text is not there exactly once',
    remedy: 'bring the mutant up to date with its file',
  },
  'tap-taken': {
    means: 'there is an interface or a sandbox at that tap already',
    remedy: 'close it first, name another one, or let the datapath reconcile what a killed run left',
  },
  'unknown-attack': { means: 'there is no such attack', remedy: 'choose one of e2e/attacks' },
  'unknown-benchmark': { means: 'there is no such benchmark', remedy: 'see pnpm bench --help' },
  'unknown-claim': { means: 'there is no such claim or finding', remedy: 'choose one of docs/claims.md' },
  'unknown-commit': {
    means: 'the commit that a change is measured against is not in this clone',
    remedy: 'name one that is, or fetch it',
  },
  'unknown-decision': { means: 'there is no such decision', remedy: 'choose one of docs/decisions.md' },
  'unknown-guest': {
    means: 'there is no such guest that a lab of microVMs can be made of',
    remedy: 'choose one of pnpm lab guests',
  },
  'unknown-kernel': {
    means: 'there is no such kernel among the artifacts of guests',
    remedy: 'choose one of kvm-lab/artifacts/artifacts.lock.json',
  },
  'unknown-part': {
    means: 'there is no such folder or file of reference/decisions',
    remedy: 'see pnpm test:mutation --help, or name none for all',
  },
  'unknown-proof': { means: 'there is no such proof', remedy: 'choose one of docs/proofs.md' },
  'unknown-provider': {
    means: 'there is no such provider of a network lab',
    remedy: 'see pnpm e2e:husk-network --help',
  },
  'unknown-subject': {
    means: 'there is no such subject',
    remedy: 'vulnerable, published, reference, mutants or mutant:<id>',
  },
  'unknown-target': { means: 'there is no such target of the fuzzer', remedy: 'see pnpm test:fuzz --help' },
  'unknown-tool': {
    means: 'there is no such tool whose ruleset is captured',
    remedy: 'see pnpm lab rulesets --help',
  },
  'unsupported-machine': {
    means: 'the fast datagram adapter does not know the layout of the kernel’s structures on this machine',
    remedy: 'run it on Linux on x64 or arm64, or ask for the adapter on node:dgram',
  },
  'upstream-loop': {
    means: 'an upstream server is the proxy itself',
    remedy: 'name the server that this machine asks, as in /run/systemd/resolve/resolv.conf',
  },
  'vmm-failed': {
    means: 'a virtual machine monitor did not start, did not answer in time, or refused what it was asked',
    remedy: 'see what the VMM said, and whether the guest is alive',
  },
  'volume-empty': {
    means: 'a volume holds no file system that the guest’s kernel knows, or there is none in its slot',
    remedy: 'attach a volume, with a file system that docs/guests.md names',
  },
  'volume-outside': {
    means: 'a volume was to be mounted where the guest keeps its own, or through a link',
    remedy: 'name a folder that is neither, nor holds one',
  },
  'volume-taken': {
    means: 'a volume, or the path that it was to be mounted on, is mounted already',
    remedy: 'give each volume a path of its own, once',
  },
};
