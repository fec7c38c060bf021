/**
 * Errors as a client sees them: a status, a stable code, a sentence and a remedy.
 * Invariant: what is no coded error is told by its class of failure alone; the log has the rest.
 */
import { CodedError } from '#reference/base/coded-error.ts';

export interface ErrorAnswer {
  readonly status: number;
  readonly body: { readonly code: string; readonly message: string; readonly remedy: string };
}

const statuses: Readonly<Record<string, number>> = {
  'bad-request': 400,
  'bad-rootfs': 400,
  'bad-secret': 400,
  'bad-machine': 400,
  'bad-network': 400,
  'bad-volume': 400,
  'bad-allow-entry': 400,
  'guest-request-too-long': 400,
  unauthorized: 401,
  'no-such-sandbox': 404,
  'no-such-template': 404,
  'no-such-image': 404,
  'no-network': 409,
  'not-released': 409,
  'sandbox-busy': 409,
  'secrets-not-inherited': 409,
  'snapshot-refused': 409,
  'volume-not-inherited': 409,
  'kernel-refused': 422,
  'template-refused': 422,
  'secret-not-delivered': 422,
  'guest-refused': 422,
  'volume-not-mounted': 422,
  'guest-busy': 429,
  'state-full': 429,
  'too-many-requests': 429,
  'too-many-templates': 429,
  'too-many-vms': 429,
  'guest-channel-ended': 502,
  'vmm-failed': 502,
  'engine-closed': 503,
  'fork-not-reaped': 503,
  'fork-refused': 503,
  'journal-failed': 503,
  'witness-store-failed': 503,
  'guest-silent': 504,
  'disk-full': 507,
  'no-overlay': 507,
  'witness-store-full': 507,
};

/** null: it is nothing that a client is told. */
export function answerOf(error: unknown): ErrorAnswer {
  if (error instanceof CodedError) {
    const { code, message, remediation: remedy } = error;
    const status = statuses[code];
    if (status !== undefined) return { status, body: { code, message, remedy } };
  }
  const status = statusOf(error);
  if (status !== null) {
    const words = error instanceof Error ? error.message : 'it is no request';
    const message =
      status === 415 ? 'the body is neither application/json nor application/octet-stream' : words;
    return { status, body: { code: 'bad-request', message, remedy: 'see /openapi.json' } };
  }
  const message = 'the server failed; its log has more';
  return { status: 500, body: { code: 'internal', message, remedy: 'see the log of the server' } };
}

/** Of the framework's own refusals: of a body, a length, a type. */
function statusOf(error: unknown): number | null {
  const { statusCode } = (error ?? {}) as { statusCode?: unknown };
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500 ? statusCode : null;
}
