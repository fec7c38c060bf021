/**
 * What an API server does with concurrent writers, as checks that run against any implementation of the
 * port: the model in the tests beside it, the real kube-apiserver at its own tier.
 */
import type { ApiObject, ApiServer, NewObject, ObjectRef, Result } from './api-server.ts';

export interface ContractCheck {
  readonly says: string;
  /** null, or what went otherwise. */
  run(server: ApiServer): string | null;
}

const namespace = 'contract';
const ref = (kind: string, name: string): ObjectRef => ({ kind, namespace, name });

function made(
  server: ApiServer,
  object: Partial<NewObject> & { readonly kind: string },
  name = 'one',
): ApiObject {
  const metadata = { namespace, name, ...object.metadata };
  const result = server.create({ ...object, kind: object.kind, metadata });
  if (!result.ok) throw new Error(`the contract's own ${object.kind} was not created: ${result.message}`);
  return result.object;
}

function expectReason(result: Result, reason: string): string | null {
  if (result.ok) return `expected ${reason}, was done`;
  return result.reason === reason ? null : `expected ${reason}, got ${result.reason}`;
}

function expectOk(result: Result): string | null {
  return result.ok ? null : `expected to be done, got ${result.reason}: ${result.message}`;
}

/** The first complaint. */
const first = (...complaints: readonly (string | null)[]): string | null =>
  complaints.find((complaint) => complaint !== null) ?? null;

const locking: readonly ContractCheck[] = [
  {
    says: 'of two writes with one resourceVersion exactly the first is done',
    run(server) {
      const { metadata } = made(server, { kind: 'Pod' });
      const write = (value: string) =>
        server.patch(ref('Pod', 'one'), { metadata: { labels: { by: value } } }, metadata);
      return first(expectOk(write('a')), expectReason(write('b'), 'Conflict'));
    },
  },
  {
    says: 'the same holds for the status subresource',
    run(server) {
      const { metadata } = made(server, { kind: 'SandboxClaim', spec: {} });
      const { resourceVersion } = metadata;
      const write = (phase: string) =>
        server.patch(
          ref('SandboxClaim', 'one'),
          { status: { phase } },
          { resourceVersion, subresource: 'status' },
        );
      return first(expectOk(write('Ready')), expectReason(write('Failed'), 'Conflict'));
    },
  },
  {
    says: 'without a resourceVersion the last writer wins',
    run(server) {
      made(server, { kind: 'Pod' });
      server.patch(ref('Pod', 'one'), { metadata: { labels: { by: 'a' } } });
      const last = server.patch(ref('Pod', 'one'), { metadata: { labels: { by: 'b' } } });
      return last.ok && last.object.metadata.labels?.by === 'b' ? null : 'the last writer lost';
    },
  },
  {
    says: 'a patch that changes nothing leaves the resourceVersion',
    run(server) {
      const object = made(server, { kind: 'Pod', metadata: { namespace, name: 'one', labels: { a: 'b' } } });
      const again = server.patch(ref('Pod', 'one'), { metadata: { labels: { a: 'b' } } });
      return again.ok && again.object.metadata.resourceVersion === object.metadata.resourceVersion
        ? null
        : 'the resourceVersion moved';
    },
  },
  {
    says: 'a UID in a patch of /status is ignored',
    run(server) {
      made(server, { kind: 'SandboxClaim', spec: {} });
      const options = { uid: 'another', subresource: 'status' } as const;
      return expectOk(server.patch(ref('SandboxClaim', 'one'), { status: { phase: 'Ready' } }, options));
    },
  },
  {
    says: 'status is written through its subresource alone, and the rest not through it',
    run(server) {
      made(server, { kind: 'SandboxClaim', spec: { pool: 'a' }, status: { phase: 'Forged' } });
      const one = ref('SandboxClaim', 'one');
      server.patch(one, { status: { phase: 'Forged' } });
      server.patch(one, { spec: { pool: 'b' } }, { subresource: 'status' });
      const now = server.read(one);
      if (!now.ok) return 'the claim is gone';
      if (now.object.status !== undefined) return 'the status was written past the subresource';
      return JSON.stringify(now.object.spec) === '{"pool":"a"}'
        ? null
        : 'the spec was written through /status';
    },
  },
];

