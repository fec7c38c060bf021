/** What the proxy's front asks of its core, and how an answer crosses a thread: plain data, in order. */
import { CodedError } from '#reference/base/coded-error.ts';
import type { DnsEndpoint, DnsSandbox, DnsSandboxPolicy } from '#reference/contract/dns-port.ts';
import type { CountSnapshot } from './counts.ts';
import type { ProxyCore } from './proxy-core.ts';
import type { DnsUpstream } from './upstreams.ts';

export type CoreRequest =
  | { readonly kind: 'upstreams'; readonly upstreams: readonly DnsUpstream[] }
  | { readonly kind: 'attach'; readonly sandbox: DnsSandbox }
  | { readonly kind: 'change'; readonly tap: string; readonly policy: DnsSandboxPolicy }
  | { readonly kind: 'detach'; readonly tap: string }
  | { readonly kind: 'snapshot' }
  | { readonly kind: 'drain' };

/** Ends with what was asked for: a snapshot for `snapshot`, nothing for the others. */
export async function serveRequest(
  core: ProxyCore,
  request: CoreRequest,
  listenOn: (endpoint: DnsEndpoint) => number,
): Promise<CountSnapshot | null> {
  switch (request.kind) {
    case 'upstreams':
      core.setUpstreams(request.upstreams);
      return null;
    case 'attach':
      core.attach(request.sandbox, listenOn);
      return null;
    case 'change':
      core.change(request.tap, request.policy);
      return null;
    case 'detach':
      core.detach(request.tap);
      return null;
    case 'snapshot':
      return core.snapshot();
    case 'drain':
      await new Promise<void>((resolve) => core.drain(resolve));
      return null;
  }
}

/** An error as data: its class does not cross a thread. */
export interface SentError {
  readonly code: string | null;
  readonly message: string;
  readonly remediation: string;
}

export function sentError(error: unknown): SentError {
  if (error instanceof CodedError) {
    const { code, message, remediation } = error;
    return { code, message, remediation };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: null, message, remediation: '' };
}

export function receivedError({ code, message, remediation }: SentError): Error {
  return code === null ? new Error(message) : new CodedError(code, message, remediation);
}
