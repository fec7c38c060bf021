/** Every code that a CodedError carries, what it means and what to do: the source of docs/errors.md. */
export const errorCodes: Readonly<Record<string, { readonly means: string; readonly remedy: string }>> = {
  'bad-corpus': {
    means: 'a file of vectors is not there, not JSON, outside its schema, or names an id twice',
    remedy: 'mend the file, or make it anew with pnpm generate',
  },
  'bad-header': {
    means: 'the first line on stdin is no header of the subject protocol, or names another decision',
    remedy: 'begin with {"v":1,"decision":…,"config":…} as docs/decisions.md shows',
  },
  'bad-path': {
    means: '--path is no path of a counterexample, or stands without its claim and subject',
    remedy: 'copy the whole replay line',
  },
  'bad-shard': { means: '--shard is not i/n', remedy: 'write i/n with 1 ≤ i ≤ n ≤ 1000' },
  'bad-value': {
    means: 'an option is not a number within its bounds',
    remedy: 'give an integer within the bounds that the message names',
  },
  'claim-file': {
    means: 'a claim’s id and the name of its file differ',
    remedy: 'name them alike: F1.embedded is claims/F1/embedded.ts',
  },
  'line-too-long': {
    means: 'a line on stdin exceeds the bound of the subject protocol',
    remedy: 'send one case a line',
  },
  'nothing-selected': {
    means: 'no cell of the matrix is selected',
    remedy: 'name a claim and a subject that has input for it',
  },
  'report-not-written': {
    means: 'a report could not be written whole; nothing half-written was left',
    remedy: 'name a file in a folder that exists, is writable and has space',
  },
  'stale-mutant': {
    means: 'a mutant’s text is not there exactly once',
    remedy: 'bring the mutant up to date with its file',
  },
  'unknown-benchmark': { means: 'there is no such benchmark', remedy: 'see pnpm bench --help' },
  'unknown-claim': { means: 'there is no such claim or finding', remedy: 'choose one of docs/claims.md' },
  'unknown-decision': { means: 'there is no such decision', remedy: 'choose one of docs/decisions.md' },
  'unknown-subject': {
    means: 'there is no such subject',
    remedy: 'vulnerable, published, reference, mutants or mutant:<id>',
  },
};
