/** Vectors on metadata: names, labels, annotations, finalizers, deletion. */
import { type StoredPod, uidOf } from '../../../models/stored-pod.ts';
import {
  claimUid,
  genuine,
  type HuskVector,
  otherUid,
  refuse,
  replaced,
  select,
  sources,
} from './husk-vector.ts';

const withMetadata = (fields: Readonly<Record<string, unknown>>, pod = genuine()) =>
  replaced(pod, 'metadata', fields);
const labelled = (labels: Readonly<Record<string, string>>) =>
  withMetadata({ labels: { ...(genuine().metadata.labels as object), ...labels } });

const noLedgerRule = 'ledger: this UID was not created by the controller';

function names(): HuskVector[] {
  const recreated = withMetadata({ uid: uidOf('made again') });
  const missing = (field: string, value: unknown) =>
    refuse(
      `name/${field}-${value === undefined ? 'absent' : 'empty'}`,
      `${field} is ${value === undefined ? 'absent' : 'empty'}`,
      {
        pod: withMetadata({ [field]: value }),
        rule: 'no namespace, name, uid or resourceVersion',
        source: field === 'resourceVersion' ? sources.step : sources.ledger,
        flags: ['unstorable'],
      },
    );
  return [
    refuse('name/recreated', 'deleted and made again under its name: another UID', {
      pod: recreated,
      rule: noLedgerRule,
      source: sources.ledger,
    }),
    refuse('name/uid-upper-case', 'the UID in upper case', {
      pod: withMetadata({ uid: genuine().metadata.uid.toUpperCase() }),
      rule: noLedgerRule,
      source: sources.ledger,
    }),
    refuse('name/uid-padded', 'white space after the UID', {
      pod: withMetadata({ uid: `${genuine().metadata.uid} ` }),
      rule: noLedgerRule,
      source: sources.ledger,
    }),
    refuse('name/other', 'the recorded UID under another name', {
      pod: withMetadata({ name: 'pool-husk-aaaaa' }),
      rule: 'ledger: of another name',
      source: sources.ledger,
    }),
    refuse('name/other-namespace', 'the recorded UID in another namespace', {
      pod: withMetadata({ namespace: 'team-b' }),
      rule: 'ledger: of another name',
      source: sources.ledger,
    }),
    ...['namespace', 'name', 'uid', 'resourceVersion'].flatMap((field) => [
      missing(field, undefined),
      missing(field, ''),
    ]),
  ];
}

function labels(): HuskVector[] {
  const is = (id: string, comment: string, pod: StoredPod, rule: string, source: string = sources.claimed) =>
    refuse(`label/${id}`, comment, { pod, rule, source });
  const claimed = (value: string) => labelled({ 'mitos.run/claim': value });
  return [
    is('none', 'no labels', withMetadata({ labels: undefined }), 'label: no husk', sources.ledger),
    is(
      'husk-absent',
      'the husk label is gone',
      withMetadata({ labels: { 'mitos.run/pool': 'pool' } }),
      'label: no husk',
      sources.ledger,
    ),
    is(
      'husk-empty',
      'the husk label is empty',
      labelled({ 'mitos.run/husk': '' }),
      'label: no husk',
      sources.ledger,
    ),
    is(
      'husk-false',
      'the husk label is false',
      labelled({ 'mitos.run/husk': 'false' }),
      'label: no husk',
      sources.ledger,
    ),
    is(
      'husk-upper-case',
      'the husk label is True',
      labelled({ 'mitos.run/husk': 'True' }),
      'label: no husk',
      sources.ledger,
    ),
    is(
      'pool-absent',
      'the pool label is gone',
      withMetadata({ labels: { 'mitos.run/husk': 'true' } }),
      'label: of another pool',
      sources.ledger,
    ),
    is(
      'pool-empty',
      'the pool label is empty',
      labelled({ 'mitos.run/pool': '' }),
      'label: of another pool',
      sources.ledger,
    ),
    is(
      'pool-other',
      'the pool label names another pool',
      labelled({ 'mitos.run/pool': 'pool-2' }),
      'label: of another pool',
      sources.ledger,
    ),
    is(
      'claim-empty',
      'an empty claim label, which the published selection takes for free',
      claimed(''),
      'label: names another claim',
    ),
    is(
      'claim-other',
      'a claim label that names another claim’s UID',
      claimed(otherUid),
      'label: names another claim',
    ),
    is(
      'claim-by-name',
      'a claim label that names a claim, not its UID',
      claimed('claim-1'),
      'label: names another claim',
    ),
    is(
      'claim-upper-case',
      'the own UID in upper case',
      claimed(claimUid.toUpperCase()),
      'label: names another claim',
    ),
    select('label/claim-own', 'labelled for this claim already: a second try', {
      pod: claimed(claimUid),
      source: sources.claimed,
    }),
    select('label/others', 'labels of others say nothing', {
      pod: labelled({ app: 'web', 'attacker.example/husk': 'false' }),
    }),
    select('annotation/any', 'annotations say nothing', {
      pod: withMetadata({ annotations: { 'mitos.run/husk': 'false', 'mitos.run/claim': otherUid } }),
    }),
  ];
}

function deletion(): HuskVector[] {
  const deletionTimestamp = '2026-11-24T09:00:00Z';
  const is = (id: string, comment: string, fields: Readonly<Record<string, unknown>>) =>
    refuse(`deletion/${id}`, comment, {
      pod: withMetadata(fields),
      rule: 'terminating',
      source: 'findings.md F3 Published: not terminating',
    });
  return [
    is('graceful', 'it is being deleted', { deletionTimestamp, deletionGracePeriodSeconds: 30 }),
    is('at-once', 'it is being deleted without grace', { deletionTimestamp, deletionGracePeriodSeconds: 0 }),
    is('held-by-a-finalizer', 'a finalizer keeps it while it is deleted', {
      deletionTimestamp,
      deletionGracePeriodSeconds: 30,
      finalizers: ['attacker.example/stay'],
    }),
    is('in-the-future', 'its deletion is dated in the future', {
      deletionTimestamp: '2199-01-01T00:00:00Z',
      deletionGracePeriodSeconds: 30,
    }),
    select('deletion/finalizer-alone', 'a finalizer says nothing while nobody deletes it', {
      pod: withMetadata({ finalizers: ['example.com/audit'] }),
    }),
    select('deletion/null', 'no deletion, written out', { pod: withMetadata({ deletionTimestamp: null }) }),
  ];
}

export function metadataVectors(): HuskVector[] {
  return [...names(), ...labels(), ...deletion()];
}
