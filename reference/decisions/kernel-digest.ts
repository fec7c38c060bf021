/**
 * kernel-digest: stage and open a guest kernel, one system call at a time. It owns the rule that what is
 * published or booted are the very octets that were hashed: they sit in a sealed memfd from then on
 * (memfd_create(2), fcntl(2) F_ADD_SEALS).
 */

export interface KernelPolicy {
  /** As the operator typed it; empty: unset. */
  readonly sha256: string;
  /** An unset digest is accepted only with this. */
  readonly allowUnverified: boolean;
  readonly destination: string;
}

export type StagingEvent =
  | { readonly kind: 'begin'; readonly phase: 'stage' | 'open'; readonly suffix: string }
  | {
      readonly kind: 'result';
      /** errno's name; null: success. */
      readonly error: string | null;
      readonly digest?: string;
      readonly complete?: boolean;
    };

export type StagingAction =
  | { readonly do: 'lock' | 'sweep' | 'seal' | 'write' }
  | { readonly do: 'open' | 'create' | 'unlink'; readonly path: string }
  | { readonly do: 'copy-and-hash'; readonly from: 'file' | 'url' }
  | { readonly do: 'rename'; readonly from: string; readonly to: string }
  | { readonly do: 'boot'; readonly from: 'memfd' }
  | { readonly do: 'done'; readonly outcome: 'staged' | 'booted' | 'refused' };

export interface StagingState {
  readonly phase: 'stage' | 'open';
  readonly temporary: string;
  /** The action whose result is awaited. */
  awaited: StagingAction['do'] | 'unlink-destination' | 'unlink-poisoned' | 'unlink-temporary';
  source: 'file' | 'url';
  /** Why the run ends in a refusal, once it does. */
  refusal: string | null;
}

export interface StagingStep {
  readonly state: StagingState;
  readonly action: StagingAction;
  readonly rule: string;
}

/** What is wrong with a digest by name, or null: exactly 64 hex digits, either case. */
export function digestFault(sha256: string): string | null {
  if (/^[0-9a-fA-F]{64}$/.test(sha256)) return null;
  if (/[\r\n]/.test(sha256)) return 'digest holds a line break';
  if (/\s/.test(sha256)) return 'digest holds white space';
  if (/[^0-9a-fA-F]/.test(sha256)) return 'digest holds a character that is no hex digit';
  return `digest has ${sha256.length} digits instead of 64`;
}

/** The configuration's own fault, or null when a digest, or the leave to do without, is there. */
function policyFault({ sha256, allowUnverified }: KernelPolicy): string | null {
  if (sha256 !== '') return digestFault(sha256);
  return allowUnverified ? null : 'no digest is set, and allowUnverified is not true';
}

/** One step; `state` is null with a begin event and handed back otherwise, changed in place. Total. */
export function stepKernel(
  policy: KernelPolicy,
  given: StagingState | null,
  event: StagingEvent,
): StagingStep {
  if (event.kind === 'begin') {
    const temporary = `${policy.destination}.stage-${event.suffix}`;
    const state: StagingState = {
      phase: event.phase,
      temporary,
      awaited: 'lock',
      source: 'file',
      refusal: null,
    };
    if (event.phase === 'stage') return { state, action: { do: 'lock' }, rule: 'one stager at a time' };
    const fault = policyFault(policy);
    return fault === null ? new Step(policy, state).open() : new Step(policy, state).end('refused', fault);
  }
  if (given === null) {
    const state: StagingState = {
      phase: 'open',
      temporary: '',
      awaited: 'done',
      source: 'file',
      refusal: 'no begin',
    };
    return { state, action: { do: 'done', outcome: 'refused' }, rule: 'no begin' };
  }
  return new Step(policy, given).after(event);
}

type Result = Extract<StagingEvent, { kind: 'result' }>;

class Step {
  readonly #policy: KernelPolicy;
  readonly #state: StagingState;

  constructor(policy: KernelPolicy, state: StagingState) {
    this.#policy = policy;
    this.#state = state;
  }

  #go(action: StagingAction, rule: string, awaited: StagingState['awaited'] = action.do): StagingStep {
    this.#state.awaited = awaited;
    return { state: this.#state, action, rule };
  }

