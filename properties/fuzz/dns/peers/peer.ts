/** Another reader of DNS messages, and what it makes of one: as far as this project uses a message. */

export interface PeerRecord {
  readonly owner: readonly string[];
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  /** Octets of an address in hex, labels of a CNAME; null: of no type that matters here. */
  readonly data: string | readonly string[] | null;
}

export type PeerReading =
  | {
      readonly read: true;
      readonly questions: readonly {
        readonly name: readonly string[];
        readonly type: number;
        readonly class: number;
      }[];
      readonly answers: readonly PeerRecord[];
    }
  | { readonly read: false; readonly error: string };

export interface Peer {
  readonly name: string;
  readonly version: string;
  /** One reading for each message, in order. */
  read(messages: readonly Uint8Array[]): Promise<readonly PeerReading[]>;
  close(): Promise<void>;
}
