/**
 * Transactions of nf_tables over nfnetlink in the process: done whole or not at all.
 * Invariant: what the kernel refused is an error with its words and the command that it refused, never a
 * partial ruleset. What a transaction costs does not grow with what stands already: nothing is read first.
 */
import { CodedError } from '#reference/base/coded-error.ts';
import { SyscallError } from '#reference/base/syscalls.ts';
import type { Command, Transaction } from '../../decisions/ruleset/nft-json.ts';
import {
  attributesOf,
  listedAttributes,
  type NetlinkSession,
  NLM_F_REQUEST,
  type Refusal,
} from '../netlink.ts';
import { NetlinkWriter } from '../netlink-writer.ts';
import { CommandWriter, familyNumbers, NFNL_SUBSYS_NFTABLES } from './commands.ts';

const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFT_MSG_GETCHAIN = (NFNL_SUBSYS_NFTABLES << 8) | 4;
const NFT_MSG_GETSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 13;

/** A command that the kernel refused, by errno. */
export class RefusedCommand extends CodedError {
  readonly errno: string;
  readonly command: Command | null;

  constructor(refusal: Refusal, command: Command | null) {
    const cause = new SyscallError('nf_tables', refusal.errno);
    const what = command === null ? 'the transaction' : JSON.stringify(command).slice(0, 300);
    const words = refusal.words === '' ? '' : ` (${refusal.words})`;
    super(
      'ruleset-refused',
      `nf_tables refused ${what}: ${cause.message}${words}`,
      'nothing of it stands; look for a name that is taken, and for NET_ADMIN and the module nf_tables',
      { cause },
    );
    this.errno = cause.code;
    this.command = command;
  }
}

export function beginBatch(writer: NetlinkWriter): void {
  writer.clear();
  writer.begin(NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST).nfgen(0, NFNL_SUBSYS_NFTABLES);
}

export function endBatch(writer: NetlinkWriter): void {
  writer.begin(NFNL_MSG_BATCH_END, NLM_F_REQUEST).nfgen(0, NFNL_SUBSYS_NFTABLES);
}

export class NftSession {
  readonly #netfilter: NetlinkSession;
  readonly #writer = new NetlinkWriter();
  readonly #commands = new CommandWriter(this.#writer);

  constructor(netfilter: NetlinkSession) {
    this.#netfilter = netfilter;
  }

  /** @throws CodedError `ruleset-refused` with what the kernel said */
  run({ nftables }: Transaction): void {
    const writer = this.#writer;
    beginBatch(writer);
    const owners: (Command | null)[] = [null];
    for (const command of nftables) {
      this.#commands.write(command);
      while (owners.length < writer.count) owners.push(command);
    }
    // The last command is acknowledged; the end of a batch is not before Linux 6.10.
    if (nftables.length === 0) return;
    const [refusal] = this.#netfilter.send(writer, endBatch);
    if (refusal !== undefined) throw new RefusedCommand(refusal, owners[refusal.index] ?? null);
  }

  /** Names of the chains of one table; none when it is not there. */
  chains(family: keyof typeof familyNumbers, table: string): string[] {
    const found = this.#netfilter.dump('list chains', NFT_MSG_GETCHAIN, generic(familyNumbers[family]));
    return found.flatMap((payload) => {
      const attributes = attributesOf(payload.subarray(4));
      return textOf(attributes.get(1)) === table ? [textOf(attributes.get(3))] : [];
    });
  }

  /** Keys of a set's elements; none when it is not there. */
  keys(family: keyof typeof familyNumbers, table: string, set: string): Buffer[] {
    const writer = new NetlinkWriter();
    writer.begin(0, 0).nfgen(familyNumbers[family]).text(1, table).text(2, set);
    const body = Buffer.from(writer.finish(0).subarray(16));
    try {
      return this.#netfilter.dump('list a set', NFT_MSG_GETSETELEM, body).flatMap(keysOf);
    } catch (error) {
      if (error instanceof SyscallError && error.code === 'ENOENT') return [];
      throw error;
    }
  }
}

function generic(family: number): Buffer {
  return Buffer.from([family, 0, 0, 0]);
}

const textOf = (value: Buffer | undefined) => (value?.toString('utf8') ?? '').replace(/\0.*$/s, '');

function keysOf(payload: Buffer): Buffer[] {
  const list = attributesOf(payload.subarray(4)).get(3);
  if (list === undefined) return [];
  return listedAttributes(list).flatMap(([, element]) => {
    const key = attributesOf(element).get(1);
    const value = key === undefined ? undefined : attributesOf(key).get(1);
    return value === undefined ? [] : [value];
  });
}
