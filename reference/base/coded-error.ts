/**
 * The one error class of the reference: a stable code, a message, and what to do about it.
 * Invariant: neither message nor remediation ever holds a secret, a token or entropy.
 */
export class CodedError extends Error {
  readonly code: string;
  readonly remediation: string;

  /**
   * @param code stable, kebab-case; a row of docs/errors.md
   * @param message what was wrong and where
   * @param remediation what the reader does next
   */
  constructor(code: string, message: string, remediation: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'CodedError';
    this.code = code;
    this.remediation = remediation;
  }
}