  open(): StagingStep {
    return this.#go({ do: 'open', path: this.#policy.destination }, 'never through a link');
  }

  end(outcome: 'staged' | 'booted' | 'refused', rule: string): StagingStep {
    return this.#go({ do: 'done', outcome }, rule);
  }

  after(result: Result): StagingStep {
    const { phase, awaited, temporary } = this.#state;
    const { destination } = this.#policy;
    const failed = result.error !== null;
    switch (awaited) {
      case 'lock':
        // Whoever holds the lock answers for the destination: nothing is touched.
        if (failed) return this.end('refused', 'another stager is at work');
        return this.#go({ do: 'sweep' }, 'what a killed run left goes');
      case 'sweep': {
        const fault = policyFault(this.#policy);
        return fault === null ? this.open() : this.#fail(fault);
      }
      case 'open':
        return this.#opened(result);
      case 'unlink-poisoned':
        return failed && result.error !== 'ENOENT' ? this.#fail(`unlink: ${result.error}`) : this.#fetch();
      case 'copy-and-hash':
        return this.#copied(result);
      case 'seal':
        if (failed) return this.#fail(`seal: ${result.error}`);
        if (phase === 'open') return this.#go({ do: 'boot', from: 'memfd' }, 'what was hashed is booted');
        return this.#go({ do: 'create', path: temporary }, 'a new file, never through a link');
      case 'create':
        return failed
          ? this.#fail(`create: ${result.error}`)
          : this.#go({ do: 'write' }, 'from the sealed memfd');
      case 'write':
        if (failed) return this.#fail(`write: ${result.error}`, true);
        return this.#go({ do: 'rename', from: temporary, to: destination }, 'publish at once');
      case 'rename':
        return failed
          ? this.#fail(`rename: ${result.error}`, true)
          : this.end('staged', 'published what was hashed');
      case 'boot':
        return failed
          ? this.end('refused', `boot: ${result.error}`)
          : this.end('booted', 'booted what was hashed');
      case 'unlink-temporary':
        return this.#fail(this.#state.refusal ?? 'failed');
      default:
        return this.end('refused', this.#state.refusal ?? 'over');
    }
  }

  #opened({ error }: Result): StagingStep {
    if (error === null) return this.#go({ do: 'copy-and-hash', from: 'file' }, 'hashed while it is copied');
    if (this.#state.phase === 'open') return this.end('refused', `destination: ${error}`);
    if (error === 'ENOENT') return this.#fetch();
    if (error === 'EISDIR') return this.end('refused', 'destination is a directory');
    // A link or a special file is nobody's kernel: it goes, what it names stays.
    return this.#go(
      { do: 'unlink', path: this.#policy.destination },
      `destination: ${error}`,
      'unlink-poisoned',
    );
  }

  #fetch(): StagingStep {
    this.#state.source = 'url';
    return this.#go({ do: 'copy-and-hash', from: 'url' }, 'hashed while it is copied');
  }

  #copied({ error, digest, complete }: Result): StagingStep {
    const { phase, source } = this.#state;
    const { sha256, destination } = this.#policy;
    const what = source === 'url' ? 'download' : 'file';
    const fault =
      error !== null || complete !== true
        ? `${what} is incomplete: ${error ?? 'cut off'}`
        : sha256 !== '' && digest !== sha256.toLowerCase()
          ? `${what} has another digest`
          : null;
    if (fault === null)
      return this.#go({ do: 'seal' }, sha256 === '' ? 'unverified, as allowed' : 'digest matches');
    if (phase === 'stage' && source === 'file') {
      return this.#go({ do: 'unlink', path: destination }, fault, 'unlink-poisoned');
    }
    return this.#fail(fault);
  }

  /** After a failure nothing unverified stands at the destination, and nothing temporary anywhere. */
  #fail(rule: string, temporaryIsThere = false): StagingStep {
    this.#state.refusal = rule;
    if (this.#state.phase === 'open') return this.end('refused', rule);
    if (temporaryIsThere)
      return this.#go({ do: 'unlink', path: this.#state.temporary }, rule, 'unlink-temporary');
    return this.#go({ do: 'unlink', path: this.#policy.destination }, rule, 'unlink-destination');
  }
}
