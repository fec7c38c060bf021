/**
 * A claim's content without what nobody will ever ask for again.
 * Invariant: claim-step decides the same with and without. Checked, as `memories.ts` says.
 */

type JsonObject = Readonly<Record<string, unknown>>;

interface Status {
  readonly phase?: string;
  readonly reason?: string;
  readonly attempts?: number;
  readonly husk?: JsonObject;
  readonly token?: { readonly name: string; readonly uid: string };
}

/** Other kinds of objects are left as they are. */
export function plain(object: JsonObject): JsonObject {
  const { kind, metadata, status } = object as {
    readonly kind: string;
    readonly metadata: { readonly uid: string; readonly deletionTimestamp?: string };
    readonly status?: Status;
  };
  if (kind !== 'SandboxClaim' || status === undefined) return object;
  const { phase, token, reason, husk } = status;
  const over = phase !== undefined && phase !== 'Pending' && phase !== 'Restoring';
  const settled = over || metadata.deletionTimestamp !== undefined;
  return {
    ...object,
    status: {
      ...status,
      ...(token === undefined ? {} : { token: tokenOf(metadata.uid) }),
      ...(reason === undefined ? {} : { reason: 'for a reason' }),
      ...(settled && status.attempts !== undefined ? { attempts: 0 } : {}),
      ...(settled && husk !== undefined ? { husk: { ...husk, attempt: 0, by: 'process-gone' } } : {}),
    },
  };
}

/** Once a status names it, it does not matter who made it: the claim has no other. */
function tokenOf(uid: string): { readonly name: string; readonly uid: string } {
  const name = `token-gone-${uid.replace('uid-claim-', '')}`;
  return { name, uid: `uid-${name}` };
}
