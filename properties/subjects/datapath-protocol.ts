/**
 * How a harness drives a subject's datapath: a process of its own, a JSON line in, a JSON line out, the same
 * for every subject. Test-only: nothing that ships can be driven like this.
 * Invariant: the process dies with its parent; an order is answered once, by its id; with `step` on, it
 * stops before everything that changes the kernel until it is told to go on.
 */
import { readSync, writeSync } from 'node:fs';
import koffi from 'koffi';

export interface GuestPlace {
  readonly guest: string;
  readonly gateway: string;
  readonly resolver: string;
}

export interface SandboxPlace {
  readonly tap: string;
  readonly tapMac: string;
  readonly guestMac: string;
  readonly ipv4: GuestPlace;
  readonly ipv6: GuestPlace | null;
}

export interface PolicyOrder {
  readonly egress: 'deny' | 'allow';
  readonly allow: readonly string[];
  readonly inbound: readonly {
    readonly protocol: 'tcp' | 'udp';
    readonly podPort: number;
    readonly guestPort: number;
    readonly from: string;
  }[];
}

export interface PodPlace {
  readonly uplink: string;
  readonly denyCIDRs: readonly string[];
  readonly nat64Prefixes: readonly string[];
  readonly pinPrivateCIDRs: readonly string[];
  readonly masqueradePorts: readonly [first: number, last: number];
  readonly maxPins: number;
}

export interface PinOrder {
  readonly tap: string;
  readonly address: string;
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly timeoutMs: number;
}

export type DatapathOrder =
  | {
      readonly do: 'enter';
      /** null: the process was started in the pod's network namespace. */
      readonly netns: string | null;
      /** Where taps cannot be had: the namespace in which the other end of a veth stands for a tap's descriptor. */
      readonly guestSide: string | null;
      readonly pod: PodPlace;
    }
  | { readonly do: 'open'; readonly network: SandboxPlace; readonly policy: PolicyOrder }
  | { readonly do: 'change'; readonly tap: string; readonly policy: PolicyOrder }
  | { readonly do: 'pin'; readonly pins: readonly PinOrder[] }
  | { readonly do: 'close'; readonly tap: string }
  /** The VMM has its copy of the descriptor: ours goes. */
  | { readonly do: 'handed'; readonly fd: number }
  | { readonly do: 'step'; readonly on: boolean }
  | { readonly do: 'leave' };

/** The VMM's end: a descriptor of this process, or null for a persistent tap that is opened by its name. */
export interface OpenedTap {
  readonly fd: number | null;
}

export interface DatapathAnswer {
  readonly id: number;
  readonly ok: boolean;
  readonly error?: string;
  readonly fd?: number | null;
}

/** Written when stepping: what is about to be done. `{"go":true}` lets it be done. */
export interface DatapathStep {
  readonly step: string;
}

export interface DrivenDatapath {
  open(network: SandboxPlace, policy: PolicyOrder): OpenedTap;
  change(tap: string, policy: PolicyOrder): void;
  pin(pins: readonly PinOrder[]): void;
  close(tap: string): void;
  shutDown(): void;
}

/** Called before every change to the kernel. */
export type Step = (what: string) => void;

const libc = koffi.load('libc.so.6');
const prctl = libc.func(
  'int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)',
);
const open = libc.func('int open(const char *path, int flags)');
const setns = libc.func('int setns(int fd, int type)');
const close = libc.func('int close(int fd)');
const PR_SET_PDEATHSIG = 1;
const CLONE_NEWNET = 0x40000000;
const O_RDONLY_CLOEXEC = 0x80000;

/** The kernel kills this process when its parent dies. */
export const dieWithParent = () => void prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0);

/** The calling thread's network namespace from now on. */
export function enter(path: string): void {
  const fd = open(path, O_RDONLY_CLOEXEC);
  if (fd < 0) throw new Error(`open ${path}: errno ${koffi.errno()}`);
  const result = setns(fd, CLONE_NEWNET);
  const errno = koffi.errno();
  close(fd);
  if (result !== 0) throw new Error(`setns: errno ${errno}`);
}

const chunk = Buffer.alloc(1 << 16);
let pending = '';

/** The next line, or null at the end. Waits in the call: between orders nothing else happens here. */
function nextLine(): string | null {
  for (;;) {
    const end = pending.indexOf('\n');
    if (end >= 0) {
      const line = pending.slice(0, end);
      pending = pending.slice(end + 1);
      return line;
    }
    const octets = readSync(0, chunk);
    if (octets === 0) return null;
    pending += chunk.toString('utf8', 0, octets);
  }
}

const say = (line: DatapathAnswer | DatapathStep) => writeSync(1, `${JSON.stringify(line)}\n`);

/** Serves until stdin ends. `make` is called in the pod's namespace. */
export function serveDatapath(
  make: (pod: PodPlace, step: Step, guestSide: string | null) => DrivenDatapath,
): void {
  dieWithParent();
  const home = `/proc/${process.pid}/ns/net`;
  const homeFd = open(home, O_RDONLY_CLOEXEC);
  let stepping = false;
  let standing: DrivenDatapath | null = null;
  const step: Step = (what) => {
    if (!stepping) return;
    say({ step: what });
    if (nextLine() === null) process.exit(0);
  };
  const obey = (order: DatapathOrder): Partial<DatapathAnswer> => {
    if (order.do === 'step') stepping = order.on;
    else if (order.do === 'handed') close(order.fd);
    else if (order.do === 'enter') {
      if (order.netns !== null) enter(order.netns);
      standing = make(order.pod, step, order.guestSide);
    } else if (order.do === 'leave') {
      try {
        standing?.shutDown();
      } finally {
        standing = null;
        setns(homeFd, CLONE_NEWNET);
      }
    } else return obeyDatapath(standing, order);
    return {};
  };
  for (let line = nextLine(); line !== null; line = nextLine()) {
    const { id, ...order } = JSON.parse(line) as DatapathOrder & { id: number };
    try {
      say({ id, ok: true, ...obey(order as DatapathOrder) });
    } catch (error) {
      say({ id, ok: false, error: error instanceof Error ? error.message : String(error) });
    }
  }
}

type DatapathVerb = 'open' | 'change' | 'pin' | 'close';

function obeyDatapath(
  datapath: DrivenDatapath | null,
  order: Extract<DatapathOrder, { do: DatapathVerb }>,
): Partial<DatapathAnswer> {
  if (datapath === null) throw new Error(`${order.do} before enter`);
  if (order.do === 'open') return datapath.open(order.network, order.policy);
  if (order.do === 'change') datapath.change(order.tap, order.policy);
  else if (order.do === 'pin') datapath.pin(order.pins);
  else datapath.close(order.tap);
  return {};
}
