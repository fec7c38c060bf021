/** What specs and reporters of Playwright Test know each other by. */

/** An attachment of this name is a record, as JSON. */
export const recordAttachment = 'huskproof record';
/** Of the reason of a skip: this machine lacks something. */
export const unsupportedPrefix = 'unsupported: ';
