/** The codec under test, as the proxy uses it: the reference, or a copy of it with a mistake planted. */

type Wire = typeof import('#reference/decisions/dns-answer/wire.ts');
type Query = typeof import('#reference/decisions/dns-answer/dns-query.ts');
type Reply = typeof import('#reference/decisions/dns-answer/dns-reply.ts');
type Build = typeof import('#reference/decisions/dns-answer/dns-build.ts');
type Policy = typeof import('#reference/decisions/dns-answer/dns-policy.ts');

export type Codec = Pick<Wire, 'readMessage'> &
  Pick<Query, 'decideQuery'> &
  Pick<Reply, 'judgeReply'> &
  Pick<Build, 'planAnswer' | 'buildAnswer'> &
  Pick<Policy, 'compileDnsPolicy'>;

export type CodecPolicy = ReturnType<Policy['compileDnsPolicy']>;
export type CodecMessage = NonNullable<ReturnType<Wire['readMessage']>>;
export type AnswerPlan = ReturnType<Build['planAnswer']>;

const folder = '../../../reference/decisions/dns-answer';

/** @param copy of a planted reference: what `plantCopy` answered */
export async function loadCodec(copy = ''): Promise<Codec> {
  const load = async <T>(file: string) => (await import(`${folder}/${file}.ts${copy}`)) as T;
  const [wire, query, reply, build, policy] = await Promise.all([
    load<Wire>('wire'),
    load<Query>('dns-query'),
    load<Reply>('dns-reply'),
    load<Build>('dns-build'),
    load<Policy>('dns-policy'),
  ]);
  return {
    readMessage: wire.readMessage,
    decideQuery: query.decideQuery,
    judgeReply: reply.judgeReply,
    planAnswer: build.planAnswer,
    buildAnswer: build.buildAnswer,
    compileDnsPolicy: policy.compileDnsPolicy,
  };
}
