/**
 * What the lab asks of an agent under test, in the agent's own process: what it draws from each generator, and the
 * conditions of an attack. The same code in every subject, so that nothing but the agent differs.
 * Invariant: only guests of the lab have it; the channel is that of services, the request a line `{"lab": …}`.
 */
import { createHash, generateKeyPairSync, randomBytes, randomUUID, webcrypto } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import koffi from 'koffi';

/** What draws in the agent's process. */
export const agentReaders = [
  'getrandom',
  '/dev/urandom',
  'random/uuid',
  'randomBytes',
  'WebCrypto',
  'randomUUID',
  'Math.random',
  'EC key',
] as const;
export type AgentReader = (typeof agentReaders)[number];
/** Those that the kernel answers; the others keep a state of their own in the process. */
export const kernelReaders: readonly AgentReader[] = ['getrandom', '/dev/urandom', 'random/uuid'];

export type LabRequest =
  | { readonly lab: 'draw'; readonly times: number }
  /** RNDRESEEDCRNG and a read: from now on no read reseeds by itself for a while. */
  | { readonly lab: 'renew' }
  /** The device of the agent's ioctls becomes a regular file: ENOTTY. */
  | { readonly lab: 'device is a file' }
  /** EPERM. */
  | { readonly lab: 'without CAP_SYS_ADMIN' }
  /** In guests that misbehave: how. */
  | { readonly lab: 'behave'; readonly as: string };

export type LabReply = { readonly ok: boolean; readonly error?: string } & Readonly<Record<string, unknown>>;

const RNDRESEEDCRNG = 0x5207;
const maxDraws = 64;
const drawOctets = 16;

const libc = koffi.load('libc.so.6');
const ioctl = libc.func('int ioctl(int fd, unsigned long request, void *argument)');
const getrandom = libc.func('int64_t getrandom(void *buffer, size_t length, unsigned int flags)');
const dup2 = libc.func('int dup2(int from, int to)');
const capset = libc.func('int capset(const void *header, const void *data)');

function fromDevice(path: string): string {
  const fd = openSync(path, 'r');
  try {
    const octets = Buffer.alloc(drawOctets);
    readSync(fd, octets);
    return octets.toString('hex');
  } finally {
    closeSync(fd);
  }
}

function fromKernel(): string {
  const octets = Buffer.alloc(drawOctets);
  if (Number(getrandom(octets, octets.length, 0)) !== octets.length) throw new Error('getrandom');
  return octets.toString('hex');
}

function key(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return createHash('sha256')
    .update(privateKey.export({ type: 'pkcs8', format: 'der' }))
    .digest('hex');
}

const readers: Readonly<Record<AgentReader, () => string>> = {
  getrandom: fromKernel,
  '/dev/urandom': () => fromDevice('/dev/urandom'),
  'random/uuid': () => readFileSync('/proc/sys/kernel/random/uuid', 'latin1').trim(),
  randomBytes: () => randomBytes(drawOctets).toString('hex'),
  WebCrypto: () => Buffer.from(webcrypto.getRandomValues(new Uint8Array(drawOctets))).toString('hex'),
  randomUUID: () => randomUUID(),
  'Math.random': () => String(Math.random()),
  'EC key': key,
};

/** A list for each reader. An EC key is slow without KVM: one. */
function draw(times: number): Record<string, string[]> {
  const count = Math.min(times, maxDraws);
  return Object.fromEntries(
    agentReaders.map((name) => [
      name,
      Array.from({ length: name === 'EC key' ? 1 : count }, () => readers[name]()),
    ]),
  );
}

function renew(): void {
  const fd = openSync('/dev/urandom', 'r+');
  try {
    if (ioctl(fd, RNDRESEEDCRNG, null) !== 0) throw new Error('RNDRESEEDCRNG');
  } finally {
    closeSync(fd);
  }
  fromKernel();
}

/** Every descriptor of this process that is the kernel's generator. */
function replaceDevice(): number {
  const devices = readdirSync('/proc/self/fd').filter((fd) => isGenerator(fd));
  const file = openSync('/run/no-device', 'w+');
  for (const fd of devices) {
    if (dup2(file, Number(fd)) < 0) throw new Error('dup2');
  }
  return devices.length;
}

function isGenerator(fd: string): boolean {
  try {
    return ['/dev/urandom', '/dev/random'].includes(readlinkSync(`/proc/self/fd/${fd}`));
  } catch (error) {
    // The descriptor of the listing itself.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

const capabilityVersion3 = 0x20080522;
const CAP_SYS_ADMIN = 21;

/** All but one, of this thread: that is where the agent makes its calls. */
function dropSysAdmin(): void {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(capabilityVersion3, 0);
  const kept = (0xffffffff & ~(1 << CAP_SYS_ADMIN)) >>> 0;
  // Effective, permitted, inheritable: the first 32 capabilities, then the others.
  const data = Buffer.alloc(24);
  for (const [index, bits] of [kept, kept, 0, 0x1ff, 0x1ff, 0].entries()) data.writeUInt32LE(bits, 4 * index);
  if (capset(header, data) !== 0) throw new Error(`capset: errno ${koffi.errno()}`);
}

export function isLabRequest(value: unknown): value is LabRequest {
  return typeof value === 'object' && value !== null && 'lab' in value;
}

export function answerLab(request: LabRequest): LabReply {
  try {
    switch (request.lab) {
      case 'draw':
        return { ok: true, draws: draw(request.times) };
      case 'renew':
        renew();
        return { ok: true };
      case 'device is a file':
        return { ok: replaceDevice() > 0 };
      case 'without CAP_SYS_ADMIN':
        dropSysAdmin();
        return { ok: true };
      default:
        return { ok: false, error: 'this guest does not know it' };
    }
  } catch (error) {
    return { ok: false, error: String(error) };
  }
}