const lifetimes: readonly ContractCheck[] = [
  {
    says: 'a name that is taken is AlreadyExists, whoever asks',
    run(server) {
      made(server, { kind: 'Secret' });
      return expectReason(
        server.create({ kind: 'Secret', metadata: { namespace, name: 'one' } }),
        'AlreadyExists',
      );
    },
  },
  {
    says: 'generateName makes names that differ',
    run(server) {
      const make = () => server.create({ kind: 'Secret', metadata: { namespace, generateName: 'token-' } });
      const [one, two] = [make(), make()];
      if (!one.ok || !two.ok) return 'not created';
      const names = [one.object.metadata.name, two.object.metadata.name];
      return names[0] !== names[1] && names.every((name) => name.startsWith('token-')) ? null : names.join();
    },
  },
  {
    says: 'an object that is made again under its name has another UID and no status',
    run(server) {
      const before = made(server, { kind: 'Pod' });
      server.patch(ref('Pod', 'one'), { status: { phase: 'Running' } }, { subresource: 'status' });
      server.remove(ref('Pod', 'one'));
      const after = made(server, { kind: 'Pod' });
      if (after.status !== undefined) return 'the status was inherited';
      return after.metadata.uid === before.metadata.uid ? 'the UID is the old one' : null;
    },
  },
  {
    says: 'a delete with the UID of an object that was there before is a Conflict',
    run(server) {
      const { metadata } = made(server, { kind: 'Pod' });
      server.remove(ref('Pod', 'one'));
      made(server, { kind: 'Pod' });
      const stale = server.remove(ref('Pod', 'one'), { uid: metadata.uid });
      return first(expectReason(stale, 'Conflict'), expectOk(server.read(ref('Pod', 'one'))));
    },
  },
  {
    says: 'a finalizer keeps an object that is deleted until it is taken off',
    run(server) {
      made(server, { kind: 'SandboxClaim', metadata: { namespace, name: 'one', finalizers: ['a/b'] } });
      const one = ref('SandboxClaim', 'one');
      server.remove(one);
      const kept = server.read(one);
      if (!kept.ok || kept.object.metadata.deletionTimestamp === undefined) return 'it was not kept';
      server.patch(one, { metadata: { finalizers: [] } });
      return expectReason(server.read(one), 'NotFound');
    },
  },
  {
    says: 'the data of an immutable Secret never changes; it can be removed',
    run(server) {
      made(server, { kind: 'Secret', immutable: true, data: { token: 'YQ==' } });
      const one = ref('Secret', 'one');
      const written = server.patch(one, { data: { token: 'Yg==' } });
      return first(expectReason(written, 'Invalid'), expectOk(server.remove(one)));
    },
  },
  {
    says: 'what is not there is NotFound, for every verb',
    run(server) {
      const none = ref('Pod', 'none');
      return first(
        expectReason(server.read(none), 'NotFound'),
        expectReason(server.patch(none, {}), 'NotFound'),
        expectReason(server.remove(none), 'NotFound'),
      );
    },
  },
  {
    says: 'a watch brings every change after its resourceVersion, in order, once',
    run(server) {
      const { resourceVersion } = server.list('Pod');
      made(server, { kind: 'Pod' });
      server.patch(ref('Pod', 'one'), { metadata: { labels: { a: 'b' } } });
      server.remove(ref('Pod', 'one'));
      const types = server.watch(resourceVersion).map(({ type }) => type);
      return types.join() === 'ADDED,MODIFIED,DELETED' ? null : types.join();
    },
  },
];

export const apiServerContract: readonly ContractCheck[] = [...locking, ...lifetimes];
