/**
 * Transactions by libnftables(3) in the process: JSON in, done whole or not at all.
 * Invariant: what the kernel refused is an error with its words, never a partial ruleset.
 */
import koffi from 'koffi';
import { CodedError } from '#reference/base/coded-error.ts';
import type { Transaction } from '../decisions/ruleset/nft-json.ts';

const NFT_CTX_OUTPUT_JSON = 1 << 4;

interface Calls {
  nft_ctx_new(flags: number): unknown;
  nft_ctx_free(context: unknown): void;
  nft_ctx_buffer_error(context: unknown): number;
  nft_ctx_buffer_output(context: unknown): number;
  nft_ctx_get_error_buffer(context: unknown): string;
  nft_ctx_get_output_buffer(context: unknown): string;
  nft_ctx_output_set_flags(context: unknown, flags: number): void;
  nft_run_cmd_from_buffer(context: unknown, text: string): number;
}

const prototypes: Readonly<Record<keyof Calls, string>> = {
  nft_ctx_new: 'void *nft_ctx_new(uint32_t flags)',
  nft_ctx_free: 'void nft_ctx_free(void *context)',
  nft_ctx_buffer_error: 'int nft_ctx_buffer_error(void *context)',
  nft_ctx_buffer_output: 'int nft_ctx_buffer_output(void *context)',
  nft_ctx_get_error_buffer: 'const char *nft_ctx_get_error_buffer(void *context)',
  nft_ctx_get_output_buffer: 'const char *nft_ctx_get_output_buffer(void *context)',
  nft_ctx_output_set_flags: 'void nft_ctx_output_set_flags(void *context, unsigned int flags)',
  nft_run_cmd_from_buffer: 'int nft_run_cmd_from_buffer(void *context, const char *text)',
};

function load(): Calls {
  try {
    const library = koffi.load('libnftables.so.1');
    const entries = Object.entries(prototypes).map(([name, prototype]) => [name, library.func(prototype)]);
    return Object.fromEntries(entries) as Calls;
  } catch (cause) {
    const remedy = 'install libnftables (Debian: apt-get install -y libnftables1)';
    throw new CodedError('no-libnftables', 'libnftables.so.1 cannot be loaded', remedy, { cause });
  }
}

/** A session in the network namespace of the calling thread. */
export class NftSession {
  readonly #calls: Calls;
  #context: unknown;

  /** @throws CodedError `no-libnftables` */
  constructor() {
    this.#calls = load();
    this.#context = this.#calls.nft_ctx_new(0);
    this.#calls.nft_ctx_buffer_error(this.#context);
    this.#calls.nft_ctx_buffer_output(this.#context);
    this.#calls.nft_ctx_output_set_flags(this.#context, NFT_CTX_OUTPUT_JSON);
  }

  /** @throws CodedError `ruleset-refused` with what libnftables said */
  run(transaction: Transaction): void {
    this.#command(JSON.stringify(transaction));
  }

  /** Objects of our two tables, as `nft -j list table` shows them; none when the table is not there. */
  list(family: 'inet' | 'netdev', table: string): readonly Record<string, unknown>[] {
    try {
      const text = this.#command(
        JSON.stringify({ nftables: [{ list: { table: { family, name: table } } }] }),
      );
      return (JSON.parse(text) as { nftables: Record<string, unknown>[] }).nftables;
    } catch (error) {
      if (error instanceof CodedError && /No such file or directory/.test(error.message)) return [];
      throw error;
    }
  }

  close(): void {
    if (this.#context === null) return;
    this.#calls.nft_ctx_free(this.#context);
    this.#context = null;
  }

  #command(text: string): string {
    const failed = this.#calls.nft_run_cmd_from_buffer(this.#context, text) !== 0;
    const errors = this.#calls.nft_ctx_get_error_buffer(this.#context).trim();
    const output = this.#calls.nft_ctx_get_output_buffer(this.#context);
    if (!failed) return output;
    throw new CodedError(
      'ruleset-refused',
      `nf_tables refused the transaction: ${errors.slice(0, 1_000) || 'without a word'}`,
      'nothing of it stands; look for a name that is taken, and for NET_ADMIN and the module nf_tables',
    );
  }
}
