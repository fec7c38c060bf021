/** The flags of `pnpm check guest` as settings; each refused with what is valid, before anything is sent or run. */
import { CodedError } from '#reference/base/coded-error.ts';
import { channelPorts } from '#reference/contract/guest-protocol.ts';
import { claimsNamed } from '../chosen-parts.ts';
import { claimIds } from './claim-ids.ts';
import { endpointText, forkNumber, isOwn, ofFork, parseEndpoint } from './endpoint.ts';
import type { Settings } from './settings.ts';

export interface GuestFlags {
  readonly agent?: readonly string[];
  readonly services?: readonly string[];
  readonly agentUnprivileged?: string;
  readonly fork?: string;
  readonly end?: string;
  readonly read?: readonly string[];
  readonly readProcess?: readonly string[];
  readonly exec?: string;
  readonly log?: readonly string[];
  readonly claim?: readonly string[];
  readonly part?: readonly string[];
  readonly iOwnThisTarget?: true;
}

/** Numbers that the command line has parsed. */
export type GuestNumbers = Pick<
  Settings,
  'siblings' | 'forks' | 'octets' | 'perSecond' | 'durationMs' | 'timeoutMs' | 'waitMs' | 'seed' | 'runs'
>;

export const usualExec = ['head', '-c', '64', '/dev/urandom'];
const maxAgents = 64;

function refuse(what: string, valid: string): never {
  throw new CodedError('bad-guest-flag', what, valid);
}

const isPattern = (text: string) => text.includes(forkNumber);

/** Throws CodedError `bad-guest-flag`, `unknown-claim`. */
export function settingsOf(flags: GuestFlags, numbers: GuestNumbers): Settings {
  const { agent: agents = [], services = [], fork, end, read = [], readProcess = [], part } = flags;
  const { agentUnprivileged } = flags;
  if (agents.length === 0 && read.length === 0 && readProcess.length === 0) {
    const valid = '--agent unix:/path/socket for each of two forks, or --read COMMAND (and --fork COMMAND)';
    refuse('nobody said where the guest is', `say it: ${valid}; pnpm check guest --help has examples`);
  }
  for (const text of agents) parseEndpoint('--agent', ofFork(text, 1), channelPorts.control);
  for (const text of services) parseEndpoint('--services', ofFork(text, 1), channelPorts.services);
  if (agentUnprivileged !== undefined) {
    parseEndpoint('--agent-unprivileged', agentUnprivileged, channelPorts.control);
  }
  checkCounts(agents, services, numbers);
  checkCommands(flags);
  return {
    ...{ agents, services, read, readProcess, ...numbers },
    ...{ unprivileged: agentUnprivileged ?? null, fork: fork ?? null, end: end ?? null },
    exec: flags.exec === undefined ? usualExec : ['sh', '-c', flags.exec],
    logs: flags.log ?? [],
    claims: claimsNamed(claimIds, flags.claim ?? [], 'guest'),
    parts: part === undefined || part.length === 0 ? null : part,
  };
}

function checkCounts(agents: readonly string[], services: readonly string[], numbers: GuestNumbers): void {
  const { siblings, forks } = numbers;
  if (agents.length > maxAgents) refuse(`${agents.length} agents were named`, `name at most ${maxAgents}`);
  for (const [flag, texts] of [
    ['--agent', agents],
    ['--services', services],
  ] as const) {
    if (texts.length > 1 && texts.some(isPattern)) {
      refuse(`${flag} names ${forkNumber} beside others`, `write one with ${forkNumber}, or each fork’s own`);
    }
    const same = texts.find((text, index) => texts.indexOf(text) !== index);
    if (same !== undefined) refuse(`${flag} ${same} is named twice`, 'name each fork once');
  }
  const isAlike = agents.some(isPattern) === services.some(isPattern) && agents.length === services.length;
  if (services.length > 0 && !isAlike) {
    refuse(
      `${services.length} --services for ${agents.length} --agent`,
      'name them in pairs, in the same order',
    );
  }
  if (forks < siblings) refuse(`--forks ${forks} is less than --siblings ${siblings}`, 'raise --forks');
}

function checkCommands({ fork, end, exec, agent = [], read = [], readProcess = [] }: GuestFlags): void {
  const commands = [
    ['--fork', fork],
    ['--end', end],
    ['--exec', exec],
    ...[...read, ...readProcess].map((command) => ['--read', command] as const),
  ] as const;
  for (const [flag, command] of commands) {
    if (command?.trim() === '') refuse(`${flag} is empty`, 'give a command of the shell');
  }
  if (end !== undefined && fork === undefined) refuse('--end without --fork', 'it ends what --fork started');
  const lone = agent.find((text) => fork !== undefined && !isPattern(text));
  if (lone !== undefined) {
    refuse(
      `--agent ${lone} is one socket for all forks`,
      `write ${forkNumber} where the fork’s number is: unix:/run/fork-${forkNumber}.sock`,
    );
  }
  const reads = [...read, ...readProcess];
  const single = reads.find(
    (text) => (fork !== undefined || agent.length > 0) && !isPattern(text) && !/\$\{?FORK\b/.test(text),
  );
  if (single !== undefined) {
    refuse(
      `--read ${single} reads the same fork each time`,
      `write ${forkNumber} (or $FORK) where the fork’s number is`,
    );
  }
}

/** Throws CodedError `not-your-target`: an agent that is told and attacked is spent, and its workload goes on. */
export function checkOwner(settings: Settings, own: boolean, uid?: number): void {
  if (own) return;
  const { agents, services, unprivileged, forks } = settings;
  const named = [...agents, ...services, ...(unprivileged === null ? [] : [unprivileged])];
  const texts = named.flatMap((text) =>
    isPattern(text) ? Array.from({ length: forks }, (_, index) => ofFork(text, index + 1)) : [text],
  );
  for (const text of texts) {
    const endpoint = parseEndpoint('--agent', text, channelPorts.control);
    if (isOwn(endpoint, uid)) continue;
    const why =
      endpoint.kind === 'vsock' ? 'is a guest that may be anybody’s' : 'is the socket of another user';
    throw new CodedError(
      'not-your-target',
      `${endpointText(endpoint)} ${why}: it would be told that it was forked, released and attacked`,
      'say that it is yours with --i-own-this-target; --dry-run shows what would be sent',
    );
  }
}
