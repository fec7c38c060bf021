/** Sends frames from one network namespace and reads the counters of another, on a thread of its own. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { linkSender } from '#kvm-lab/providers/netns/packet-sender.ts';
import { checked, libc } from '#properties/oracles/netlink/libc.ts';
import type { Seen, Shot } from './send.ts';

interface Order {
  readonly target: string;
  readonly from: string;
  readonly device: string;
  readonly shots: readonly Shot[];
  readonly pauseMs: number;
  readonly timeLimitMs: number;
}

const cloneNewnet = 0x4000_0000;
const settleMs = 30;

function enter(descriptor: number): void {
  checked('setns', libc().setns(descriptor, cloneNewnet));
}

function wait(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** `Ip InDelivers`, `eth0 sent` … of the namespace that this thread is in. */
function counters(): Map<string, number> {
  const found = new Map<string, number>();
  const lines = readFileSync('/proc/thread-self/net/snmp', 'utf8').split('\n');
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const names = (lines[i] ?? '').split(' ');
    const values = (lines[i + 1] ?? '').split(' ');
    names.forEach((name, j) => {
      if (j > 0) found.set(`${(names[0] ?? '').replace(':', '')} ${name}`, Number(values[j]));
    });
  }
  for (const line of readFileSync('/proc/thread-self/net/snmp6', 'utf8').split('\n')) {
    const [name = '', value] = line.split(/\s+/);
    if (value !== undefined) found.set(name, Number(value));
  }
  for (const line of readFileSync('/proc/thread-self/net/dev', 'utf8').split('\n').slice(2)) {
    const [name = '', ...values] = line.trim().split(/[:\s]+/);
    if (name !== '') found.set(`${name} sent`, Number(values[9]));
  }
  return found;
}

function changed(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>) {
  return Object.fromEntries(
    [...after].flatMap(([name, value]) => {
      const difference = value - (before.get(name) ?? 0);
      return difference === 0 ? [] : [[name, difference] as const];
    }),
  );
}

function shootAll({ target, from, device, shots, pauseMs, timeLimitMs }: Order): Seen[] {
  const end = performance.now() + timeLimitMs;
  const [there, here] = [openSync(target, 'r'), openSync(from, 'r')];
  enter(here);
  const sender = linkSender(device);
  const seen: Seen[] = [];
  try {
    for (const shot of shots) {
      if (performance.now() > end) break;
      enter(there);
      const before = counters();
      sender.send(Buffer.from(shot.frame, 'hex'));
      wait(settleMs);
      seen.push({ ...shot, counted: changed(before, counters()) });
      wait(Math.max(0, pauseMs - settleMs));
    }
  } finally {
    sender.close();
    closeSync(there);
    closeSync(here);
  }
  return seen;
}

parentPort?.postMessage(shootAll(workerData as Order));
