/** A line of the node socket as the request that it is, or as none. Total. */
import { type NodeRequest, nodeProtocolVersion } from '#reference/contract/node-protocol.ts';
import { isDigest } from '../decisions/reseed-proof.ts';

/** null: it is none. */
export function readNodeRequest(text: string): NodeRequest | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { v, ask, snapshot, above, generation, keys } = value as Record<string, unknown>;
  if (v !== nodeProtocolVersion || !isDigest(snapshot)) return null;
  switch (ask) {
    case 'template':
      return { v, ask, snapshot };
    case 'next-generation':
      return isCount(above) ? { v, ask, snapshot, above } : null;
    case 'insert':
      // What is no list of keys is the store's to refuse.
      return typeof generation === 'number' && Array.isArray(keys)
        ? { v, ask, snapshot, generation, keys }
        : null;
    case 'is-admitted':
      return typeof generation === 'number' ? { v, ask, snapshot, generation } : null;
    default:
      return null;
  }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
