/** Asks a husk over its control socket: one connection for each request. */
import { connect } from 'node:net';
import { type HuskAnswer, type HuskRequest, huskControlVersion } from '#reference/contract/husk-control.ts';

export type Asked = HuskRequest extends infer One
  ? One extends HuskRequest
    ? Omit<One, 'v'>
    : never
  : never;

/** What was said before the end; null: nothing. */
export function tell(path: string, text: string): Promise<string | null> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = connect(path);
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.endsWith('\n')) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.once('close', () => resolve(heard === '' ? null : heard));
    socket.write(text);
  });
}

/** null: it hung up. */
export async function askHusk(path: string, asked: Asked): Promise<HuskAnswer | null> {
  const said = await tell(path, `${JSON.stringify({ v: huskControlVersion, ...asked })}\n`);
  return said === null ? null : (JSON.parse(said) as HuskAnswer);
}
