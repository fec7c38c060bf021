/**
 * Control of the proxy's process: one JSON object a line in, one a line out with the same `id`.
 * Invariant: a line is bounded; every one is answered, with what was done or with the error's code.
 */
import type { Readable, Writable } from 'node:stream';
import type { DnsProxyPort, DnsSandbox, DnsSandboxPolicy } from '#reference/contract/dns-port.ts';
import { sentError } from './core/core-requests.ts';

const maxLineOctets = 1 << 20;

export interface ControlLine {
  readonly id: unknown;
  readonly attach?: DnsSandbox;
  readonly change?: { readonly tap: string; readonly policy: DnsSandboxPolicy };
  readonly detach?: { readonly tap: string };
  readonly metrics?: true;
}

async function serve(proxy: DnsProxyPort, { attach, change, detach, metrics }: ControlLine): Promise<object> {
  if (attach !== undefined) await proxy.attach(attach);
  else if (change !== undefined) await proxy.change(change.tap, change.policy);
  else if (detach !== undefined) await proxy.detach(detach.tap);
  else if (metrics === true) return { ok: true, metrics: await proxy.metrics() };
  else throw new TypeError('a line says one of attach, change, detach, metrics');
  return { ok: true };
}

/** @param ended whoever controls it is gone */
export function serveControl(
  proxy: DnsProxyPort,
  input: Readable,
  output: Writable,
  ended: () => void,
): void {
  let held = '';
  const answer = async (line: string): Promise<void> => {
    let id: unknown = null;
    try {
      const parsed = JSON.parse(line) as ControlLine;
      id = parsed.id;
      output.write(`${JSON.stringify({ id, ...(await serve(proxy, parsed)) })}\n`);
    } catch (error) {
      output.write(`${JSON.stringify({ id, ok: false, error: sentError(error) })}\n`);
    }
  };
  input.setEncoding('utf8');
  input.on('data', (text: string) => {
    held += text;
    const lines = held.split('\n');
    held = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') void answer(line);
    if (held.length <= maxLineOctets) return;
    output.write(
      `${JSON.stringify({ id: null, ok: false, error: { code: null, message: 'the line is too long' } })}\n`,
    );
    input.destroy();
    ended();
  });
  input.on('end', ended);
}
