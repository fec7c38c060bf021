/** Mistakes in authorize-claim: what passes unasked, who writes what the system writes, what is stamped. */
import type { Mutant } from './mutant.ts';

const folder = 'reference/decisions/authorize-claim';
const entry = `${folder}/authorize-claim.ts`;
const request = `${folder}/admission-request.ts`;
const metadata = `${folder}/claim-metadata.ts`;

export const mutants: readonly Mutant[] = [
  {
    id: 'controller-by-identity-alone',
    mistake: 'whatever the controller writes passes',
    file: entry,
    find: 'const narrow = byController && specStays;',
    replace: "const narrow = byController && specStays; if (byController) return allow('the controller');",
    killedBy: 'F5.only-those',
  },
  {
    id: 'controller-by-shape-alone',
    mistake: 'whatever leaves the spec alone is the controller’s',
    file: entry,
    find: 'const narrow = byController && specStays;',
    replace: 'const narrow = specStays;',
    killedBy: 'F5.only-those',
  },
  {
    id: 'controller-by-suffix',
    mistake: 'a service account of the controller’s name in any namespace is the controller',
    file: entry,
    find: 'request.author.username === config.controller;',
    replace: "request.author.username.endsWith(config.controller.split(':').at(-1) ?? '');",
    killedBy: 'F5.only-those',
  },
  {
    id: 'controller-by-group',
    mistake: 'a group of the controller’s name is the controller',
    file: entry,
    find: 'request.author.username === config.controller;',
    replace:
      'request.author.username === config.controller || request.author.groups.includes(config.controller);',
    killedBy: 'F5.only-those',
  },
  {
    id: 'status-of-any-spec',
    mistake: 'the controller’s write to the status is not held to the status',
    file: entry,
    find: 'const why = narrow ? whyNotAnnotations(request, false) : notTheControllersStatus;',
    replace: 'const why = byController ? whyNotAnnotations(request, false) : notTheControllersStatus;',
    killedBy: 'F5.only-those',
  },
  {
    id: 'any-subresource',
    mistake: 'a subresource that nobody knows is judged as if it were the claim',
    file: request,
    find: "if ((subresource !== '' && subresource !== 'status') ||",
    replace: "if ((subresource !== '' && subresource !== 'status' && subresource !== 'scale') ||",
    killedBy: 'F5.only-those',
  },
  {
    id: 'forged-stamp-kept',
    mistake: 'the stamp may be changed by whoever updates',
    file: metadata,
    find: 'if (!isSame(before, after, stampAnnotation)) {',
    replace: 'if (write.oldObject === null && !isSame(before, after, stampAnnotation)) {',
    killedBy: 'F5.only-those',
  },
  {
    id: 'brought-stamp-kept',
    mistake: 'a new claim may bring a stamp along',
    file: metadata,
    find: 'if (!isSame(before, after, stampAnnotation)) {',
    replace: 'if (write.oldObject !== null && !isSame(before, after, stampAnnotation)) {',
    killedBy: 'F5.only-those',
  },
  {
    id: 'removed-steering-unseen',
    mistake: 'only steering annotations of the new object are looked at',
    file: metadata,
    find: 'new Set([...Object.keys(before), ...Object.keys(after)])',
    replace: 'new Set([...Object.keys(after)])',
    killedBy: 'F5.only-those',
  },
  {
    id: 'controller-may-not-steer',
    mistake: 'the controller’s own metadata is refused too',
    file: metadata,
    find: 'if (maySteer) return null;',
    replace: '',
    killedBy: 'F5.controller',
  },
  {
    id: 'status-refused',
    mistake: 'no subresource is known, the status neither',
    file: request,
    find: "if ((subresource !== '' && subresource !== 'status') ||",
    replace: "if (subresource !== '' ||",
    killedBy: 'F5.controller',
  },
  {
    id: 'every-update-reviewed',
    mistake: 'every update is checked against whoever updates',
    file: entry,
    find: "if (specStays) return allow('spec, stamp and steering annotations stay as they are');",
    replace: '',
    killedBy: 'F5.unchanged',
  },
  {
    id: 'labels-of-the-controller-alone',
    mistake: 'only the controller’s updates are left alone',
    file: entry,
    find: 'if (specStays) return allow',
    replace: 'if (narrow) return allow',
    killedBy: 'F5.unchanged',
  },
  {
    id: 'stamp-of-the-old-spec',
    mistake: 'the stamp carries the hash of the former spec',
    file: entry,
    find: "const specHash = specHashOf(fieldOf(request.object, 'spec'));",
    replace: "const specHash = specHashOf(fieldOf(request.oldObject ?? request.object, 'spec'));",
    killedBy: 'F5.stamped',
  },
  {
    id: 'stamp-without-name',
    mistake: 'a claim whose name is not known yet is stamped for the empty name',
    file: entry,
    find: 'if (request.name === null && !stampless) return deny(nameless);',
    replace: '',
    killedBy: 'F5.stamped',
  },
  {
    id: 'stamp-of-unasked-secrets',
    mistake: 'the stamp forgets the Secrets when there is a principal',
    file: entry,
    find: 'secrets: asked.secrets,',
    replace: 'secrets: asked.principal === null ? asked.secrets : [],',
    killedBy: 'F5.stamped',
  },
];
