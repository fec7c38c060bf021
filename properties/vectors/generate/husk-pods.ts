/** The corpus of husk pods: what an API server may store, what the ledger says of it, and which pod may be reached. */
import { ledgerVectors } from './husk-pods/ledger.ts';
import { metadataVectors } from './husk-pods/metadata.ts';
import { ownerVectors } from './husk-pods/owners.ts';
import { specVectors } from './husk-pods/spec.ts';
import { statusVectors } from './husk-pods/status.ts';

export function generate() {
  return {
    $schema: 'schemas/husk-pods.schema.json',
    corpus: 'husk-pods',
    version: 1,
    source: 'findings.md F3; the Pod of Kubernetes 1.37 as its API server stores it',
    notes: [
      'input is the case of select-husk. Pods are whole: kubelet’s and the API server’s defaults are in them, managedFields are not.',
      'The first pod is the one that the vector is about; rule says why it is refused, in the words of the reference. Verdict and pod are what is compared.',
      'unstorable: no API server stores such an object; a broken client or proxy may hand it on all the same.',
    ],
    vectors: [
      ...ownerVectors(),
      ...metadataVectors(),
      ...specVectors(),
      ...statusVectors(),
      ...ledgerVectors(),
    ],
  };
}
