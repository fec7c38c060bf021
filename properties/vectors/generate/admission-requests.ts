/**
 * The corpus of admission requests: whole AdmissionReviews of claims, who may what, what the API server
 * answers, and whether the request passes.
 */
import { answers, creations } from './admission-requests/creations.ts';
import { malformed } from './admission-requests/malformed.ts';
import { secrets } from './admission-requests/secrets.ts';
import { updates } from './admission-requests/updates.ts';

export function generate() {
  return {
    $schema: 'schemas/admission-requests.schema.json',
    corpus: 'admission-requests',
    version: 1,
    source: 'findings.md F3 and F5; kubernetes.md, admission facts',
    notes: [
      'review is the AdmissionReview as it comes. What authorize-claim wants asked is answered from world: grants as RBAC holds them (an author whose extra names scopes without user:full may nothing), and the service accounts that exist.',
      'disturbance replaces the answers to questions of one kind: answered gives the body instead; failed, timed-out and not-found are results; hangs never answers, so that the deadline must; lost is left out of the list of answers.',
      'asks are the questions in their order, empty when the request is decided unasked. verdict is what is decided in the end; stamped says whether a stamp comes with it.',
    ],
    vectors: [...creations(), ...answers(), ...secrets(), ...updates(), ...malformed()],
  };
}
