/**
 * A veth in place of a tap, where /dev/net/tun cannot be opened: its other end has the same name in the guests'
 * namespace, is up, and stands for what a VMM would hold.
 */
import { execFileSync } from 'node:child_process';

const commandTimeoutMs = 10_000;

/** Commands that make it, down. */
export function vethCommands(name: string, guestSide: string): [program: string, words: string[]][] {
  const peer = ['peer', 'name', name, 'netns', guestSide];
  return [
    ['ip', ['link', 'add', 'dev', name, 'type', 'veth', ...peer]],
    ['nsenter', [`--net=${guestSide}`, 'ip', 'link', 'set', 'dev', name, 'up']],
  ];
}

export function makeVeth(name: string, guestSide: string): void {
  const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  for (const [program, words] of vethCommands(name, guestSide))
    execFileSync(program, words, { stdio: 'pipe', timeout: commandTimeoutMs, env });
}
