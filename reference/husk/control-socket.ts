/**
 * The local transport of a husk's control: a line of JSON asked, a line answered.
 * Invariant: only processes of the husk's own user and group are heard, as the kernel names them.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { LineServer, type LineServerLimits, type ListeningPlace } from '#reference/base/line-server.ts';
import type { Log } from '#reference/base/log.ts';
import { isUnixListener } from '#reference/base/passed-descriptor.ts';
import { type HuskAnswer, maxHuskRequestOctets } from '#reference/contract/husk-control.ts';

export const controlLimits: LineServerLimits = {
  ...{ connections: 16, connectionsOfProcess: 8, requestMs: 10_000, answerMs: 300_000 },
  lineOctets: maxHuskRequestOctets,
};

/** @param answer as of `HuskControl`. @throws CodedError `control-socket-taken` */
export function openControlSocket(
  place: ListeningPlace,
  answer: (value: unknown) => Promise<HuskAnswer>,
  log: Log,
  limits: Partial<LineServerLimits> = {},
): Promise<LineServer> {
  const where = 'path' in place ? place.path : `fd:${place.fd}`;
  const taken = (what: string, cause?: unknown) =>
    new CodedError(
      'control-socket-taken',
      `${where}: ${what}`,
      'end who listens there, or name a path in a folder that is there',
      { cause },
    );
  const own = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  if ('fd' in place && !isUnixListener(place.fd)) return Promise.reject(taken('it does not listen'));
  return LineServer.open({
    ...{ name: 'control socket', place, mode: 0o600, log },
    limits: { ...controlLimits, ...limits },
    isHeard: ({ uid, gid }) => uid === own.uid && gid === own.gid,
    answer: (line) => {
      const value = valueIn(line);
      return value === undefined ? null : answer(value).then(lineOf);
    },
    taken,
  });
}

const lineOf = (answer: HuskAnswer): Buffer => Buffer.from(`${JSON.stringify(answer)}\n`);

/** undefined: it is no JSON. */
function valueIn(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
