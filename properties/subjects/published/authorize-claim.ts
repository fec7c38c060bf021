/**
 * findings.md F5, Published: "a validating webhook on CREATE/UPDATE runs a SubjectAccessReview with the
 * creator's identity (`impersonate` on `serviceaccounts`), fails closed on error, no-op on an empty
 * principal". Observed: "the review takes the raw string and the object's namespace; `allowed` beside
 * `denied` or an `evaluationError` is an allow; a review that hangs is waited for; v1beta1, another kind or a
 * missing uid are answered with allow; user, uid, groups and extra are forwarded exactly". Residual: "every
 * UPDATE of a claim with a principal is checked against whoever updates". kubernetes.md: "`/status` and
 * `/scale` are not matched", so such a request never comes to it.
 */
import type { authorizeClaim } from '../../protocol/authorize-claim.ts';
import type { Bind, InputOf, OutputOf } from '../../protocol/decision.ts';

type Output = OutputOf<typeof authorizeClaim>;
type Answers = InputOf<typeof authorizeClaim>['answers'];

const claim = { group: 'mitos.run', version: 'v1alpha1', kind: 'SandboxClaim' };

export const bind: Bind<typeof authorizeClaim> = () => {
  return ({ review, answers }) => {
    const request = field(review, 'request');
    const kind = field(request, 'kind');
    const own =
      field(review, 'apiVersion') === 'admission.k8s.io/v1' &&
      text(field(request, 'uid')) !== '' &&
      field(kind, 'group') === claim.group &&
      field(kind, 'version') === claim.version &&
      field(kind, 'kind') === claim.kind;
    if (!own) return allow('no request of a claim');
    const operation = field(request, 'operation');
    if (text(field(request, 'subResource')) !== '' || (operation !== 'CREATE' && operation !== 'UPDATE')) {
      return allow('not matched');
    }
    const object = field(request, 'object');
    const serviceAccount = text(field(field(object, 'spec'), 'serviceAccount'));
    const namespace = text(field(field(object, 'metadata'), 'namespace'));
    const user = decodeUser(field(request, 'userInfo'));
    if (!isRecord(object) || serviceAccount === null || namespace === null || user === null) {
      return deny(400, 'the request does not decode');
    }
    if (serviceAccount === '') return allow('no principal');
    if (answers !== null) return conclude(answers, serviceAccount);
    return askAbout(user, namespace, serviceAccount);
  };
};

type User = Extract<Output['questions'][number], { kind: 'SubjectAccessReview' }>['spec'];

function askAbout(user: Omit<User, 'resourceAttributes'>, namespace: string, name: string): Output {
  const attributes = { namespace, verb: 'impersonate', group: '', resource: 'serviceaccounts', name };
  return {
    verdict: 'review',
    questions: [
      { id: 'impersonate', kind: 'SubjectAccessReview', spec: { ...user, resourceAttributes: attributes } },
    ],
    deadlineMs: null,
    stamp: null,
    response: null,
    rule: 'may whoever sent it impersonate the principal?',
  };
}

function conclude(answers: NonNullable<Answers>, name: string): Output {
  const [answer] = answers;
  const allowed = field(answer?.body, 'allowed');
  const decodes = isRecord(answer?.body) && (allowed === undefined || typeof allowed === 'boolean');
  if (answer?.result !== 'answered' || !decodes) {
    return deny(500, `could not verify that you may act as service account ${JSON.stringify(name)}`);
  }
  return allowed === true
    ? allow('the review says allowed')
    : deny(403, `you may not act as service account ${JSON.stringify(name)}`);
}

function allow(rule: string): Output {
  const response = { allowed: true, code: 200, message: '' };
  return { verdict: 'allow', questions: [], deadlineMs: null, stamp: null, response, rule };
}

function deny(code: number, message: string): Output {
  const response = { allowed: false, code, message };
  return { verdict: 'deny', questions: [], deadlineMs: null, stamp: null, response, rule: message };
}

function decodeUser(userInfo: unknown): Omit<User, 'resourceAttributes'> | null {
  const [user, uid] = [text(field(userInfo, 'username')), text(field(userInfo, 'uid'))];
  const groups = field(userInfo, 'groups') ?? [];
  const extra = field(userInfo, 'extra') ?? {};
  if (user === null || uid === null || !isTexts(groups) || !isRecord(extra)) return null;
  const lists = Object.entries(extra).map(([key, list]) => [key, list ?? []] as const);
  if (!lists.every((entry): entry is readonly [string, string[]] => isTexts(entry[1]))) return null;
  return { user, uid, groups, extra: Object.fromEntries(lists) };
}

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function field(value: unknown, name: string): unknown {
  return isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

/** As a typed client decodes a string: absent is empty, another type is an error. */
function text(value: unknown): string | null {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : null;
}
